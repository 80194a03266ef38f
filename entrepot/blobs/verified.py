"""The verification of what is read: a wrapper around every store, and the one place that says what is sound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Coroutine, Hashable, Mapping
from typing import Any, Final

from entrepot.blobs.recent import Recent
from entrepot.blobs.store import Capabilities, Keeper, digest
from entrepot.errors import BlobCorrupt, Missing
from entrepot.model import BlobId, Buffer, Span

TRUSTED: Final = 16_384
"""Blobs that were verified lately and are remembered, about 4 MiB of facts."""

TRUST: Final = 3600.0
"""Seconds for which parts of a verified blob are read without the rest, if it is the same by its stamp."""


def sound(id: BlobId, data: Buffer) -> bool:
    """Whether these bytes are the blob of that name."""
    return digest(data) == id


class VerifiedStore:
    """A store of which no byte comes out that is not of a blob found sound. For one event loop."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._recent: Recent[Hashable] = Recent(TRUSTED, TRUST)

    @property
    def capabilities(self) -> Capabilities:
        return self._keeper.capabilities

    def put(self, id: BlobId, data: Buffer) -> Coroutine[Any, Any, bool]:
        return self._keeper.put(id, data, sound)

    async def get(self, id: BlobId, span: Span | None = None) -> Buffer:
        try:
            if span is None:
                found = await self._keeper.read(id, None, sound)
            else:
                found = await self._keeper.read(id, span, sound, self._recent.find(id))
                while not found.covers(span):
                    found = await self._keeper.read(id, span, sound, found.stamp)
        except (Missing, BlobCorrupt):
            self._recent.forget(id)
            raise
        if found.stamp is not None:
            self._recent.learn(id, found.stamp)
        return found.cut(span)

    def stat(self, ids: Collection[BlobId]) -> Coroutine[Any, Any, Mapping[BlobId, int]]:
        return self._keeper.stat(ids)

    def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        return self._keeper.list(after)

    def remove(self, ids: Collection[BlobId]) -> Coroutine[Any, Any, None]:
        return self._keeper.remove(ids)
