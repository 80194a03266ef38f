"""Operations of the collector: what nothing names any more, and how it goes.

Finding is done by reading pages, removing by short writes. Between the two anybody
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
# PostgreSQL would make NOT EXISTS of a whole table at once; these it looks up one by one.
_MANIFESTS: Final = Sql(
    "SELECT m.id, m.released_at, CASE WHEN m.released_at < :cutoff "
    "AND (SELECT 1 FROM versions v WHERE v.manifest = m.id LIMIT 1) IS NULL "
    "AND (SELECT 1 FROM parts t WHERE t.manifest = m.id LIMIT 1) IS NULL "
    "AND (SELECT 1 FROM pieces q WHERE q.nested = m.id LIMIT 1) IS NULL THEN 1 ELSE 0 END "
    "FROM manifests m WHERE m.id < :before ORDER BY m.id DESC LIMIT :limit"
)
_DROP_MANIFEST: Final = Sql("DELETE FROM manifests WHERE id = :id AND released_at <= :seen AND released_at < :cutoff")
_DROP_PIECES: Final = Sql("DELETE FROM pieces WHERE manifest = :id")

_NAMED_INLINE: Final = Sql("SELECT id, inline_id FROM versions WHERE id > :after ORDER BY id LIMIT :limit")
_INLINE: Final = Sql("SELECT id, seen_at, length(data) FROM inline_blobs WHERE id > :after ORDER BY id LIMIT :limit")
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
_NO_NAME: Final = (
    "(SELECT 1 FROM versions v WHERE v.blob = p.blob AND v.store = p.store LIMIT 1) IS NULL "
    "AND (SELECT 1 FROM parts t WHERE t.blob = p.blob AND t.store = p.store LIMIT 1) IS NULL "
    "AND (SELECT 1 FROM pieces q JOIN manifests m ON m.id = q.manifest "
    "WHERE q.blob = p.blob AND m.store = p.store LIMIT 1) IS NULL"
)
_BLOBS: Final = Sql(
    "SELECT p.blob, p.size, p.seen_at, "
    f"CASE WHEN p.condemned = 0 AND p.seen_at < :cutoff AND {_NO_NAME} THEN 1 ELSE 0 END "
    "FROM placements p WHERE p.store = :store AND p.blob > :after ORDER BY p.blob LIMIT :limit"
)
_NAMED: Final = Sql(f"SELECT 1 FROM placements p WHERE p.store = :store AND p.blob = :blob AND NOT ({_NO_NAME})")
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


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A manifest or an inline blob that may be unnamed, with its date when it was looked at."""

    id: int
    seen_at: int
    size: int = 0


@dataclass(frozen=True, slots=True)
class UnnamedBlob:
    """A placement that may be unnamed, with its date when it was looked at."""

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


def list_manifests(before: int, cutoff: int, limit: int) -> Transaction[list[tuple[Unnamed, bool]]]:
    """A page of all manifests, the newest first and so the outer before the inner; and whether no version, part or
    other manifest names one that was let go before ``cutoff``.
    """
    rows: list[Row] = yield all_(_MANIFESTS, before=before, cutoff=cutoff, limit=limit)
    return [(Unnamed(row[0], row[1]), bool(row[2])) for row in rows]


def drop_manifests(found: Sequence[Unnamed], cutoff: int) -> Transaction[int]:
    """Remove those that nobody has named since, with their pieces; how many that were."""
    dropped = 0
    for each in found:
        if (yield run(_DROP_MANIFEST, id=each.id, seen=each.seen_at, cutoff=cutoff)):
            yield run(_DROP_PIECES, id=each.id)
            dropped += 1
    return dropped


def list_inline_names(after: int, limit: int) -> Transaction[list[Row]]:
    """A page of all versions: the id of each, and that of its inline blob or None."""
    rows: list[Row] = yield all_(_NAMED_INLINE, after=after, limit=limit)
    return rows


def list_inline_dates(after: int, limit: int) -> Transaction[list[Unnamed]]:
    """A page of all inline blobs, named or not."""
    rows: list[Row] = yield all_(_INLINE, after=after, limit=limit)
    return [Unnamed(*row) for row in rows]


def drop_inline(found: Sequence[Unnamed], cutoff: int) -> Transaction[tuple[int, int]]:
    """Remove those that nobody has named since; their number and bytes."""
    dropped = size = 0
    for each in found:
        if (yield run(_DROP_INLINE, id=each.id, seen=each.seen_at, cutoff=cutoff)):
            dropped += 1
            size += each.size
    return dropped, size


def list_blobs(store: str, after: bytes, cutoff: int, limit: int) -> Transaction[list[tuple[UnnamedBlob, bool]]]:
    """A page of all placements of a store in order of blob; and whether no version, part or piece names one that
    nobody claimed since ``cutoff``.
    """
    rows: list[Row] = yield all_(_BLOBS, store=store, after=after, cutoff=cutoff, limit=limit)
    return [(UnnamedBlob(store, BlobId(bytes(row[0])), row[1], row[2]), bool(row[3])) for row in rows]


def is_named(store: str, blob: BlobId) -> Transaction[bool]:
    """Whether a version, part or piece names a blob that is placed in a store."""
    row: Row | None = yield one(_NAMED, store=store, blob=blob)
    return row is not None


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
