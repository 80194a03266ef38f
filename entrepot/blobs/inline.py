"""Blobs in the catalog's own database: a store that every host on the catalog shares, without a disk. It is the one
store that knows the catalog.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from entrepot.blobs.kinds import Opening, StoreKind, StoreSettings
from entrepot.blobs.store import Capabilities, Found, Sound
from entrepot.catalog.database import Database
from entrepot.catalog.operations import stored as rows
from entrepot.errors import BlobCorrupt, BlobMissing
from entrepot.model import MOST_INLINE, BlobId, Buffer, Span

HASH_HERE: Final = 32 * 1024
"""Below this, copying and hashing cost less than a hop to a thread and back."""

PAGE: Final = 1_000
"""Blobs listed in one query."""

FEW: Final = 64
"""Blobs whose sizes are asked for without leaving the event loop."""

REMOVED: Final = 8
"""Blobs removed in one write: the catalog's writer is held for some milliseconds."""


class InlineStore:
    """The store ``name`` within ``database``, which whoever opened it closes.

    A blob is read and verified as a whole for any part of it. One that is damaged is set aside in
    the database until the blob is removed.
    """

    def __init__(self, database: Database, name: str) -> None:
        self.name = name
        self._database = database

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    async def put(self, id: BlobId, data: Buffer, sound: Sound) -> bool:
        """As the protocol says. A cancelled call returns when the database is done with the bytes."""
        task = asyncio.create_task(self._put(id, data))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            while not task.done():
                with contextlib.suppress(asyncio.CancelledError):  # raised below, once, at the end
                    await asyncio.wait([task])
            if not task.cancelled():
                task.exception()  # nobody is left to be told
            raise

    async def _put(self, id: BlobId, data: Buffer) -> bool:
        large = len(data) > HASH_HERE
        if not isinstance(data, bytes):
            data = await asyncio.to_thread(bytes, data) if large else bytes(data)
        return await self._database.write(rows.put_stored(self.name, id, data), large=large)

    async def read(self, id: BlobId, span: Span | None, sound: Sound, stamp: Hashable | None = None) -> Found:
        data = await self._database.read(rows.find_stored(self.name, id), large=True)
        if data is None:
            raise BlobMissing(id.hex())
        if not (await asyncio.to_thread(sound, id, data) if len(data) > HASH_HERE else sound(id, data)):
            await self._database.write(rows.damage_stored(self.name, id, data), large=True)
            raise BlobCorrupt(id.hex(), self.name)
        return Found(data, 0, len(data))

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]:
        return await self._database.read(rows.stored_sizes(self.name, list(ids)), large=len(ids) > FEW)

    async def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        last: bytes = after or b""
        while page := await self._database.scan(rows.list_stored(self.name, last, PAGE), background=True):
            for id in page:
                yield id
            last = page[-1]

    async def remove(self, ids: Collection[BlobId]) -> None:
        ordered = sorted(ids)  # two that remove the same blobs wait for each other in one order
        for start in range(0, len(ordered), REMOVED):
            await self._database.write(rows.remove_stored(self.name, ordered[start : start + REMOVED]), large=True)


_CAPABILITIES: Final = Capabilities(max_blob=MOST_INLINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StoreSettings):
    """The table of a store of this kind."""

    kind: Annotated[
        Literal["inline"], Meta(description="`inline` in the catalog, for a `blob_size` of up to 8 MiB")
    ] = "inline"


@contextlib.asynccontextmanager
async def _open(opening: Opening, settings: Settings) -> AsyncIterator[InlineStore]:
    yield InlineStore(opening.database, opening.name)


KIND: Final = StoreKind(Settings, _open, max_blob=MOST_INLINE)
