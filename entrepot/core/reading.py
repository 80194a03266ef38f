"""Content on its way out: a stream of slices, of which nothing is sent before its whole blob was verified.

The first blob is fetched before the caller hears of success, so that damage is an error and not a
broken stream; afterwards the next blob is fetched while the last one is sent. A blob that is being
sent is held whole if the budget has room for it. If not, only a slice is held: the store verifies
the blob for the first one and gives the others from the file that it verified.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.blobs.store import BlobStore
from entrepot.blobs.verified import sound
from entrepot.catalog.database import Database
from entrepot.catalog.operations.blobs import damage_inline, find_inline, list_pieces
from entrepot.core.budget import Booking, Budget
from entrepot.errors import BlobCorrupt, BlobMissing, Corrupt
from entrepot.model import BlobId, Buffer, Bytes, Piece, Span

AT_ONCE: Final = 256 * 1024
"""Answers of up to this many bytes go out in one piece."""

SLICE: Final = 128 * 1024
"""Bytes that a reader holds for whom the budget has no room."""

PART: Final = 512 * 1024
"""Bytes handed to the client at once of a blob that is held whole."""

TAIL: Final = 64 * 1024
"""Bytes at the end of such a blob that are copied. A transport may hold on to the last of what it was given,
which is the whole blob while it is a view of that; none holds on to more than this."""

PIECES_AT_ONCE: Final = 256
"""Pieces of a manifest fetched from the catalog in one query."""


@dataclass(frozen=True, slots=True)
class _Stretch:
    """What is wanted of one blob."""

    store: BlobStore
    blob: BlobId
    size: int
    span: Span

    async def get(self) -> Buffer:
        return await self.store.get(self.blob, None if self.span.size == self.size else self.span)

    async def get_slice(self, at: int) -> Buffer:
        """A slice from ``at`` bytes into the stretch."""
        start = self.span.start + at
        return await self.store.get(self.blob, Span(start, min(start + SLICE, self.span.end)))


class _Held:
    """A stretch and what is in memory of it: all, the first slice, or nothing yet."""

    def __init__(self, stretch: _Stretch) -> None:
        self._stretch = stretch
        self._data: Buffer = b""
        self._booking: Booking | None = None

    async def load(self, budget: Budget) -> None:
        """Bring all of it to memory unless it is there, or there is no room. Raises what ``get`` of a store does."""
        if self._data or (booking := budget.book(self._stretch.size)) is None:
            return
        try:
            self._data = await self._stretch.get()
        except BaseException:
            booking.close()
            raise
        self._booking = booking

    async def verify(self) -> None:
        """Have something of it in memory. Raises what ``get`` of a store does."""
        if not self._data:
            self._data = await self._stretch.get_slice(0)

    async def slices(self) -> AsyncGenerator[Buffer, None]:
        """All of it, part by part. It is not in memory any more then."""
        data, self._data = self._data, b""
        at = len(data)
        if self._booking is None:
            if data:
                yield data
        else:
            for part in _cut(data):
                yield part
        while at < self._stretch.span.size:
            data = await self._stretch.get_slice(at)
            at += len(data)
            yield data

    def close(self) -> None:
        self._data = b""
        if self._booking is not None:
            self._booking.close()
            self._booking = None


class ContentReader:
    """Reads content over the stores of one process."""

    def __init__(self, database: Database, stores: Mapping[str, BlobStore], budget: Budget) -> None:
        self._database = database
        self._stores = stores
        self._budget = budget

    async def read(self, bytes_: Bytes, span: Span) -> Buffer | AsyncIterator[Buffer]:
        """See :meth:`Content.read`."""
        if not span.size:
            return b""
        if bytes_.inline is not None:
            whole = await self._read_inline(bytes_, bytes_.inline)
            return whole if span.size == bytes_.size else memoryview(whole)[span.start : span.end]
        stretches = self._stretches(bytes_, span)
        first = await anext(stretches)
        if first.span.size == span.size <= AT_ONCE:
            await stretches.aclose()
            return await first.get()
        held = _Held(first)
        await held.load(self._budget)
        await held.verify()
        return self._stream(held, stretches)

    async def _read_inline(self, bytes_: Bytes, row: int) -> bytes:
        data = bytes_.data
        if data is None:
            data = await self._database.read(find_inline(row))
        if data is None:
            raise BlobMissing(bytes_.inline_name.hex())
        if not sound(BlobId(bytes_.inline_name), data):
            await self._database.write(damage_inline(row, data))
            raise BlobCorrupt(bytes_.inline_name.hex(), "inline")
        return data

    async def _stream(
        self, held: _Held | None, stretches: AsyncGenerator[_Stretch, None]
    ) -> AsyncGenerator[Buffer, None]:
        """What is held and what follows, the next blob being fetched meanwhile if there is room.

        Once it has ended or was closed nothing is held and nothing under way.
        """
        ahead: asyncio.Task[_Held | None] | None = None
        try:
            while held is not None:
                ahead = asyncio.create_task(self._next(stretches))
                async for part in held.slices():
                    yield part
                held.close()
                held = await ahead
                if held is not None:
                    await held.load(self._budget)  # there may be room by now
        finally:
            if held is not None:
                held.close()
            if ahead is not None:
                await _drop(ahead)
            await stretches.aclose()

    async def _next(self, stretches: AsyncIterator[_Stretch]) -> _Held | None:
        async for stretch in stretches:
            held = _Held(stretch)
            await held.load(self._budget)
            return held
        return None

    async def _stretches(self, bytes_: Bytes, span: Span) -> AsyncGenerator[_Stretch, None]:
        """The blobs that hold a span, each with what is wanted of it."""
        if bytes_.blob is not None:
            yield _Stretch(self._stores[bytes_.store], bytes_.blob, bytes_.size, span)
            return
        if bytes_.manifest is None:
            raise Corrupt(f"a version of {bytes_.size} bytes names none")
        async for piece, wanted in self._pieces(bytes_.manifest, span):
            if piece.blob is None:
                raise Corrupt("a piece of a manifest names no blob")
            yield _Stretch(self._stores[bytes_.store], piece.blob, piece.size, wanted)

    async def _pieces(self, manifest: int, span: Span) -> AsyncIterator[tuple[Piece, Span]]:
        at = span.start
        while at < span.end:
            batch = await self._database.read(list_pieces(manifest, Span(at, span.end), PIECES_AT_ONCE))
            if not batch:
                raise Corrupt(f"manifest {manifest} ends at {at}, before {span.end}")
            for piece in batch:
                wanted = Span(max(at, piece.start) - piece.start, min(span.end, piece.start + piece.size) - piece.start)
                if piece.nested is not None:
                    async for inner in self._pieces(piece.nested, wanted):
                        yield inner
                else:
                    yield piece, wanted
                at = piece.start + piece.size


async def _drop(ahead: asyncio.Task[_Held | None]) -> None:
    """Let go of what was fetched ahead, and wait for a fetch under way to have ended."""
    ahead.cancel()
    await asyncio.wait([ahead])
    if not ahead.cancelled() and ahead.exception() is None and (held := ahead.result()) is not None:
        held.close()


def _cut(data: Buffer) -> Iterator[Buffer]:
    view = memoryview(data)
    tail = max(0, len(view) - TAIL)
    for start in range(0, tail, PART):
        yield view[start : min(start + PART, tail)]
    yield bytes(view[tail:])
