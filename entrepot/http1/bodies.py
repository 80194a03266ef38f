"""The body of a request as the parser finds it, piece by piece."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.wire.incoming import Incoming

HELD_BYTES: Final = 256 * 1024
"""How much of a body may wait for its reader before the connection is read no further."""


class Source(Protocol):
    """Where a body comes from."""

    def more(self) -> None:
        """A reader waits: read on, and tell a client that asked that it may send."""


class Arriving(Incoming):
    """Fed by a connection, read by a handler. ``waiting_since`` is when the reader began to wait for
    more; None while it does not. ``whole`` tells that all of it has come, read or not, ``invited`` that
    the client may send without being asked (RFC 9110 §10.1.1).
    """

    __slots__ = ("_failed", "_pieces", "_source", "_waiter", "held", "invited", "waiting_since", "whole")

    def __init__(self, source: Source) -> None:
        self.received = 0  # as Incoming does; a call of its own would be felt here
        self.ended = self.broken = False
        self._source = source
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.whole = False
        self._failed: type[BodyIncomplete | BodyStalled] | None = None
        self.held = 0
        self.invited = False
        self.waiting_since: float | None = None

    def feed(self, data: bytes) -> None:
        """Take a piece that is not empty."""
        self._pieces.append(data)
        self.held += len(data)
        self._wake()

    def finish(self) -> None:
        """Take note of the end."""
        self.whole = True
        self.ended = not self._pieces
        self._wake()

    def fail(self, error: type[BodyIncomplete | BodyStalled]) -> None:
        """No more will come. What came is read first. Does nothing to a body that is whole."""
        if not self.whole and self._failed is None:
            self._failed = error
            self._wake()

    async def __anext__(self) -> bytes:
        while not self._pieces:
            if self.whole:
                raise StopAsyncIteration
            if self._failed is not None:
                self.broken = True
                raise self._failed(self.received, None)
            await self._wait()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.held = 0
        self.received += len(data)
        self.ended = self.whole
        return data

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        self.waiting_since = time.monotonic()
        self._source.more()
        try:
            await self._waiter
        finally:
            self._waiter = self.waiting_since = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
