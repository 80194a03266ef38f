"""Answers as they are written: head, framing, and streams at the pace of who reads them.

RFC 9112: a body is framed by its length, by chunks (HTTP/1.1), or by the end of the connection (HTTP/1.0).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Final, Protocol, cast

from entrepot.wire.dates import http_date
from entrepot.wire.http import Buffer, Response

CONTINUE: Final = 100
"""The client may send its body (RFC 9110 §10.1.1)."""

BODILESS: Final = frozenset({204, 304})
"""Statuses that never have a body (RFC 9110 §6.4.1); neither has an answer to HEAD."""

_LINES: Final = {status.value: b"HTTP/1.1 %d %b" % (status, status.phrase.encode()) for status in HTTPStatus}
_BYTES: Final = (bytes, bytearray, memoryview)
_LINE: Final = b": ".join
_CLOSE: Final = (b"connection", b"close")


class Outlet(Protocol):
    """Where an answer is written to. ``lost`` tells that nobody takes it any more."""

    lost: bool

    def write(self, data: Buffer) -> None: ...

    async def writable(self) -> None:
        """Return when what was written before does not wait in memory, or is lost."""


class Broken(Exception):
    """An answer that cannot be brought to its end as its head announced it."""


class StreamFailed(Exception):
    """A stream raised its own error, which is the cause of this one."""


class Answer:
    """How one request is to be answered: the connection may be kept (``keep``), the answer has no body
    (``bodiless``, for HEAD), the client understands chunks and interim answers (``chunks``: HTTP/1.1), it waits to
    be told that it may send (``expects``). ``begun`` tells that the head is made.
    """

    __slots__ = ("begun", "bodiless", "chunks", "expects", "keep")

    def __init__(self, *, keep: bool, bodiless: bool = False, chunks: bool = True) -> None:
        self.keep = keep
        self.bodiless = bodiless
        self.chunks = chunks
        self.expects = self.begun = False

    def interim(self, status: int, fields: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
        """An answer before the answer (RFC 9110 §15.2); nothing for HTTP/1.0 or once the answer has begun."""
        if self.begun or not self.chunks:
            return b""
        if status == CONTINUE:
            self.expects = False
        line = _LINES.get(status) or b"HTTP/1.1 %d " % status
        return _joined([line, *map(_LINE, fields), b"", b""])

    def at_once(self, response: Response) -> bytes | None:
        """A whole answer, or None for one with a body that is a stream. Raises Broken."""
        body = response.body
        if not isinstance(body, _BYTES):
            return None
        if _CLOSE in response.headers:
            self.keep = False
        length = length_of(response.headers)
        if self.bodiless or response.status in BODILESS:
            return self._head(response, [])
        if length is None:
            return self._head(response, [(b"content-length", b"%d" % len(body))]) + body
        if length != len(body):
            raise Broken(f"{len(body)} bytes where {length} were announced")
        return self._head(response, []) + body

    async def write(self, response: Response, outlet: Outlet) -> None:
        """Write a response. A body that is a stream is closed, come what may.

        Raises Broken and StreamFailed: the client has been told of more than it got then.
        """
        if (whole := self.at_once(response)) is not None:
            outlet.write(whole)
            return
        if _CLOSE in response.headers:
            self.keep = False
        body = cast("AsyncIterator[Buffer]", response.body)
        try:
            await self._stream(response, body, outlet)
        except Broken:
            raise
        except Exception as error:  # whatever it is: raised, and told from what is broken here
            raise StreamFailed(str(error)) from error
        finally:
            close = getattr(body, "aclose", None)
            if close is not None:
                await close()

    async def _stream(self, response: Response, body: AsyncIterator[Buffer], outlet: Outlet) -> None:
        left = length_of(response.headers)
        if self.bodiless or response.status in BODILESS:
            outlet.write(self._head(response, []))
        elif left is not None:
            outlet.write(self._head(response, []))
            await _write(body, outlet, left=left)
        elif self.chunks:
            outlet.write(self._head(response, [(b"transfer-encoding", b"chunked")]))
            await _write(body, outlet, chunks=True)
        else:
            self.keep = False
            outlet.write(self._head(response, []))
            await _write(body, outlet)

    def _head(self, response: Response, framing: Sequence[tuple[bytes, bytes]]) -> bytes:
        fields = [*response.headers, *framing] if framing else response.headers
        if not self.keep and _CLOSE not in fields:
            fields = [*fields, _CLOSE]
        line = _LINES.get(response.status) or b"HTTP/1.1 %d " % response.status
        self.begun = True
        date = b"date: " + http_date(int(time.time()))
        return _joined([line, date, *map(_LINE, fields), b"", b""])


def _joined(lines: list[bytes]) -> bytes:
    """A head made of lines, two empty ones at its end. Raises Broken when one of them holds a line of its own."""
    head = b"\r\n".join(lines)
    # RFC 9110 §5.5: some take a bare CR for the end of a line.
    if not head.count(b"\n") == head.count(b"\r") == len(lines) - 1:
        raise Broken("a field of the answer holds a line of its own")
    return head


def length_of(fields: Sequence[tuple[bytes, bytes]]) -> int | None:
    """The announced length of a body."""
    for name, value in fields:
        if name == b"content-length":
            return int(value)
    return None


async def _write(body: AsyncIterator[Buffer], outlet: Outlet, *, left: int | None = None, chunks: bool = False) -> None:
    """Write a stream to its end: of the length ``left``, or in chunks, or as it is."""
    async for data in body:
        if left is not None:
            left -= len(data)
            if left < 0:
                raise Broken("a stream goes on behind its announced end")
        if data:  # an empty chunk would be the last one
            outlet.write(b"".join((b"%x\r\n" % len(data), data, b"\r\n")) if chunks else data)
            await outlet.writable()
        if outlet.lost:
            return
    if left:
        raise Broken(f"a stream ends {left} bytes too early")
    if chunks:
        outlet.write(b"0\r\n\r\n")
