"""Operations on buckets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, lock, one, run
from entrepot.catalog.operations.events import Event, Kind, record
from entrepot.catalog.operations.filters import BUCKETS, FILTERED, compile_filter
from entrepot.catalog.operations.keys import drop_grants
from entrepot.catalog.operations.rows import BUCKET_COLUMNS, bucket_from
from entrepot.catalog.operations.tags import drop_bucket_tags, keep_bucket_tags
from entrepot.errors import BucketExists, BucketMissing, BucketNotEmpty
from entrepot.model import Bucket, Versioning
from entrepot.rules import TRUE, Expression

BUCKET_SPACE: Final = 1
"""Lock space: names of buckets. Writers into a bucket share it, whoever changes or drops it alone."""

_FIND: Final = Sql(f"SELECT {BUCKET_COLUMNS} FROM buckets b WHERE b.name = :name")
_INSERT: Final = Sql(
    "INSERT INTO buckets (name, owner, store, versioning, public_read, created_at) "
    "VALUES (:name, :owner, :store, 0, :public_read, :now) RETURNING id"
)
_LIST: Final = Sql(
    f"SELECT {BUCKET_COLUMNS} FROM buckets b WHERE b.name > :after AND b.name >= :first {FILTERED} "
    "ORDER BY b.name LIMIT :limit"
)
_DELETE: Final = Sql("DELETE FROM buckets WHERE id = :id")
_ANY_LIVE: Final = Sql("SELECT 1 FROM versions v WHERE v.bucket = :id AND v.live = 1 LIMIT 1")
_ANY_HISTORY: Final = Sql("SELECT 1 FROM versions v WHERE v.bucket = :id AND v.live = 0 LIMIT 1")
_OPEN: Final = "bucket = :id AND finished_at IS NULL"
_DROP_PARTS: Final = Sql(f"DELETE FROM parts WHERE upload IN (SELECT id FROM uploads WHERE {_OPEN})")
_DROP_UPLOADS: Final = Sql(f"DELETE FROM uploads WHERE {_OPEN}")
_UPDATE: Final = Sql(
    "UPDATE buckets SET versioning = :versioning, public_read = :public_read, owner = :owner, events = :events "
    "WHERE id = :id"
)


def find_bucket(name: str) -> Transaction[Bucket | None]:
    row: Row | None = yield one(_FIND, name=name)
    return None if row is None else bucket_from(row)


def get_bucket(name: str) -> Transaction[Bucket]:
    """Raises BucketMissing."""
    row: Row | None = yield one(_FIND, name=name)
    if row is None:
        raise BucketMissing(name)
    return bucket_from(row)


def create_bucket(name: str, owner: str, store: str, now: int, *, public_read: bool = False) -> Transaction[Bucket]:
    """Raises BucketExists, whoever owns the bucket of that name."""
    yield lock(BUCKET_SPACE, name.encode())
    row: Row | None = yield one(_FIND, name=name)
    if row is not None:
        raise BucketExists(name, own=row[2] == owner)
    created: Row = yield one(_INSERT, name=name, owner=owner, store=store, public_read=int(public_read), now=now)
    return Bucket(created[0], name, owner, store, Versioning.OFF, public_read, now)


def list_buckets(prefix: str, after: str, limit: int, visible: Expression = TRUE) -> Transaction[list[Bucket]]:
    """Buckets in order of name, those of which ``visible`` holds; at most ``limit``."""
    only = compile_filter(visible, BUCKETS)
    rows: list[Row] = yield all_(only.of(_LIST), after=after, first=prefix, limit=limit, **only.params)
    return [bucket_from(row) for row in rows if row[1].startswith(prefix)]


Check = Callable[[Bucket], None]
"""Raises what speaks against a change of a bucket or in it: of the one that has the name at that time."""


def _hold(name: str, check: Check | None) -> Transaction[Bucket]:
    """Begin to change or drop a bucket: nobody else does, or writes into it, until the write ends."""
    yield lock(BUCKET_SPACE, name.encode())
    bucket = yield from get_bucket(name)
    if check is not None:
        check(bucket)
    return bucket


@dataclass(frozen=True, slots=True)
class BucketChange:
    """Settings to change; None leaves one as it is."""

    versioning: Versioning | None = None
    public_read: bool | None = None
    owner: str | None = None
    events: bool | None = None


def change_bucket(name: str, change: BucketChange, check: Check | None = None) -> Transaction[Bucket]:
    """Raises BucketMissing, and what ``check`` raises."""
    bucket = yield from _hold(name, check)
    changed = Bucket(
        bucket.id, bucket.name,
        bucket.owner if change.owner is None else change.owner,
        bucket.store,
        bucket.versioning if change.versioning is None else change.versioning,
        bucket.public_read if change.public_read is None else change.public_read,
        bucket.created_at,
        bucket.events if change.events is None else change.events,
    )  # fmt: skip
    yield run(
        _UPDATE, id=bucket.id, versioning=int(changed.versioning), public_read=int(changed.public_read),
        owner=changed.owner, events=int(changed.events),
    )  # fmt: skip
    return changed


def tag_bucket(name: str, tags: Mapping[str, str], check: Check | None = None) -> Transaction[None]:
    """Give a bucket these tags instead of those that it had. Raises BucketMissing, and what ``check`` raises."""
    bucket = yield from _hold(name, check)
    yield from drop_bucket_tags(bucket.id)
    if tags:
        yield from keep_bucket_tags(bucket.id, tags)


def delete_bucket(name: str, who: str, now: int, check: Check | None = None) -> Transaction[None]:
    """Drop an empty bucket; uploads still open in it end, and so do grants of keys for it. Raises BucketMissing,
    BucketNotEmpty, and what ``check`` raises.
    """
    bucket = yield from _hold(name, check)
    for any_left in (_ANY_LIVE, _ANY_HISTORY):
        row: Row | None = yield one(any_left, id=bucket.id)
        if row is not None:
            raise BucketNotEmpty(name)
    yield from drop_bucket_tags(bucket.id)
    yield run(_DROP_PARTS, id=bucket.id)
    yield run(_DROP_UPLOADS, id=bucket.id)
    yield from drop_grants(name)
    yield run(_DELETE, id=bucket.id)
    if bucket.events:
        yield from record(Event(Kind.BUCKET_DELETED, name, now, who))
