"""Bodies that end too early, stop coming, or are not wanted: nothing is published, and the next request is served."""

from __future__ import annotations

import base64
import contextlib
import zlib
from collections.abc import Callable, Iterator

import pytest

from tests.server import Granian, Server
from tests.serving.raw import TRAILER, Closed, Wire, ask, chunk, head, signed

CHUNKED = ("transfer-encoding", "chunked")
HELLO = b"hello " * 20_000
CRC32 = base64.b64encode(zlib.crc32(HELLO).to_bytes(4))
LAST = chunk(HELLO) + b"0\r\nx-amz-checksum-crc32:" + CRC32 + b"\r\n\r\n"


def plain(server: Server, target: str) -> tuple[bytes, bytes]:
    return signed(server, "PUT", target, [("content-length", str(len(HELLO)))]), HELLO


def chunked(server: Server, target: str) -> tuple[bytes, bytes]:
    return signed(server, "PUT", target, extra=[CHUNKED]), chunk(HELLO[:99_999]) + chunk(HELLO[99_999:]) + b"0\r\n\r\n"


def framed(server: Server, target: str) -> tuple[bytes, bytes]:
    fields = [("x-amz-decoded-content-length", str(len(HELLO))), ("x-amz-trailer", "x-amz-checksum-crc32")]
    fields += [("content-encoding", "aws-chunked"), ("content-length", str(len(LAST)))]
    return signed(server, "PUT", target, fields, payload=TRAILER), LAST


def framed_chunked(server: Server, target: str) -> tuple[bytes, bytes]:
    """What the SDKs send over TLS."""
    fields = [("x-amz-decoded-content-length", str(len(HELLO))), ("x-amz-trailer", "x-amz-checksum-crc32")]
    fields += [("content-encoding", "aws-chunked")]
    body = chunk(LAST[:70_000]) + chunk(LAST[70_000:]) + b"0\r\n\r\n"
    return signed(server, "PUT", target, fields, payload=TRAILER, extra=[CHUNKED]), body


Framing = Callable[[Server, str], tuple[bytes, bytes]]


@pytest.fixture(scope="module", params=[Server, Granian])
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of the program, and one that reaches the same handler through ASGI."""
    environment = {"ENTREPOT_LIMITS__STALL_SECONDS": "3"}
    with request.param(tmp_path_factory.mktemp("bodies") / "data", environment=environment) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


every_framing = pytest.mark.parametrize("framing", [plain, chunked, framed, framed_chunked])


@every_framing
def test_a_whole_body_is_published(either: Server, framing: Framing) -> None:
    with Wire(either) as wire:
        wire.send(b"".join(framing(either, "/bucket/whole")))
        assert wire.answer().status == 200
        wire.send(signed(either, "GET", "/bucket/whole"))
        assert wire.answer().body == HELLO


@every_framing
@pytest.mark.parametrize("left", [1, 2, 3, 5, 7, 30, 60_000, None])
@pytest.mark.parametrize("end", [Wire.shut, Wire.reset])
def test_a_body_that_is_cut_off_publishes_nothing(
    either: Server, framing: Framing, left: int | None, end: Callable[[Wire], None]
) -> None:
    """Not one byte may be missing, be it of the framing alone."""
    target = f"/bucket/cut-{framing.__name__}"
    start, body = framing(either, target)
    with Wire(either) as wire:
        wire.send(start + (body[:-left] if left else b""))
        end(wire)
        if end is Wire.shut:
            with contextlib.suppress(Closed):
                assert wire.answer().status == 400
    assert ask(either, "HEAD", target).status == 404
    assert ask(either, "GET", "/bucket?uploads").status == 200


@every_framing
def test_a_body_that_stops_coming_is_given_up(server: Server, framing: Framing) -> None:
    start, body = framing(server, "/bucket/stalled")
    with Wire(server) as wire:
        wire.send(start + body[:-1])
        reply = wire.answer()
        assert (reply.status, reply.code) == (400, "RequestTimeout")
        assert wire.ended()
    assert ask(server, "HEAD", "/bucket/stalled").status == 404


def test_a_body_that_is_slow_but_moves_is_taken(server: Server) -> None:
    """Longer under way than the limit for one pause."""
    body = b"0123456789"
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/slow", [("content-length", "10")]))
        for at in range(len(body)):
            wire.send(body[at : at + 1])
            assert wire.silent(0.45) or at == 9
        assert wire.answer().status == 200
    assert ask(server, "GET", "/bucket/slow").body == body


def test_expect_is_answered_when_the_body_is_wanted(server: Server) -> None:
    expect = [("expect", "100-continue")]
    with Wire(server) as wire:
        wire.send(signed(server, "PUT", "/bucket/expected", [("content-length", "5")], extra=expect))
        assert wire.interim().status == 100
        wire.send(b"hello")
        assert wire.interim().status == 200


def test_expect_of_no_body_is_answered_too(server: Server) -> None:
    """aws-cli waits for the answer to its next request on the connection in vain otherwise."""
    expect = [("expect", "100-continue")]
    with Wire(server) as wire:
        for status, target in ((200, "/bucket/nothing"), (404, "/no-such-bucket/nothing")):
            wire.send(signed(server, "PUT", target, [("content-length", "0")], extra=expect))
            assert wire.interim().status == 100
            assert wire.interim().status == status


@pytest.mark.parametrize("case", ["anonymous", "signature", "bucket", "length", "digest", "condition"])
def test_expect_of_a_body_that_is_refused_is_not_answered(server: Server, case: str) -> None:
    expect = [("expect", "100-continue")]
    length = [("content-length", "5")]
    if case == "anonymous":
        data, status = head("PUT", "/bucket/expected", [("host", "a"), *length, *expect]), 403
    elif case == "signature":
        data, status = signed(server, "PUT", "/bucket/a", length, extra=expect).replace(b"/bucket/a", b"/bucket/b"), 403
    elif case == "bucket":
        data, status = signed(server, "PUT", "/no-such-bucket/a", length, extra=expect), 404
    elif case == "length":
        data, status = signed(server, "PUT", "/bucket/a", [("content-length", str(6 << 30))], extra=expect), 400
    elif case == "digest":
        data, status = signed(server, "PUT", "/bucket/a", [*length, ("content-md5", "x")], extra=expect), 400
    else:
        data, status = signed(server, "PUT", "/bucket/there", [*length, ("if-none-match", "*")], extra=expect), 412
    with Wire(server) as wire:
        wire.send(data)
        reply = wire.interim()
        assert (reply.status, reply.get("connection")) == (status, "close")
        assert wire.ended()


@pytest.mark.parametrize("size", [5, 300_000, 8_000_000])
@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_refused_body_is_read_over(server: Server, size: int, coding: str) -> None:
    """A client that sends everything before it looks finds the answer, and its next request is served."""
    fields = [("host", "a"), ("content-length", str(size)) if coding == "length" else CHUNKED]
    body = b"G" * size if coding == "length" else chunk(b"G" * size) + b"0\r\n\r\n"
    with Wire(server) as wire:
        wire.send(head("PUT", "/bucket/refused", fields) + body)
        reply = wire.answer()
        assert (reply.status, reply.code) == (403, "AccessDenied")
        wire.send(signed(server, "GET", "/bucket/there"))
        assert wire.answer().body == b"what is there"


@pytest.mark.parametrize("coding", ["length", "chunked"])
def test_a_refusal_does_not_wait_for_the_body(either: Server, coding: str) -> None:
    """Its client may never send the rest, and would hold the connection with it."""
    fields = [("host", "a"), ("content-length", "100000") if coding == "length" else CHUNKED]
    with Wire(either) as wire:
        wire.send(head("PUT", "/bucket/refused", fields) + (b"G" * 10 if coding == "length" else chunk(b"G" * 10)))
        reply = wire.answer()
        assert (reply.status, reply.code) == (403, "AccessDenied")


def test_a_refused_body_that_drips_is_left(server: Server) -> None:
    """Its bytes do not keep it alive: the server of this test hears it out for three seconds in all."""
    with Wire(server) as wire, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        wire.send(head("PUT", "/bucket/refused", [("host", "a"), ("content-length", "100000")]))
        assert wire.answer().status == 403
        for _ in range(100):
            wire.send(b"G")
            if not wire.silent(0.2):
                break
        else:
            pytest.fail("it was let go on")


def test_a_refused_body_that_is_huge_ends_the_connection(server: Server) -> None:
    fields = [("host", "a"), ("content-length", str(1 << 30))]
    with Wire(server) as wire:
        wire.send(head("PUT", "/bucket/refused", fields) + b"GET / HTTP/1.1\r\n\r\n")
        assert wire.answer().status == 403
        assert wire.ended()


def test_a_refused_body_that_stops_coming_is_given_up(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(head("PUT", "/bucket/refused", [("host", "a"), ("content-length", "10")]) + b"12345")
        assert wire.answer().status == 403
        assert wire.ended()


def test_the_body_of_a_get_is_read_over(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(signed(server, "GET", "/bucket/there", [("content-length", "5")]) + b"hello")
        wire.send(signed(server, "HEAD", "/bucket/there"))
        assert wire.answer().body == b"what is there"
        assert wire.answer(head=True).status == 200


def test_requests_in_a_row_and_all_at_once(server: Server) -> None:
    """Keep-alive and pipelining: answers come in the order of the requests."""
    first = signed(server, "PUT", "/bucket/row", [("content-length", "3")]) + b"one"
    second = signed(server, "GET", "/bucket/row")
    third = signed(server, "PUT", "/bucket/row", [("content-length", "3")]) + b"two"
    with Wire(server) as wire:
        for _ in range(3):
            wire.send(first)
            assert wire.answer().status == 200
        wire.send(first + second + third + second + signed(server, "HEAD", "/bucket/row") + second)
        assert [wire.answer().body for _ in range(4)] == [b"", b"one", b"", b"two"]
        assert wire.answer(head=True).get("content-length") == "3"
        assert wire.answer().body == b"two"


def test_after_an_error_the_connection_serves_on(server: Server) -> None:
    with Wire(server) as wire:
        for target, status in (("/bucket/none", 404), ("/no-such-bucket", 404), ("/bucket/there", 200)):
            wire.send(signed(server, "GET", target))
            assert wire.answer().status == status
        wire.send(head("GET", "/bucket/there", [("host", "a")]))
        assert wire.answer().status == 403
        wire.send(signed(server, "GET", "/bucket/there", [("range", "bytes=99-")]))
        assert wire.answer().status == 416
        wire.send(signed(server, "GET", "/bucket/there"))
        assert wire.answer().status == 200


def test_head_and_304_have_no_body(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(signed(server, "HEAD", "/bucket/there"))
        etag = wire.answer(head=True).get("etag") or ""
        wire.send(signed(server, "HEAD", "/bucket/none") + signed(server, "HEAD", "/no-such-bucket"))
        assert [wire.answer(head=True).status for _ in range(2)] == [404, 404]
        wire.send(signed(server, "GET", "/bucket/there", [("if-none-match", etag)]))
        assert wire.answer().status == 304
        wire.send(signed(server, "GET", "/bucket/there"))
        assert wire.answer().body == b"what is there"
