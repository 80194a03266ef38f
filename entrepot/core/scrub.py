"""The scrub: reads everything that is stored, a little at a time, and tells what is not as it was stored.

What is damaged is taken out of service as any reader would do it: the next writer of the same bytes mends it, and
``entrepot check`` tells who needs it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from entrepot.blobs.store import BlobStore, digest
from entrepot.catalog.database import Database
from entrepot.catalog.operations.blobs import damage_inline
from entrepot.catalog.operations.consistency import list_inline, list_placements
from entrepot.catalog.operations.upkeep import is_named
from entrepot.core.jobs import Step, Turn, Work
from entrepot.errors import BlobCorrupt, BlobMissing, Unavailable
from entrepot.model import BlobId

STEP_BYTES: Final = 8 << 20
"""Bytes read in a step, and as many again as the last page or blob has."""

INLINE: Final = 64
"""Inline blobs read at a time."""

PAGE: Final = 64
"""Placements read at a time."""

PAGES: Final = 32
"""Pages of a step at most."""


class Scrub:
    """One round after another. ``position`` is ``inline ID``, or a store and the blob behind which to go on."""

    def __init__(self, database: Database, stores: Mapping[str, BlobStore]) -> None:
        self._database = database
        self._stores = dict(sorted(stores.items()))

    async def step(self, turn: Turn) -> Step:
        """Read some of what comes behind the turn's position. Raises Unavailable when the catalog is."""
        kind, _, after = (turn.position or b"/inline 0").decode().partition(" ")
        if kind == "/inline":
            return await self._inline(int(after))
        if kind not in self._stores:  # it was taken out of the configuration
            return Step(self._next(kind))
        return await self._store(kind, bytes.fromhex(after))

    async def _inline(self, after: int) -> Step:
        size = count = 0
        damaged: list[str] = []
        for _ in range(PAGES):
            page = await self._database.scan(list_inline(after, INLINE), background=True)
            for id, name, data in page:
                size += len(data)
                if digest(data) != name:
                    await self._database.write(damage_inline(id, data))
                    damaged.append(f"blob {name.hex()} in the catalog is damaged")
            count += len(page)
            if len(page) < INLINE:
                return _told(self._next("/inline"), count, size, damaged, [])
            after = page[-1][0]
            if size >= STEP_BYTES:
                break
        return _told(f"/inline {after}".encode(), count, size, damaged, [])

    async def _store(self, store: str, after: bytes) -> Step:
        size = count = 0
        damaged: list[str] = []
        unreadable: list[str] = []
        while size < STEP_BYTES and count < PAGE * PAGES:
            page = await self._database.scan(list_placements(store, after, PAGE), background=True)
            for blob, length in page.items():
                await self._verify(store, blob, damaged, unreadable)
                count, size, after = count + 1, size + length, blob
                if size >= STEP_BYTES:
                    break
            else:
                if len(page) < PAGE:
                    return _told(self._next(store), count, size, damaged, unreadable)
        step = _told(f"{store} {after.hex()}".encode(), count, size, damaged, unreadable)
        return replace(step, progress=after[0] * 1000 // 256)

    async def _verify(self, store: str, blob: BlobId, damaged: list[str], unreadable: list[str]) -> None:
        try:
            await self._stores[store].get(blob)
        except BlobCorrupt as error:
            damaged.append(str(error))
        except BlobMissing:
            if await self._database.read(is_named(store, blob)):  # what has no name may not have been put yet
                damaged.append(f"blob {blob.hex()} is not in store {store}")
        except Unavailable as error:  # one bad sector must not keep the rest from being read
            unreadable.append(f"blob {blob.hex()} in store {store}: {error}")

    def _next(self, store: str) -> bytes | None:
        following = next((name for name in self._stores if name > store), None)
        return None if following is None else f"{following} ".encode()


def scrub(database: Database, stores: Mapping[str, BlobStore]) -> Work:
    """The work of verifying everything."""
    return Scrub(database, stores).step


def _told(
    position: bytes | None,
    count: int,
    size: int,
    damaged: list[str],
    unreadable: list[str],
    progress: int | None = None,
) -> Step:
    done = {"verified": count, "bytes": size, "damaged": len(damaged), "unreadable": len(unreadable)}
    return Step(position, done, size, progress, [*damaged, *unreadable])
