"""Upkeep: the collector, which removes what nothing names, and the check of everything that is named.

There are no counters and no reverse index. The collector reads one snapshot, then removes in small
writes what the snapshot showed unnamed and old. Why nobody loses what they name meanwhile:

1. A writer claims a blob before it puts it, and renews its date in the very transaction that names
   it; so does every copy, for blobs, inline blobs and manifests alike. Where the placement was made
   anew by somebody else since, and not yet named, it is refused (see ``catalog.blobs.claim``).
2. A removal holds the blob's lock and happens only if the date is still the one of the snapshot,
   and older than the grace period. Whoever named it in between changed the date.
3. A blob goes in three steps, each durable: condemned in the catalog, removed from its store,
   forgotten. While it is condemned a claim waits, and a name is refused (Superseded). After a crash
   the next run finishes what is condemned, or before it whoever puts the same bytes.
4. Only one collector runs on a catalog: a second one could remove, late, what was forgotten by the
   first and put again since. So one asks whether it is still the one before it removes anything.
5. A manifest is let go (``released_at``) by whoever deletes its last name; readers that had opened it
   have the grace period to finish. It goes with its pieces in one write, from the outside inwards,
   and only then are the blobs that it named looked at.

What the grace period has to outlast is the longest transfer and the longest download: with a
shorter one an upload under way can end with Superseded, and a download can break off. It does nothing
for who reads an old object of a single blob while that is deleted: there is no manifest to be let go,
so a reader that had to take the blob slice by slice, for want of memory, breaks off.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database, Still
from entrepot.catalog.operations import blobs as placements
from entrepot.catalog.operations import upkeep as rows
from entrepot.catalog.operations.uploads import abort_upload
from entrepot.core.inspection import LISTED, Finding, Inspection, list_orphans
from entrepot.errors import UploadMissing
from entrepot.model import BlobId

T = TypeVar("T")

ROUND: Final = 100_000
"""Things remembered of one snapshot at most; a further round takes a new one."""

BATCH: Final = 64
"""Blobs or inline blobs removed in one write: about a millisecond of the catalog's writer."""

MANIFEST_BATCH: Final = 8
"""Manifests removed in one write, each with up to 10,000 pieces."""


@dataclass(slots=True)
class Collected:
    """What a collection has removed so far, or would remove. ``bytes`` are those of blobs in stores,
    ``orphans`` blobs that no placement spoke of (counted only when they were asked for).
    """

    manifests: int = 0
    inline: int = 0
    inline_bytes: int = 0
    blobs: int = 0
    bytes: int = 0
    orphans: int = 0
    uploads_forgotten: int = 0
    uploads_expired: int = 0
    dry_run: bool = False


Progress = Callable[[Collected], None]


def quiet(_: Collected) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class Upkeep:
    """The service behind ``entrepot collect`` and ``entrepot check``. It asks nobody who they are:
    it is for the operator.
    """

    database: Database
    stores: Mapping[str, BlobStore]
    clock: Callable[[], int]

    async def collect(
        self,
        grace: float,
        *,
        dry_run: bool = False,
        orphans: bool = False,
        expire: float | None = None,
        progress: Progress = quiet,
    ) -> Collected:
        """Remove what nothing names and nobody touched for ``grace`` seconds.

        ``orphans`` removes blobs too that the catalog never heard of; after it was restored from a
        backup these are what came later, so look first. ``expire`` aborts uploads that nothing was
        added to for so many seconds. Stopping half-way loses nothing: the next run goes on.

        Raises Busy when another collection or check is running, StoreFull, Unavailable.
        """
        now = self.clock()
        done = Collected(dry_run=dry_run)
        async with self.database.alone("collect") as still:
            cutoff = now - round(grace * 1_000_000)
            if dry_run:
                await self._estimate(done, cutoff, orphans=orphans)
                progress(done)
                return done
            run = _Collection(self, cutoff, done, progress, still)
            await run.finish_condemned()
            if expire is not None:
                await run.expire_uploads(now - round(expire * 1_000_000))
            await run.forget_uploads()
            await run.manifests()
            await run.inline()
            await run.blobs()
            if orphans:
                await run.orphans()
        return done

    def check(self, *, deep: bool = False) -> AsyncIterator[Finding]:
        """Hold the catalog against itself and against the stores; yields what is wrong, and orphans.

        ``deep`` reads and verifies every blob (a scrub); damaged ones are in quarantine then.
        Raises Busy when a collection or another check is running, Unavailable.
        """
        return Inspection(self.database, self.stores, deep=deep).run()

    async def _estimate(self, done: Collected, cutoff: int, *, orphans: bool) -> None:
        found = await self.database.scan(rows.estimate(cutoff), background=True)
        done.manifests, done.inline, done.inline_bytes = found.manifests, found.inline, found.inline_bytes
        done.blobs, done.bytes, done.uploads_forgotten = found.blobs, found.bytes, found.uploads
        if orphans:
            for name, store in self.stores.items():
                async for strangers in list_orphans(self.database, name, store):
                    done.orphans += len(strangers)


class _Collection:
    """One run of the collector."""

    def __init__(self, upkeep: Upkeep, cutoff: int, done: Collected, progress: Progress, still: Still) -> None:
        self._database = upkeep.database
        self._stores = upkeep.stores
        self._clock = upkeep.clock
        self._cutoff = cutoff
        self._done = done
        self._progress = progress
        self._still = still

    async def finish_condemned(self) -> None:
        """Go on where a collector was stopped: its blobs may be in the store or gone."""
        for store in self._stores:
            after = b""
            while found := await self._database.scan(rows.list_condemned(store, after, LISTED), background=True):
                await self._remove(store, found)
                after = found[-1]
                self._done.blobs += len(found)
                self._progress(self._done)

    async def expire_uploads(self, cutoff: int) -> None:
        for upload_id in await self._database.scan(rows.list_stale_uploads(cutoff), background=True):
            with contextlib.suppress(UploadMissing):  # it has just ended by itself
                await self._database.write(abort_upload(upload_id, "", self._clock()), heavy=True)
                self._done.uploads_expired += 1
                self._progress(self._done)

    async def forget_uploads(self) -> None:
        while count := await self._database.write(rows.forget_finished(self._cutoff, BATCH)):
            self._done.uploads_forgotten += count
            self._progress(self._done)

    async def manifests(self) -> None:
        """Each round finds those that were inside of the ones that the last round removed."""
        dropped = -1
        while dropped:
            dropped = 0
            found = await self._database.scan(rows.list_unnamed_manifests(self._cutoff, ROUND), background=True)
            for batch in _batches(found, MANIFEST_BATCH):
                dropped += await self._database.write(rows.drop_manifests(batch, self._cutoff), heavy=True)
                self._progress(self._done)
            self._done.manifests += dropped

    async def inline(self) -> None:
        dropped = ROUND
        while dropped >= ROUND // 2:
            dropped = 0
            found = await self._database.scan(rows.list_unnamed_inline(self._cutoff, ROUND), background=True)
            for batch in _batches(found, BATCH):
                count, size = await self._database.write(rows.drop_inline(batch, self._cutoff))
                dropped += count
                self._done.inline += count
                self._done.inline_bytes += size
                self._progress(self._done)

    async def blobs(self) -> None:
        dropped = ROUND
        while dropped >= ROUND // 2:
            dropped = 0
            found = await self._database.scan(rows.list_unnamed_blobs(self._cutoff, ROUND), background=True)
            known = sorted((each for each in found if each.store in self._stores), key=lambda each: each.blob)
            for batch in _batches(known, BATCH):
                gone = await self._database.write(rows.condemn_unnamed(batch, self._cutoff))
                for store in {each.store for each in gone}:
                    await self._remove(store, [each.blob for each in gone if each.store == store])
                dropped += len(gone)
                self._done.blobs += len(gone)
                self._done.bytes += sum(each.size for each in gone)
                self._progress(self._done)

    async def orphans(self) -> None:
        for name, store in self._stores.items():
            async for strangers in list_orphans(self._database, name, store):
                for batch in _batches(strangers, BATCH):
                    gone = [
                        blob
                        for blob in batch
                        if await self._database.write(placements.condemn_orphan(name, blob, self._clock()))
                    ]
                    await self._remove(name, gone)
                    self._done.orphans += len(gone)
                    self._progress(self._done)

    async def _remove(self, store: str, blobs: Sequence[BlobId]) -> None:
        """Blobs that are condemned leave the store, then the catalog."""
        for batch in _batches(blobs, BATCH):
            await self._still()
            await self._stores[store].remove(batch)
            await self._database.write(placements.forget(store, batch))


def _batches(things: Sequence[T], size: int) -> list[Sequence[T]]:
    return [things[start : start + size] for start in range(0, len(things), size)]
