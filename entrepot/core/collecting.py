"""Collecting in steps: each looks at one page of what there is, and removes what nothing names of it.

A round goes through its phases in this order: it finishes what a collector before it had condemned, forgets uploads
that were completed, then takes manifests (the outer ones first, as an inner one shows up when the outer is gone),
inline blobs, and last the blobs that were named by what is gone now.

Manifests and blobs are found by indexes. Names of inline blobs have none, as every small write would
pay for it. They are found by walking all versions, twice: the first walk marks what is named, which leaves few
suspects; their dates are noted, and the second walk clears those that are named after all. Whoever names a
suspect later renews its date, and it is not dropped. Marks are one bit for each inline blob, in memory, and so are
suspects: a round that is broken off there, or was another's meanwhile, begins with them anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Final, TypeVar

from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database, Still
from entrepot.catalog.operations import blobs as placements
from entrepot.catalog.operations import upkeep as rows
from entrepot.catalog.operations.leases import Lease
from entrepot.catalog.operations.upkeep import Unnamed, UnnamedBlob
from entrepot.core.jobs import Step, Turn, Work
from entrepot.model import BlobId

T = TypeVar("T")

SUSPECTS: Final = 100_000
"""Inline blobs remembered at most."""

WALKED: Final = 10_000
"""Versions or inline blobs looked at in a step: some ten milliseconds."""

LOOKED_UP: Final = 1_000
"""Manifests or placements looked at in a step, each by an index or three."""

BATCH: Final = 64
"""Blobs or inline blobs removed in one write: about a millisecond of the catalog's writer."""

MANIFEST_BATCH: Final = 8
"""Manifests removed in one write, each with up to 10,000 pieces."""

BATCHES: Final = 8
"""Writes of one step at most."""

FIRST: Final = "condemned"
NEWEST: Final = 1 << 62


class Sweep:
    """One collector's memory, and its steps."""

    def __init__(self, database: Database, stores: Mapping[str, BlobStore]) -> None:
        self._database = database
        self._stores = stores
        self._marks: bytearray | None = None
        self._suspects: dict[int, Unnamed] = {}
        self._phases: Mapping[str, Callable[[str, int, Still], Awaitable[Step]]] = {
            FIRST: self._finish_condemned, "uploads": self._forget_uploads, "manifests": self._drop_manifests,
            "mark": self._mark, "suspect": self._suspect, "clear": self._clear, "drop": self._drop_inline,
            "blobs": self._drop_blobs,
        }  # fmt: skip

    def forget(self) -> None:
        """Begin with marks and suspects anew: walks that somebody else has made in between are no walks of these."""
        self._marks = None
        self._suspects.clear()

    async def step(self, position: bytes | None, cutoff: int, still: Still) -> Step:
        """Take the step at a position, None for the first one, of what nobody touched since ``cutoff``.

        ``still`` tells whether this is the only collector yet. Raises StoreFull, Unavailable.
        """
        phase, _, at = (position or FIRST.encode()).decode().partition(" ")
        if phase in ("suspect", "clear", "drop") and self._marks is None:
            phase, at = "mark", ""  # another process had the marks
        return await self._phases[phase](at, cutoff, still)

    async def _finish_condemned(self, at: str, cutoff: int, still: Still) -> Step:
        """Go on where a collector was stopped: its blobs may be in the store or gone."""
        store, after = self._place(at)
        found = await self._database.scan(rows.list_condemned(store, after, BATCH), background=True)
        await self.remove(store, found, still)
        last = found[-1] if len(found) == BATCH else None
        return Step(self._behind(FIRST, store, last, "uploads"), {"blobs": len(found)})

    async def _forget_uploads(self, at: str, cutoff: int, still: Still) -> Step:
        count = await self._database.write(rows.forget_finished(cutoff, BATCH), heavy=True)
        return Step(_position("uploads" if count == BATCH else "manifests"), {"uploads_forgotten": count})

    async def _drop_manifests(self, at: str, cutoff: int, still: Still) -> Step:
        before = int(at or NEWEST)
        page = await self._database.scan(rows.list_manifests(before, cutoff, LOOKED_UP), background=True)
        found, last = _some(page, MANIFEST_BATCH * BATCHES, LOOKED_UP)
        dropped = 0
        for batch in batches(found, MANIFEST_BATCH):
            dropped += await self._database.write(rows.drop_manifests(batch, cutoff), heavy=True)
        if dropped:  # what was inside of them is unnamed now, and in this page perhaps
            return Step(_position("manifests", found[0].id), {"manifests": dropped})
        return Step(_position("mark") if last is None else _position("manifests", last.id))

    async def _mark(self, at: str, cutoff: int, still: Still) -> Step:
        if not at or self._marks is None:
            self.forget()
            at, self._marks = "", bytearray()
        marks = self._marks
        page = await self._walk(at)
        for _, inline in page:
            if inline is not None:
                byte = inline >> 3
                if byte >= len(marks):
                    marks.extend(bytes(max(byte + 1, 2 * len(marks)) - len(marks)))
                marks[byte] |= 1 << (inline & 7)
        return Step(_position("mark", page[-1][0]) if len(page) == WALKED else _position("suspect"))

    async def _suspect(self, at: str, cutoff: int, still: Still) -> Step:
        marks = self._marks or bytearray()
        page = await self._database.scan(rows.list_inline_dates(int(at or 0), WALKED), background=True)
        for each in page:
            marked = each.id >> 3 < len(marks) and marks[each.id >> 3] & 1 << (each.id & 7)
            if not marked and each.seen_at < cutoff:
                self._suspects[each.id] = each
        last = page[-1].id if len(page) == WALKED else None
        if last is not None and len(self._suspects) < SUSPECTS:
            return Step(_position("suspect", last))
        return Step(_position("clear", f"{'' if last is None else last} 0"))

    async def _clear(self, at: str, cutoff: int, still: Still) -> Step:
        following, _, after = at.partition(" ")
        page = await self._walk(after) if self._suspects else []
        for _, inline in page:
            self._suspects.pop(inline, None)
        more = len(page) == WALKED
        return Step(_position("clear", f"{following} {page[-1][0]}") if more else _position("drop", following))

    async def _drop_inline(self, at: str, cutoff: int, still: Still) -> Step:
        """``at`` is where suspecting goes on, or empty."""
        found = list(islice(self._suspects.values(), BATCH * BATCHES))
        count = size = 0
        for batch in batches(found, BATCH):
            dropped = await self._database.write(rows.drop_inline(batch, cutoff))
            count, size = count + dropped[0], size + dropped[1]
            for each in batch:
                del self._suspects[each.id]
        done = {"inline": count, "inline_bytes": size}
        if self._suspects:
            return Step(_position("drop", at), done, size)
        if at:
            return Step(_position("suspect", at), done, size)
        self._marks = None
        return Step(_position("blobs"), done, size)

    async def _drop_blobs(self, at: str, cutoff: int, still: Still) -> Step:
        store, after = self._place(at)
        page = await self._database.scan(rows.list_blobs(store, after, cutoff, LOOKED_UP), background=True)
        found, last = _some(page, BATCH * BATCHES, LOOKED_UP)
        gone: list[UnnamedBlob] = []
        for batch in batches(found, BATCH):
            condemned = await self._database.write(rows.condemn_unnamed(batch, cutoff))
            await self.remove(store, [each.blob for each in condemned], still)
            gone += condemned
        size = sum(each.size for each in gone)
        following = self._behind("blobs", store, None if last is None else last.blob, None)
        return Step(following, {"blobs": len(gone), "bytes": size}, size)

    async def remove(self, store: str, blobs: Sequence[BlobId], still: Still) -> None:
        """Blobs that are condemned leave the store, then the catalog."""
        for batch in batches(blobs, BATCH):
            await still()
            await self._stores[store].remove(batch)
            await self._database.write(placements.forget(store, batch))

    async def _walk(self, at: str) -> Sequence[Sequence[int]]:
        return await self._database.scan(rows.list_inline_names(int(at or 0), WALKED), background=True)

    def _place(self, at: str) -> tuple[str, bytes]:
        """The store and the blob behind which a step begins; a store that is not there any more is passed by."""
        store, _, after = at.partition(" ")
        if store in self._stores:
            return store, bytes.fromhex(after)
        return min((name for name in self._stores if name > store), default=max(self._stores)), b""

    def _behind(self, phase: str, store: str, last: BlobId | None, following: str | None) -> bytes | None:
        """Behind a blob of a store, at the next store, or at the following phase."""
        if last is not None:
            return _position(phase, f"{store} {last.hex()}")
        if (other := min((name for name in self._stores if name > store), default=None)) is not None:
            return _position(phase, f"{other} ")
        return None if following is None else _position(following)


def collect(database: Database, stores: Mapping[str, BlobStore], clock: Callable[[], int], grace: int) -> Work:
    """The work of collecting what nobody touched for so many seconds."""
    sweep = Sweep(database, stores)
    lease: Lease | None = None

    async def step(turn: Turn) -> Step:
        """Raises Busy while somebody collects or checks by hand."""
        nonlocal lease
        if turn.lease != lease:
            sweep.forget()
            lease = turn.lease
        async with database.alone("collect") as still:
            return await sweep.step(turn.position, clock() - grace * 1_000_000, still)

    return step


def batches(things: Sequence[T], size: int) -> list[Sequence[T]]:
    """Things in their order, so many at a time."""
    return [things[start : start + size] for start in range(0, len(things), size)]


def _some(page: Sequence[tuple[T, bool]], most: int, full: int) -> tuple[list[T], T | None]:
    """At most so many unnamed ones of a page, and the last one that was looked at then, None at the end of all."""
    found: list[T] = []
    for each, unnamed in page:
        if unnamed:
            found.append(each)
        if len(found) == most:
            return found, each
    return found, page[-1][0] if len(page) == full else None


def _position(phase: str, at: object = "") -> bytes:
    return f"{phase} {at}".encode() if at != "" else phase.encode()
