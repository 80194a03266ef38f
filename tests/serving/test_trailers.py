"""What a client may send beside heads and content, and how much of it."""

from __future__ import annotations

import pytest

from tests.server import Server
from tests.serving.raw import Wire, ask, chunk, signed

CHUNKED = ("transfer-encoding", "chunked")


@pytest.mark.parametrize("begin", [b"0\r\nx: ", b"0\r\n", b"5;"])
@pytest.mark.parametrize("piece", [b"a" * 65_536, b"a: b\r\n" * 10_000])
def test_a_trailer_without_end_ends_the_connection(server: Server, begin: bytes, piece: bytes) -> None:
    """The parser keeps a field until it has it whole, and nobody who reads the body sees that it grows."""
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/endless", extra=[CHUNKED]) + chunk(b"hello") + begin)
        for _ in range(100):
            wire.send(piece)
        reply = wire.answer()
        assert (reply.status, reply.get("connection")) == (400, "close")
    assert ask(server, "HEAD", "/bucket/endless").status == 404


def test_many_small_chunks_are_no_trailer(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/small", extra=[CHUNKED]))
        for _ in range(20):
            wire.send(chunk(b"x") * 1000)
        wire.send(b"0\r\nx: " + b"a" * 8000 + b"\r\n\r\n")
        assert wire.answer().status == 200
    assert ask(server, "GET", "/bucket/small").body == b"x" * 20_000
