"""The check: the catalog against itself, and the stores against the catalog."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.blobs.store import BlobStore
from entrepot.blobs.verified import sound
from entrepot.catalog.database import Database
from entrepot.catalog.operations import consistency as rows
from entrepot.catalog.operations.blobs import damage_inline
from entrepot.catalog.operations.upkeep import list_placed
from entrepot.errors import BlobCorrupt, BlobMissing, Unavailable
from entrepot.model import BlobId

LISTED: Final = 1_000
"""Blobs of a store compared with the catalog at a time."""

READ_AT_ONCE: Final = 4
"""Blobs verified at the same time."""

INLINE_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be: ``what`` it concerns, ``hint`` what is wrong with it and
    what to do. ``kind`` is one of

    * ``structure``: the catalog contradicts itself;
    * ``missing``: a version or part cannot be read, its bytes are not in their store;
    * ``damaged``: the same, as the bytes were not what had been stored;
    * ``unreadable``: the same, as the store failed to read them; they may be read another time;
    * ``store``: a store that buckets are bound to is not configured;
    * ``orphan``: a blob of which the catalog knows nothing. That takes space and harms nobody.
    """

    kind: str
    what: str
    hint: str

    @property
    def harmless(self) -> bool:
        return self.kind == "orphan"


class Inspection:
    """One check. What is written while it runs confuses it no more than it confuses a reader:
    the catalog is judged on one snapshot, and a blob counts as missing only if it is named.
    """

    def __init__(self, database: Database, stores: Mapping[str, BlobStore], *, deep: bool) -> None:
        self._database = database
        self._stores = stores
        self._deep = deep
        self._missing: dict[rows.Place, int] = {}  # and the size that it should have
        self._damaged: set[rows.Place] = set()
        self._unreadable: dict[rows.Place, str] = {}  # and why

    async def run(self) -> AsyncIterator[Finding]:
        # A collector at work would take away what was seen a moment ago.
        async with self._database.alone("collect"):
            if self._deep:
                await self._verify_inline()
            for subject, broken in await self._database.scan(rows.find_broken(), background=True):
                yield Finding("structure", subject, broken)
            for name in await self._database.scan(rows.list_stores(), background=True):
                if name not in self._stores:
                    yield Finding("store", f"store {name}", "is not configured, but buckets are bound to it")
            for name, store in self._stores.items():
                await self._compare(name, store)
                async for orphans in list_orphans(self._database, name, store):
                    for blob in orphans:
                        yield Finding("orphan", f"blob {blob.hex()} in store {name}", "the catalog does not know it")
            async for finding in self._suspects():
                yield finding

    async def _compare(self, name: str, store: BlobStore) -> None:
        """Look for every placed blob in its store."""
        after = b""
        while page := await self._database.scan(rows.list_placements(name, after, LISTED), background=True):
            there = await store.stat(list(page))
            sound = [blob for blob, size in page.items() if there.get(blob) == size]
            self._missing.update({(name, blob): page[blob] for blob in page.keys() - set(sound)})
            if self._deep:
                for start in range(0, len(sound), READ_AT_ONCE):
                    batch = sound[start : start + READ_AT_ONCE]
                    await asyncio.gather(*(self._verify(name, store, blob, page[blob]) for blob in batch))
            after = max(page)

    async def _verify(self, name: str, store: BlobStore, blob: BlobId, size: int) -> None:
        try:
            await store.get(blob)
        except BlobCorrupt:
            self._damaged.add((name, blob))
        except BlobMissing:
            self._missing[name, blob] = size
        except Unavailable as error:  # one bad sector must not keep the rest from being read
            self._unreadable[name, blob] = str(error)

    async def _verify_inline(self) -> None:
        after = 0
        while found := await self._database.scan(rows.list_inline(after, INLINE_AT_ONCE), background=True):
            for id, name, data in found:
                if not sound(BlobId(name), data):
                    await self._database.write(damage_inline(id, data))
            after = found[-1][0]

    async def _suspects(self) -> AsyncIterator[Finding]:
        """Who needs what is missing: a blob that nothing names may just not have been put yet."""
        suspects = self._damaged.union(self._missing, self._unreadable)
        if not suspects:
            return
        users = await self._database.scan(rows.list_users(frozenset(suspects)), background=True)
        arrived = await self._arrived()  # looked for after the names: whatever has one was put before
        for (store, blob), subject in users:
            if (store, blob) in arrived:
                continue
            if (store, blob) in self._damaged:
                hint = f"blob {blob.hex()} in store {store} is damaged; putting the same bytes again mends it"
                yield Finding("damaged", subject, hint)
            elif (store, blob) in self._unreadable:
                why = self._unreadable[store, blob]
                yield Finding("unreadable", subject, f"blob {blob.hex()}: {why}; putting the same bytes again mends it")
            else:
                hint = f"blob {blob.hex()} is not in store {store} as it was; putting the same bytes again mends it"
                yield Finding("missing", subject, hint)

    async def _arrived(self) -> set[rows.Place]:
        """What was missing and is there by now."""
        arrived: set[rows.Place] = set()
        for name, store in self._stores.items():
            missing = sorted(blob for store_name, blob in self._missing if store_name == name)
            for start in range(0, len(missing), LISTED):
                there = await store.stat([BlobId(blob) for blob in missing[start : start + LISTED]])
                arrived.update((name, blob) for blob, size in there.items() if self._missing[name, blob] == size)
        return arrived - self._damaged


async def list_orphans(database: Database, name: str, store: BlobStore) -> AsyncIterator[list[BlobId]]:
    """Blobs in a store that have no placement, some at a time. A writer's claim comes before its
    bytes, so what is being put is none of them.
    """
    page: list[BlobId] = []
    async for blob in store.list():
        page.append(blob)
        if len(page) >= LISTED:
            if strangers := await _strangers(database, name, page):
                yield strangers
            page = []
    if page and (strangers := await _strangers(database, name, page)):
        yield strangers


async def _strangers(database: Database, name: str, page: Sequence[BlobId]) -> list[BlobId]:
    placed = await database.scan(list_placed(name, page[0], page[-1]), background=True)
    return [blob for blob in page if blob not in placed]
