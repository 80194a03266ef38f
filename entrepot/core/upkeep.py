"""Upkeep: the collector, which removes what nothing names, and the check of everything that is named.

There are no counters. The collector reads page by page (see ``core.collecting``) and removes in small
writes what it found unnamed and old. Why nobody loses what they name meanwhile:

1. A writer claims a blob before it puts it, and renews its date in the very transaction that names
   it; so does every copy, for blobs, inline blobs and manifests alike. Where the placement was made
   anew by somebody else since, and not yet named, it is refused (see ``catalog.blobs.claim``).
2. A removal holds the blob's lock and happens only if the date is still the one that was read before,
   and older than the grace period. Whoever named it in between changed the date.
3. A blob goes in three steps, each durable: condemned in the catalog, removed from its store,
   forgotten. While it is condemned a claim waits, and a name is refused (Superseded). After a crash
   the next run finishes what is condemned, or before it whoever puts the same bytes.
4. Only one collector runs on a catalog: a second one could remove, late, what was forgotten by the
   first and put again since. So one asks whether it is still the one before it removes anything.
5. A manifest is let go (``released_at``) by whoever deletes its last name; readers that had opened it
   have the grace period to finish. It goes with its pieces in one write, from the outside inwards,
   and only then are the blobs that it named looked at.
6. Pages are of different moments. A name that is there all the while is met by whoever walks the names; one
   that comes meanwhile renews the date.

What the grace period has to outlast is the longest transfer and the longest download: with a
shorter one an upload under way can end with Superseded, and a download can break off. It does nothing
for who reads an old object of a single blob while that is deleted: there is no manifest to be let go,
so a reader that had to take the blob slice by slice, for want of memory, breaks off.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database, Still
from entrepot.catalog.operations import blobs as placements
from entrepot.catalog.operations import upkeep as rows
from entrepot.core.collecting import BATCH, Sweep, batches
from entrepot.core.expiry import end_uploads
from entrepot.core.inspection import Finding, Inspection, list_orphans
from entrepot.core.room import Room


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
    freed: int = field(default=0, compare=False)
    """Bytes that the disks have more free than before, others' writing aside."""
    spare: int = field(default=0, compare=False)
    """Bytes that the catalog's file has free in itself: small objects go there, and it never shrinks."""
    uploads_forgotten: int = 0
    uploads_expired: int = 0
    dry_run: bool = False

    def add(self, done: Mapping[str, int]) -> None:
        """Count what a step did, by the names that it has here."""
        for name, count in done.items():
            setattr(self, name, getattr(self, name) + count)


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
    room: Room = field(default_factory=Room)

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
            self.room.relieve()
            left = self.room.left()
            if expire is not None:
                await self._expire(done, expire)
            await self._sweep(done, cutoff, still, progress)
            if orphans:
                await self._remove_orphans(done, still, progress)
            done.freed, done.spare = max(0, self.room.left() - left), await self.room.spare()
            self.room.lay()
        return done

    async def _expire(self, done: Collected, seconds: float) -> None:
        position: bytes | None = b"0"
        while position is not None:
            position, ended = await end_uploads(self.database, self.clock, seconds, position)
            done.uploads_expired += ended

    async def _sweep(self, done: Collected, cutoff: int, still: Still, progress: Progress) -> None:
        """A whole round, one step after the other."""
        sweep = Sweep(self.database, self.stores)
        step = await sweep.step(None, cutoff, still)
        done.add(step.done)
        while step.position is not None:
            step = await sweep.step(step.position, cutoff, still)
            done.add(step.done)
            progress(done)

    async def _remove_orphans(self, done: Collected, still: Still, progress: Progress) -> None:
        sweep = Sweep(self.database, self.stores)
        for name, store in self.stores.items():
            async for strangers in list_orphans(self.database, name, store):
                for batch in batches(strangers, BATCH):
                    gone = [
                        blob
                        for blob in batch
                        if await self.database.write(placements.condemn_orphan(name, blob, self.clock()))
                    ]
                    await sweep.remove(name, gone, still)
                    done.orphans += len(gone)
                    progress(done)

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
