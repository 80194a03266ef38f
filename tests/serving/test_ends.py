"""Where a request ends, where a connection does, and what a client that does not read may pile up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.processes import children, memory
from tests.serving.raw import Wire, ask, chunk, head, signed

CHUNKED = ("transfer-encoding", "chunked")
HEALTH = head("GET", "/health", [("host", "a")])
MIB = 1 << 20


@pytest.mark.parametrize("fields", [[], [("connection", "keep-alive")]])
@pytest.mark.parametrize("behind", [head("CONNECT", "a:1", [("host", "a")]), HEALTH, b"nonsense\r\n\r\n"])
def test_what_comes_behind_a_request_of_an_old_client_is_passed_over(
    server: Server, fields: list[tuple[str, str]], behind: bytes
) -> None:
    with Wire(server) as wire:
        wire.send(head("GET", "/health", fields, version="1.0") + behind)
        assert wire.answer().status == 200
        assert wire.ended()
    assert ask(server, "GET", "/bucket/there").status == 200


@pytest.mark.parametrize("trailer", ["connection: close", "Proxy-Connection: close", "connection: keep-alive, close"])
def test_a_trailer_that_ends_the_connection_does_not_leave_it_deaf(server: Server, trailer: str) -> None:
    """The client learns with the answer that what it sends behind it is not served."""
    body = chunk(b"hello") + b"0\r\n" + trailer.encode() + b"\r\n\r\n"
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/trailer", extra=[CHUNKED]) + body + HEALTH)
        reply = wire.answer()
        assert (reply.status, reply.get("connection")) == (200, "close")
        assert wire.ended()
    assert ask(server, "GET", "/bucket/trailer").body == b"hello"


def test_a_protocol_offered_in_a_trailer_is_passed_over(server: Server) -> None:
    body = chunk(b"hello") + b"0\r\nupgrade: h2c\r\n\r\n"
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/trailer", extra=[CHUNKED, ("connection", "upgrade")]) + body + HEALTH)
        assert [wire.answer().status for _ in range(2)] == [200, 200]


def test_answers_that_nobody_takes_are_not_piled_up(tmp_path: Path) -> None:
    """Each is small enough to go out in one piece."""
    body = os.urandom(200_000)
    with Server(tmp_path / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/small", body).status == 200
        (worker,) = children(server.pid)
        before = memory(worker)
        with Wire(server, receive_buffer=65_536) as wire:
            get = signed(server, "GET", "/bucket/small")
            for _ in range(50):
                wire.send(get * 20)
                time.sleep(0.02)  # so that it is read, if it is read at all
            assert memory(worker) - before < 32 * MIB
            for _ in range(200):
                assert wire.answer().body == body


def test_a_request_names_its_host(server: Server) -> None:
    """RFC 9112 §3.2; before HTTP/1.1 there was no such field."""
    with Wire(server) as wire:
        wire.send(head("GET", "/health", []))
        assert wire.answer().status == 400
        assert wire.ended()
    with Wire(server) as wire:
        wire.send(head("GET", "/health", [], version="1.0"))
        assert wire.answer().status == 200


@pytest.mark.parametrize(
    "codings", [["gzip, chunked"], ["gzip", "chunked"], ["chunked", "chunked"], ["identity, chunked"]]
)
def test_no_coding_of_a_body_is_left_out(server: Server, codings: list[str]) -> None:
    """What another server would undo is not taken for content."""
    fields = [("transfer-encoding", coding) for coding in codings]
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/coded", extra=fields) + chunk(b"hello") + b"0\r\n\r\n" + HEALTH)
        assert wire.answer().status == 400
        assert wire.ended()
    assert ask(server, "HEAD", "/bucket/coded").status == 404


def test_spaces_behind_a_value_are_no_part_of_it(server: Server) -> None:
    with Wire(server) as wire:
        start = signed(server, "PUT", "/bucket/spaces", [("content-length", "5"), ("x-amz-meta-a", "b  c")])
        wire.send(start.replace(b"b  c\r\n", b"b  c \t \r\n") + b"hello")
        assert wire.answer().status == 200
    assert ask(server, "HEAD", "/bucket/spaces").get("x-amz-meta-a") == "b  c"


def test_clients_that_vanish_before_their_answer_leave_no_traceback(tmp_path: Path) -> None:
    """Anybody could fill the log with them."""
    with Server(tmp_path / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        for _ in range(60):
            with Wire(server) as wire:
                wire.send(signed(server, "GET", "/bucket") + HEALTH * 3)
                wire.reset()
        assert ask(server, "GET", "/bucket").status == 200
        server.stop()
        lines = [line for line in server.log.read_text().splitlines() if not line.startswith("{")]
        server.start()
    assert len(lines) == 1, "there is more than the greeting"


def big(server: Server) -> bytes:
    """Of nobody's, and more than is read over."""
    return head("PUT", "/bucket/refused", [("host", "a"), ("content-length", str(48 * MIB))]) + bytes(48 * MIB)


def large(_: Server) -> bytes:
    return head("GET", "/health", [("host", "a"), ("x", "a" * 8 * MIB)])


def garbled(server: Server) -> bytes:
    return signed(server, "PUT", "/bucket/garbled", extra=[CHUNKED]) + chunk(b"hello") + b"x" * 8 * MIB


@pytest.mark.parametrize(("sent", "status"), [(big, 403), (large, 400), (garbled, 400)])
def test_a_client_that_sends_all_before_it_looks_finds_the_answer(
    server: Server, sent: Callable[[Server], bytes], status: int
) -> None:
    """RFC 9112 §9.6: it is not reset while it sends."""
    with Wire(server) as wire:
        wire.send(sent(server))
        reply = wire.answer()
        assert (reply.status, reply.get("connection")) == (status, "close")
        assert wire.ended()


def test_a_client_that_goes_on_sending_behind_its_answer_is_left(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(b"nonsense\r\n\r\n")
        assert wire.answer().status == 400
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _go_on(wire)


def _go_on(wire: Wire) -> None:
    while True:
        wire.send(b"and more of it\r\n")
        time.sleep(0.01)
