"""Operations on stored blobs: the whole blobs of stores that live in the catalog.

They are blobs as in any other store, with placements and grace; that their rows lie beside those
that name them means nothing here. A blob has at most one sound row, and one that was set aside.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, lock, one, run, run_many
from entrepot.model import BlobId

STORED_SPACE: Final = 6
"""Lock space: stored blobs that are being put or set aside."""

_WHOSE: Final = "WHERE store = :store AND digest = :digest"
_FIND: Final = Sql(f"SELECT data FROM stored_blobs {_WHOSE} AND damaged = 0")
_THERE: Final = Sql(f"SELECT 1 FROM stored_blobs {_WHOSE} AND damaged = 0")
_SAME: Final = Sql(f"SELECT 1 FROM stored_blobs {_WHOSE} AND damaged = 0 AND data = :data")
_PUT: Final = Sql("INSERT INTO stored_blobs (store, digest, data) VALUES (:store, :digest, :data)")
_DROP_ASIDE: Final = Sql(f"DELETE FROM stored_blobs {_WHOSE} AND damaged = 1")
_SET_ASIDE: Final = Sql(f"UPDATE stored_blobs SET damaged = 1 {_WHOSE} AND damaged = 0")
_REMOVE: Final = Sql(f"DELETE FROM stored_blobs {_WHOSE}")
_LIST: Final = Sql(
    "SELECT digest FROM stored_blobs WHERE store = :store AND damaged = 0 AND digest > :after "
    "ORDER BY digest LIMIT :limit"
)
_ASKED: Final = tuple(f"digest_{letter}" for letter in string.ascii_lowercase)
_SIZES: Final = Sql(
    "SELECT digest, length(data) FROM stored_blobs WHERE store = :store AND damaged = 0 "
    f"AND digest IN ({', '.join(f':{name}' for name in _ASKED)})"
)


def put_stored(store: str, blob: BlobId, data: bytes) -> Transaction[bool]:
    """Keep a blob; True if no sound one was there. Other bytes under its name are set aside."""
    yield lock(STORED_SPACE, store.encode() + blob)
    there: Row | None = yield one(_THERE, store=store, digest=blob)
    if there is not None:
        same: Row | None = yield one(_SAME, store=store, digest=blob, data=data)
        if same is not None:
            return False
        yield from _set_aside(store, blob)
    yield run(_PUT, store=store, digest=blob, data=data)
    return True


def find_stored(store: str, blob: BlobId) -> Transaction[bytes | None]:
    """The bytes of a blob, unless it is absent or set aside."""
    row: Row | None = yield one(_FIND, store=store, digest=blob)
    return None if row is None else bytes(row[0])


def stored_sizes(store: str, blobs: Sequence[BlobId]) -> Transaction[dict[BlobId, int]]:
    """The size of each blob that is there."""
    sizes: dict[BlobId, int] = {}
    for start in range(0, len(blobs), len(_ASKED)):
        some = blobs[start : start + len(_ASKED)]
        padded = [*some, *[some[0]] * (len(_ASKED) - len(some))]
        rows: list[Row] = yield all_(_SIZES, store=store, **dict(zip(_ASKED, padded, strict=True)))
        sizes.update((BlobId(bytes(row[0])), row[1]) for row in rows)
    return sizes


def list_stored(store: str, after: bytes, limit: int) -> Transaction[list[BlobId]]:
    """The blobs of a store in ascending order, beginning behind ``after``."""
    rows: list[Row] = yield all_(_LIST, store=store, after=after, limit=limit)
    return [BlobId(bytes(row[0])) for row in rows]


def remove_stored(store: str, blobs: Sequence[BlobId]) -> Transaction[None]:
    """Let go of blobs, and of what was set aside under their names."""
    yield run_many(_REMOVE, [{"store": store, "digest": blob} for blob in blobs])


def damage_stored(store: str, blob: BlobId, data: bytes) -> Transaction[None]:
    """Set aside a blob that was read as ``data``, unless somebody mended it since."""
    yield lock(STORED_SPACE, store.encode() + blob)
    same: Row | None = yield one(_SAME, store=store, digest=blob, data=data)
    if same is not None:
        yield from _set_aside(store, blob)


def _set_aside(store: str, blob: BlobId) -> Transaction[None]:
    yield run(_DROP_ASIDE, store=store, digest=blob)
    yield run(_SET_ASIDE, store=store, digest=blob)
