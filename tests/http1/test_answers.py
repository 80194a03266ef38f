"""Answers as bytes: heads, the three framings, and what may never leave the server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest

from entrepot.http1.answers import Answer, Broken, StreamFailed
from entrepot.wire.http import Buffer, Response

DATE = re.compile(rb"date: [A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT\r\n")


class Outlet:
    """Keeps what is written; is lost after ``takes`` writes."""

    def __init__(self, takes: int = 1000) -> None:
        self.lost = False
        self.written: list[bytes] = []
        self._takes = takes

    def write(self, data: Buffer) -> None:
        self.written.append(bytes(data))
        self.lost = len(self.written) >= self._takes

    async def writable(self) -> None:
        await asyncio.sleep(0)

    @property
    def bytes(self) -> bytes:
        whole, dates = DATE.subn(b"", b"".join(self.written))
        assert dates == 1
        return whole


class Stream:
    """Pieces, and whether it was closed."""

    def __init__(self, *pieces: Buffer, error: Exception | None = None) -> None:
        self.closed = False
        self._steps = self._yield(pieces, error)

    async def _yield(self, pieces: tuple[Buffer, ...], error: Exception | None) -> AsyncIterator[Buffer]:
        for piece in pieces:
            yield piece
        if error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[Buffer]:
        return self

    async def __anext__(self) -> Buffer:
        return await anext(self._steps)

    async def aclose(self) -> None:
        self.closed = True


LENGTH_5 = [(b"content-length", b"5")]


def write(answer: Answer, response: Response, outlet: Outlet | None = None) -> bytes:
    outlet = outlet or Outlet()
    asyncio.run(answer.write(response, outlet))
    return outlet.bytes


def test_a_small_answer_is_one_write() -> None:
    outlet = Outlet()
    assert (
        write(Answer(keep=True), Response(200, [*LENGTH_5, (b"etag", b'"a"')], b"hello"), outlet)
        == b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: "a"\r\n\r\nhello'
    )
    assert len(outlet.written) == 1


@pytest.mark.parametrize("body", [b"hello", bytearray(b"hello"), memoryview(b"hello")])
def test_a_length_is_told_when_the_handler_has_not(body: Buffer) -> None:
    assert write(Answer(keep=True), Response(404, [], body)) == (
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello"
    )


def test_a_connection_that_is_not_kept_says_so_once() -> None:
    expected = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    assert write(Answer(keep=False), Response(200, [(b"content-length", b"0")])) == expected
    answer = Answer(keep=True)
    assert write(answer, Response(200, [(b"content-length", b"0"), (b"connection", b"close")])) == expected
    assert not answer.keep


@pytest.mark.parametrize(("status", "bodiless"), [(200, True), (204, False), (304, False)])
def test_answers_without_a_body_keep_their_length(status: int, *, bodiless: bool) -> None:
    for body in (b"", b"hello", Stream(b"hello")):
        found = write(Answer(keep=True, bodiless=bodiless), Response(status, list(LENGTH_5), body))
        assert found.endswith(b"\r\ncontent-length: 5\r\n\r\n")
        assert not isinstance(body, Stream) or body.closed


def test_a_status_that_nobody_knows() -> None:
    assert write(Answer(keep=True), Response(299, [(b"content-length", b"0")])).startswith(b"HTTP/1.1 299 \r\n")


def test_a_stream_is_framed_by_its_length_by_chunks_or_by_the_end() -> None:
    stream = Stream(b"hel", b"", memoryview(b"lo"))
    assert write(Answer(keep=True), Response(200, list(LENGTH_5), stream)).endswith(b"\r\n\r\nhello")
    assert stream.closed
    chunked = write(Answer(keep=True), Response(200, [], Stream(b"hel", b"", b"l" * 17)))
    assert chunked.endswith(b"transfer-encoding: chunked\r\n\r\n3\r\nhel\r\n11\r\n" + b"l" * 17 + b"\r\n0\r\n\r\n")
    old = Answer(keep=True, chunks=False)
    assert write(old, Response(200, [], Stream(b"hel", b"lo"))).endswith(b"connection: close\r\n\r\nhello")
    assert not old.keep


@pytest.mark.parametrize("body", [b"hell", b"hello!", Stream(b"hell"), Stream(b"hello", b"!")])
def test_a_body_of_another_length_than_announced_is_never_taken_for_whole(body: Buffer | Stream) -> None:
    outlet = Outlet()
    with pytest.raises(Broken):
        asyncio.run(Answer(keep=True).write(Response(200, list(LENGTH_5), body), outlet))
    assert b"!" not in b"".join(outlet.written)
    assert not isinstance(body, Stream) or body.closed


@pytest.mark.parametrize("value", [b"a\r\nset-cookie: b", b"a\nb", b"a\rb", b"a\r\n\r\n<html>"])
def test_no_field_becomes_two(value: bytes) -> None:
    outlet = Outlet()
    with pytest.raises(Broken):
        asyncio.run(Answer(keep=True).write(Response(200, [(b"x", value)], b""), outlet))
    assert outlet.written == []


def test_an_error_of_a_stream_is_told_from_ours_and_closes_it() -> None:
    stream = Stream(b"hel", error=RuntimeError("damage"))
    with pytest.raises(StreamFailed) as caught:
        asyncio.run(Answer(keep=True).write(Response(200, list(LENGTH_5), stream), Outlet()))
    assert str(caught.value.__cause__) == "damage"
    assert stream.closed


def test_a_stream_ends_when_nobody_takes_it() -> None:
    stream = Stream(*[b"x"] * 100)
    outlet = Outlet(takes=4)
    asyncio.run(Answer(keep=True).write(Response(200, [(b"content-length", b"100")], stream), outlet))
    assert len(outlet.written) == 4
    assert stream.closed
