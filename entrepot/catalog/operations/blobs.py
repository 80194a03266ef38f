"""Operations on bytes: inline blobs, placements, manifests, and what is garbage among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, insert, lock, one, run, run_many
from entrepot.errors import Superseded
from entrepot.model import BlobId, Bytes, Piece, Span

BLOB_SPACE: Final = 3
"""Lock space: blobs of a store that are being claimed or condemned."""


def _renewed(column: str) -> str:
    """The date of what is named or claimed again: later than the one before, even where the clock was set back
    meanwhile. By that the collector sees that somebody came after it had looked.
    """
    return f"CASE WHEN {column} < :now THEN :now ELSE {column} + 1 END"


_INLINE: Final = Sql(
    "INSERT INTO inline_blobs (digest, seen_at, data) VALUES (:digest, :now, :data) ON CONFLICT (digest) DO NOTHING"
)
_INLINE_AGAIN: Final = Sql(
    "INSERT INTO inline_blobs (digest, seen_at, data) VALUES (:digest, :now, :data) ON CONFLICT (digest) DO UPDATE "
    f"SET seen_at = {_renewed('inline_blobs.seen_at')}, damaged = 0, data = excluded.data RETURNING id"
)
_INLINE_DATA: Final = Sql("SELECT data FROM inline_blobs WHERE id = :id AND damaged = 0")
_DAMAGE_INLINE: Final = Sql("UPDATE inline_blobs SET damaged = 1 WHERE id = :id AND data = :data")
_CLAIM: Final = Sql(
    "INSERT INTO placements (store, blob, size, seen_at, claim) VALUES (:store, :blob, :size, :now, :now) "
    f"ON CONFLICT (store, blob) DO UPDATE SET seen_at = {_renewed('placements.seen_at')} "
    "WHERE placements.condemned = 0 RETURNING claim"
)
_RENEW: Final = Sql(
    f"UPDATE placements SET seen_at = {_renewed('seen_at')}, claim = 0 "
    "WHERE store = :store AND blob = :blob AND condemned = 0 AND claim IN (0, :claim)"
)
_CONDEMN: Final = Sql(
    "UPDATE placements SET condemned = 1 WHERE store = :store AND blob = :blob AND seen_at < :cutoff AND condemned = 0"
)
_CONDEMN_ORPHAN: Final = Sql(
    "INSERT INTO placements (store, blob, size, seen_at, condemned) VALUES (:store, :blob, 0, :now, 1) "
    "ON CONFLICT (store, blob) DO NOTHING"
)
_ANY: Final = Sql("SELECT 1 FROM placements WHERE store = :store LIMIT 1")
_FORGET: Final = Sql("DELETE FROM placements WHERE store = :store AND blob = :blob AND condemned = 1")
_MANIFEST: Final = Sql("INSERT INTO manifests (store, size, released_at) VALUES (:store, :size, :now) RETURNING id")
_PIECE: Final = Sql(
    "INSERT INTO pieces (manifest, start, size, blob, nested) VALUES (:manifest, :start, :size, :blob, :nested)"
)
_PIECES: Final = Sql(
    "SELECT start, size, blob, nested FROM pieces WHERE manifest = :manifest AND start < :end "
    "AND start >= coalesce((SELECT max(start) FROM pieces WHERE manifest = :manifest AND start <= :begin), 0) "
    "ORDER BY start LIMIT :limit"
)
_RELEASE: Final = Sql(f"UPDATE manifests SET released_at = {_renewed('released_at')} WHERE id = :id")
# The id alone would do, were it not given to another blob once the last one has been collected.
_RENEW_INLINE: Final = Sql(
    f"UPDATE inline_blobs SET seen_at = {_renewed('seen_at')} WHERE id = :id AND digest = :digest"
)


def find_inline(id: int) -> Transaction[bytes | None]:
    """The bytes of an inline blob, unless it is gone or damaged."""
    row: Row | None = yield one(_INLINE_DATA, id=id)
    return None if row is None else bytes(row[0])


def damage_inline(id: int, data: bytes) -> Transaction[None]:
    """Put an inline blob that was read as ``data`` in quarantine, unless somebody mended it since. The next writer of
    the same bytes does.
    """
    yield run(_DAMAGE_INLINE, id=id, data=data)


def claim(store: str, blob: BlobId, size: int, now: int) -> Transaction[int | None]:
    """Say that a blob is about to be put, before it is: from now on the collector lets it be.

    Returns what to name the blob with once it is put (``Bytes.claim``): the claim that made the
    placement, or 0 when the blob has been named since. Whoever is slower than the collector finds
    another claim there, under which perhaps nobody has put anything. None when the collector is
    removing the blob at this moment: ask again.
    """
    yield lock(BLOB_SPACE, blob)
    row: Row | None = yield one(_CLAIM, store=store, blob=blob, size=size, now=now)
    return None if row is None else row[0]


def has_placements(store: str) -> Transaction[bool]:
    """Whether any blob was ever claimed in a store and not collected since."""
    row: Row | None = yield one(_ANY, store=store)
    return row is not None


def place(bytes_: Bytes, now: int) -> Transaction[Bytes]:
    """Give bytes that a version or part will name their place in the catalog, within its write.

    Inline data becomes a row, pieces a manifest. What is in the catalog already (the bytes of a
    copy) is renewed, so that the collector, which looked before, lets it be. Raises Superseded when
    it was collected meanwhile, or a blob since its claim (the transfer outlasted the grace period),
    even if somebody has claimed it again.
    """
    if bytes_.data is not None:
        name = bytes_.inline_name
        id: int | None = yield insert(_INLINE, digest=name, now=now, data=bytes_.data)
        if id is None:
            row: Row = yield one(_INLINE_AGAIN, digest=name, now=now, data=bytes_.data)
            id = row[0]
        return Bytes(bytes_.size, bytes_.hash, inline=id, inline_digest=bytes_.inline_digest)
    if bytes_.blob is not None:
        yield from _renew(bytes_.store, bytes_.blob, bytes_.claim, now)
        return Bytes(bytes_.size, bytes_.hash, blob=bytes_.blob, store=bytes_.store)
    elif bytes_.inline is not None:
        if not (yield run(_RENEW_INLINE, id=bytes_.inline, digest=bytes_.inline_name, now=now)):
            raise Superseded(f"inline blob {bytes_.inline}")
    elif bytes_.manifest is not None:
        if not (yield run(_RELEASE, id=bytes_.manifest, now=now)):
            raise Superseded(f"manifest {bytes_.manifest}")
    elif bytes_.pieces:
        manifest = yield from _insert_manifest(bytes_.store, bytes_.size, bytes_.pieces, now)
        return Bytes(bytes_.size, bytes_.hash, manifest=manifest, store=bytes_.store)
    return bytes_


def _renew(store: str, blob: BlobId, claim: int, now: int) -> Transaction[None]:
    yield lock(BLOB_SPACE, blob, shared=True)
    if not (yield run(_RENEW, store=store, blob=blob, claim=claim, now=now)):
        raise Superseded(f"blob {blob.hex()}")


def _insert_manifest(store: str, size: int, pieces: Sequence[Piece], now: int) -> Transaction[int]:
    claims = {piece.blob: piece.claim for piece in pieces if piece.blob is not None}  # of a blob the last one
    for blob, claim in sorted(claims.items()):
        yield from _renew(store, blob, claim, now)
    row: Row = yield one(_MANIFEST, store=store, size=size, now=now)
    manifest: int = row[0]
    yield run_many(
        _PIECE,
        [
            {
                "manifest": manifest, "start": piece.start, "size": piece.size, "blob": piece.blob,
                "nested": piece.nested,
            }
            for piece in pieces
        ],
    )  # fmt: skip
    return manifest


def list_pieces(manifest: int, span: Span, limit: int) -> Transaction[list[Piece]]:
    """The pieces of a manifest that hold a span, in order, at most ``limit`` of them."""
    rows: list[Row] = yield all_(_PIECES, manifest=manifest, begin=span.start, end=span.end, limit=limit)
    return [Piece(row[0], row[1], None if row[2] is None else BlobId(row[2]), row[3]) for row in rows]


def release(manifest: int, now: int) -> Transaction[None]:
    """A version or part that named this manifest is gone. Readers have the grace period to finish."""
    yield run(_RELEASE, id=manifest, now=now)


def condemn(store: str, blob: BlobId, cutoff: int) -> Transaction[bool]:
    """Begin to remove a blob that a snapshot showed unnamed. False when somebody claimed it since."""
    yield lock(BLOB_SPACE, blob)
    changed: int = yield run(_CONDEMN, store=store, blob=blob, cutoff=cutoff)
    return bool(changed)


def condemn_orphan(store: str, blob: BlobId, now: int) -> Transaction[bool]:
    """Begin to remove a blob that no placement speaks of. False when one does by now."""
    yield lock(BLOB_SPACE, blob)
    changed: int = yield run(_CONDEMN_ORPHAN, store=store, blob=blob, now=now)
    return bool(changed)


def forget(store: str, blobs: Sequence[BlobId]) -> Transaction[None]:
    """Condemned blobs have left their store: their names are free again."""
    yield run_many(_FORGET, [{"store": store, "blob": blob} for blob in blobs])
