"""The body of a request as a connection finds it, piece by piece."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.wire.incoming import Incoming


class BodySource(Protocol):
    """Where a body comes from."""

    def more(self) -> None:
        """A reader waits: read on, and tell a client that asked that it may send."""


class ArrivingBody(Incoming):
    """Fed by a connection, read by a handler. ``waiting_since`` is when the reader began to wait for more; None while
    it does not. ``whole`` tells that all of it has come, read or not, ``held`` how many bytes wait for the reader.
    One that is ``overlooked`` has no reader any more: what comes is counted and thrown away.
    """

    __slots__ = ("_failed", "_pieces", "_source", "_waited", "_waiter", "held", "overlooked", "waiting_since", "whole")

    def __init__(self, source: BodySource) -> None:
        self.received = 0  # as Incoming does; a call of its own would be felt here
        self.ended = self.broken = False
        self._source = source
        self._pieces: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self.whole = self.overlooked = False
        self._failed: type[BodyIncomplete | BodyStalled] | None = None
        self.held = 0
        self.waiting_since: float | None = None
        self._waited = 0.0

    def feed(self, data: bytes) -> None:
        """Take a piece that is not empty."""
        if self.overlooked:
            self.received += len(data)
        else:
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

    def overlook(self) -> None:
        """Throw away what has come and what else comes."""
        self.overlooked = True
        self._pieces.clear()
        self.received = self.held = 0

    def waited(self, now: float) -> float:
        """For how many seconds in all the reader has had to wait for the client."""
        return self._waited if self.waiting_since is None else self._waited + now - self.waiting_since

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
        begin = self.waiting_since = time.monotonic()
        self._source.more()
        try:
            await self._waiter
        finally:
            self._waiter = self.waiting_since = None
            self._waited += time.monotonic() - begin

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class _Nowhere:
    """Where nothing comes from."""

    def more(self) -> None:
        """There is no more."""


NOTHING: Final = ArrivingBody(_Nowhere())
"""The body of every request that has none."""
NOTHING.finish()
