"""Blobs in the memory of this process: for tests, caches and hosts that want no disk."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from msgspec import Meta

from entrepot.blobs.kinds import Opening, StoreKind, StoreSettings
from entrepot.blobs.store import Capabilities, Found, Sound
from entrepot.errors import BlobCorrupt, BlobMissing, StoreFull
from entrepot.model import BlobId, Buffer, Span


class MemoryStore:
    """Keeps at most ``limit`` bytes of blobs, or whatever memory holds. Gone with the process."""

    def __init__(self, name: str, limit: int | None = None) -> None:
        self.name = name
        self.quarantine: dict[BlobId, bytes] = {}
        self._blobs: dict[BlobId, bytes] = {}
        self._limit = limit
        self._size = 0

    @property
    def capabilities(self) -> Capabilities:
        return _CAPABILITIES

    async def put(self, id: BlobId, data: Buffer, sound: Sound) -> bool:
        whole = bytes(data)
        kept = self._blobs.get(id)
        if kept is not None:
            if kept == whole:
                return False
            self._set_aside(id)
        if self._limit is not None and self._size + len(whole) > self._limit:
            raise StoreFull(f"store {self.name} is full: its limit is {self._limit} bytes")
        self._blobs[id] = whole
        self._size += len(whole)
        return True

    async def read(self, id: BlobId, span: Span | None, sound: Sound, stamp: Hashable | None = None) -> Found:
        data = self._blobs.get(id)
        if data is None:
            raise BlobMissing(id.hex())
        if not sound(id, data):
            self._set_aside(id)
            raise BlobCorrupt(id.hex(), self.name)
        return Found(data, 0, len(data))

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]:
        return {id: len(self._blobs[id]) for id in ids if id in self._blobs}

    async def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        for id in sorted(self._blobs):
            if (after is None or id > after) and id in self._blobs:
                yield id

    async def remove(self, ids: Collection[BlobId]) -> None:
        for id in ids:
            self._size -= len(self._blobs.pop(id, b""))

    def _set_aside(self, id: BlobId) -> None:
        damaged = self._blobs.pop(id)
        self._size -= len(damaged)
        self.quarantine[id] = damaged


_CAPABILITIES = Capabilities(durable=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StoreSettings):
    """The table of a store of this kind."""

    kind: Annotated[Literal["memory"], Meta(description="`memory` forgets them at the end and needs `workers = 1`")] = (
        "memory"
    )


@contextlib.asynccontextmanager
async def _open(opening: Opening, settings: Settings) -> AsyncIterator[MemoryStore]:
    yield MemoryStore(opening.name)


KIND: Final = StoreKind(Settings, _open, shared=False)
