"""One HTTP/1.1 connection: uvicorn's, with bounds on how large and how slow a head may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SWEEP_SECONDS: Final = 5
"""How often connections with a late head are looked for."""


class Parser(httptools.HttpRequestParser):
    """A parser that goes on behind the offer of another protocol, where the library stops and leaves out the
    body. An offer may be passed over (RFC 9110 §7.8): the request is parsed again without it.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._connection = connection
        self.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn has it

    def feed_data(self, data: bytes) -> None:  # type: ignore[override]  # all that a transport gives
        while True:
            try:
                super().feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = self._connection.head_without_offer() + data[offer.args[0] :]


class Connection(HttpToolsProtocol):
    """``head_since`` tells since when a head is awaited; None while a request is under way, and
    while the connection is kept for the next one, which has a clock of its own. ``_framing`` counts
    what came since the last content or end of a head: parts of messages that the parser may keep.
    """

    header_bytes = 16_384
    most = 1024

    @classmethod
    def bound(cls, header_bytes: int, most: int) -> type[Connection]:
        """The protocol for heads of so many bytes at most, and for so many connections at once."""
        return type("BoundConnection", (cls,), {"header_bytes": header_bytes, "most": most})

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - whatever uvicorn passes
        super().__init__(*args, **kwargs)
        self.parser = Parser(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self.head_since: float | None = time.monotonic()
        self._framing = 0
        self._unsent = 0
        self._unsent_since = self.head_since
        super().connection_made(transport)
        if len(self.connections) > self.most:
            self._refuse(b"503 Service Unavailable", b"there are too many connections\n")

    def data_received(self, data: bytes) -> None:
        self._framing += len(data)
        # What the parser has been given of one head can be more than the head only by a body.
        if self.head_since is not None and self._framing > self.header_bytes and b"\r\n\r\n" not in data:
            self._refuse(
                b"431 Request Header Fields Too Large", b"the request line and the header fields are too large\n"
            )
            return
        super().data_received(data)
        # Neither content nor a head: a trailer, of which the parser keeps a field until it has it whole.
        if self.head_since is None and self._framing > self.header_bytes:
            self.transport.close()

    def on_message_begin(self) -> None:
        self.head_since = time.monotonic()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. One of a chunked trailer, which the parser reports alike, is passed over:
        the request that it would change is under way.
        """
        if self.head_since is not None:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        # RFC 9112 §6.1: HTTP/1.0 has no transfer codings, so what stands between may frame it otherwise.
        if version != "1.1" and (version != "1.0" or any(name == b"transfer-encoding" for name, _ in self.headers)):
            raise ValueError(f"HTTP/{version}")
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise ValueError("this is no proxy")
            return
        self.head_since = None
        self._framing = 0
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of the content."""
        self._framing = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Take the end of a request."""
        self._framing = 0
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def head_without_offer(self) -> bytes:
        """The head that was parsed last, as it would be without the field Upgrade."""
        lines = [self.parser.get_method() + b" " + self.url + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def shutdown(self) -> None:
        """The server stops. An idle connection with nothing left to send is dropped: closing it politely
        over TLS would wait half a minute for the client's farewell.
        """
        cycle: Any = self.cycle  # None until the first request, whatever its annotation says
        if (cycle is None or cycle.response_complete) and not self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().shutdown()

    def stuck(self, now: float, seconds: float) -> bool:
        """Whether the client has taken nothing of an answer for so long. What waits for it costs memory."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > seconds

    def _refuse(self, status: bytes, body: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 %b\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b"
            % (status, len(body), body)
        )
        self.transport.close()


async def close_late(connections: Collection[Any], head_seconds: float, stall_seconds: float) -> None:
    """Close connections whose head does not come to its end, and those on which an answer does not get on,
    within so many seconds; never returns.
    """
    while True:
        await asyncio.sleep(min(SWEEP_SECONDS, head_seconds, stall_seconds))
        now = time.monotonic()
        for connection in list(connections):
            since = connection.head_since
            if connection.stuck(now, stall_seconds):
                connection.transport.abort()
            elif since is not None and since < now - head_seconds:
                connection.transport.close()
