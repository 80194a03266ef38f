"""One HTTP/1.1 connection: uvicorn's, with bounds on how large and how slow a head may be."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SWEEP_SECONDS: Final = 5
"""How often connections with a late head are looked for."""


class Connection(HttpToolsProtocol):
    """``head_since`` tells since when a head is awaited; None while a request is under way, and
    while the connection is kept for the next one, which has a clock of its own.
    """

    header_bytes = 16_384

    @classmethod
    def bound(cls, header_bytes: int) -> type[Connection]:
        """The protocol for heads of so many bytes at most."""
        return type("BoundConnection", (cls,), {"header_bytes": header_bytes})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        self.head_since: float | None = time.monotonic()
        self._head_bytes = 0
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.head_since is not None:
            self._head_bytes += len(data)
            # What the parser has been given of one head can be more than the head only by a body.
            if self._head_bytes > self.header_bytes and b"\r\n\r\n" not in data:
                self._refuse_head()
                return
        super().data_received(data)

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
        self.head_since = None
        self._head_bytes = 0
        super().on_headers_complete()

    def _refuse_head(self) -> None:
        body = b"the request line and the header fields are too large\n"
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
        )
        self.transport.close()


async def close_late_heads(connections: Collection[Any], seconds: float) -> None:
    """Close connections whose head does not come to its end within so many seconds; never returns."""
    while True:
        await asyncio.sleep(min(SWEEP_SECONDS, seconds))
        late = time.monotonic() - seconds
        for connection in list(connections):
            since = connection.head_since
            if since is not None and since < late:
                connection.transport.close()
