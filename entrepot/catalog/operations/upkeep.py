"""Operations of the collector: what nothing names any more, and how it goes.

Finding is done by long reads on one snapshot, removing by short writes. Between the two anybody
may name again what was found, and every way to name something renews its date in the transaction
that names it (see ``blobs.place``). So each removal here asks once more whether the date is still
the one that was found; only then nobody came in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, one, run
from entrepot.catalog.operations.blobs import condemn
from entrepot.model import BlobId

_NAMED_MANIFESTS: Final = (
    "SELECT manifest FROM versions WHERE manifest IS NOT NULL "
    "UNION SELECT t.manifest FROM parts t JOIN uploads u ON u.id = t.upload WHERE t.manifest IS NOT NULL"
)
_UNNAMED_MANIFESTS: Final = Sql(
    f"WITH named (manifest) AS MATERIALIZED ({_NAMED_MANIFESTS} "
    "UNION SELECT nested FROM pieces WHERE nested IS NOT NULL) "
    "SELECT m.id, m.released_at FROM manifests m LEFT JOIN named n ON n.manifest = m.id "
    "WHERE n.manifest IS NULL AND m.released_at < :cutoff ORDER BY m.id LIMIT :limit"
)
_DROP_MANIFEST: Final = Sql("DELETE FROM manifests WHERE id = :id AND released_at <= :seen AND released_at < :cutoff")
_DROP_PIECES: Final = Sql("DELETE FROM pieces WHERE manifest = :id")

_UNNAMED_INLINE: Final = Sql(
    "WITH named (id) AS MATERIALIZED (SELECT inline_id FROM versions WHERE inline_id IS NOT NULL) "
    "SELECT i.id, i.seen_at, length(i.data) FROM inline_blobs i LEFT JOIN named n ON n.id = i.id "
    "WHERE n.id IS NULL AND i.seen_at < :cutoff ORDER BY i.id LIMIT :limit"
)
_DROP_INLINE: Final = Sql("DELETE FROM inline_blobs WHERE id = :id AND seen_at <= :seen AND seen_at < :cutoff")

_NAMED_BLOBS: Final = (
    "SELECT store, blob FROM versions WHERE blob IS NOT NULL "
    "UNION ALL SELECT t.store, t.blob FROM parts t JOIN uploads u ON u.id = t.upload WHERE t.blob IS NOT NULL "
    "UNION ALL SELECT m.store, p.blob FROM pieces p JOIN manifests m ON m.id = p.manifest WHERE p.blob IS NOT NULL"
)
_UNNAMED: Final = (
    "FROM placements p LEFT JOIN named n ON n.blob = p.blob AND n.store = p.store "
    "WHERE n.blob IS NULL AND p.condemned = 0 AND p.seen_at < :cutoff"
)
_UNNAMED_BLOBS: Final = Sql(
    f"WITH named (store, blob) AS MATERIALIZED ({_NAMED_BLOBS}) "
    f"SELECT p.store, p.blob, p.size, p.seen_at {_UNNAMED} LIMIT :limit"
)
_CONDEMNED: Final = Sql(
    "SELECT blob FROM placements WHERE store = :store AND condemned = 1 AND blob > :after ORDER BY blob LIMIT :limit"
)
_PLACED: Final = Sql("SELECT blob FROM placements WHERE store = :store AND blob >= :first AND blob <= :last")

# What would go if nobody came in between: manifests that nothing living reaches, and what only they name.
_LIVING: Final = (
    f"WITH RECURSIVE living (id) AS ({_NAMED_MANIFESTS} UNION SELECT id FROM manifests WHERE released_at >= :cutoff "
    "UNION SELECT p.nested FROM pieces p JOIN living l ON p.manifest = l.id WHERE p.nested IS NOT NULL)"
)
_COUNT_MANIFESTS: Final = Sql(
    f"{_LIVING} SELECT count(*) FROM manifests m LEFT JOIN living l ON l.id = m.id WHERE l.id IS NULL"
)
_COUNT_INLINE: Final = Sql(
    "WITH named (id) AS MATERIALIZED (SELECT inline_id FROM versions WHERE inline_id IS NOT NULL) "
    "SELECT count(*), coalesce(sum(length(i.data)), 0) FROM inline_blobs i LEFT JOIN named n ON n.id = i.id "
    "WHERE n.id IS NULL AND i.seen_at < :cutoff"
)
_COUNT_BLOBS: Final = Sql(
    f"{_LIVING}, named (store, blob) AS MATERIALIZED ({_NAMED_BLOBS} AND p.manifest IN (SELECT id FROM living)) "
    f"SELECT count(*), coalesce(sum(p.size), 0) {_UNNAMED}"
)
_COUNT_CONDEMNED: Final = Sql("SELECT count(*), coalesce(sum(size), 0) FROM placements WHERE condemned = 1")
_COUNT_FINISHED: Final = Sql("SELECT count(*) FROM uploads WHERE finished_at IS NOT NULL AND finished_at < :cutoff")

_FORGET_FINISHED: Final = Sql(
    "DELETE FROM uploads WHERE id IN (SELECT id FROM uploads WHERE finished_at IS NOT NULL "
    "AND finished_at < :cutoff ORDER BY finished_at LIMIT :limit)"
)
_STALE: Final = Sql(
    "SELECT upload_id FROM uploads u WHERE u.finished_at IS NULL AND u.created_at < :cutoff AND NOT EXISTS "
    "(SELECT 1 FROM parts t WHERE t.upload = u.id AND t.created_at >= :cutoff) ORDER BY u.id"
)


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A manifest or an inline blob that a snapshot showed unnamed, with its date then."""

    id: int
    seen_at: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class UnnamedBlob:
    """A placement that a snapshot showed unnamed, with its date then."""

    store: str
    blob: BlobId
    size: int
    seen_at: int


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a collection would remove if it ran alone."""

    manifests: int
    inline: int
    inline_bytes: int
    blobs: int
    bytes: int
    uploads: int


def list_unnamed_manifests(cutoff: int, limit: int) -> Transaction[list[Unnamed]]:
    """Manifests that no version, part or other manifest names and that were let go before ``cutoff``.

    A manifest inside another shows up once that one is gone.
    """
    rows: list[Row] = yield all_(_UNNAMED_MANIFESTS, cutoff=cutoff, limit=limit)
    return [Unnamed(row[0], row[1]) for row in rows]


def drop_manifests(found: Sequence[Unnamed], cutoff: int) -> Transaction[int]:
    """Remove those that nobody has named since, with their pieces; how many that were."""
    dropped = 0
    for each in found:
        if (yield run(_DROP_MANIFEST, id=each.id, seen=each.seen_at, cutoff=cutoff)):
            yield run(_DROP_PIECES, id=each.id)
            dropped += 1
    return dropped


def list_unnamed_inline(cutoff: int, limit: int) -> Transaction[list[Unnamed]]:
    """Inline blobs that no version names and that nobody put since ``cutoff``."""
    rows: list[Row] = yield all_(_UNNAMED_INLINE, cutoff=cutoff, limit=limit)
    return [Unnamed(*row) for row in rows]


def drop_inline(found: Sequence[Unnamed], cutoff: int) -> Transaction[tuple[int, int]]:
    """Remove those that nobody has named since; their number and bytes."""
    dropped = size = 0
    for each in found:
        if (yield run(_DROP_INLINE, id=each.id, seen=each.seen_at, cutoff=cutoff)):
            dropped += 1
            size += each.size
    return dropped, size


def list_unnamed_blobs(cutoff: int, limit: int) -> Transaction[list[UnnamedBlob]]:
    """Placements that no version, part or piece names and that nobody claimed since ``cutoff``."""
    rows: list[Row] = yield all_(_UNNAMED_BLOBS, cutoff=cutoff, limit=limit)
    return [UnnamedBlob(row[0], BlobId(bytes(row[1])), row[2], row[3]) for row in rows]


def condemn_unnamed(found: Sequence[UnnamedBlob], cutoff: int) -> Transaction[list[UnnamedBlob]]:
    """Condemn those that nobody has claimed or named since; which ones. Give them in order of
    blob: that is the order in which locks are taken.
    """
    condemned: list[UnnamedBlob] = []
    for each in found:
        changed = yield from condemn(each.store, each.blob, min(cutoff, each.seen_at + 1))
        condemned += [each] if changed else []
    return condemned


def list_condemned(store: str, after: bytes, limit: int) -> Transaction[list[BlobId]]:
    """Blobs of a store that a collector began to remove, in order."""
    rows: list[Row] = yield all_(_CONDEMNED, store=store, after=after, limit=limit)
    return [BlobId(bytes(row[0])) for row in rows]


def list_placed(store: str, first: BlobId, last: BlobId) -> Transaction[set[BlobId]]:
    """The blobs from ``first`` up to and including ``last`` that have a placement, condemned or not."""
    rows: list[Row] = yield all_(_PLACED, store=store, first=first, last=last)
    return {BlobId(bytes(row[0])) for row in rows}


def forget_finished(cutoff: int, limit: int) -> Transaction[int]:
    """Forget uploads that were completed before ``cutoff``; how many, at most ``limit``."""
    changed: int = yield run(_FORGET_FINISHED, cutoff=cutoff, limit=limit)
    return changed


def list_stale_uploads(cutoff: int) -> Transaction[list[str]]:
    """Ids of open uploads that nothing was added to since ``cutoff``."""
    rows: list[Row] = yield all_(_STALE, cutoff=cutoff)
    return [row[0] for row in rows]


def estimate(cutoff: int) -> Transaction[Estimate]:
    """Count what a collection would remove."""
    manifests: Row = yield one(_COUNT_MANIFESTS, cutoff=cutoff)
    inline: Row = yield one(_COUNT_INLINE, cutoff=cutoff)
    blobs: Row = yield one(_COUNT_BLOBS, cutoff=cutoff)
    condemned: Row = yield one(_COUNT_CONDEMNED)
    uploads: Row = yield one(_COUNT_FINISHED, cutoff=cutoff)
    return Estimate(
        manifests[0], inline[0], int(inline[1]), blobs[0] + condemned[0], int(blobs[1]) + int(condemned[1]), uploads[0]
    )
