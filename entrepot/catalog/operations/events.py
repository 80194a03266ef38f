"""Operations on events: what happened in a bucket, written in the transaction that made it so.

A feed is read with a cursor, so numbers must appear in their order: once a reader has seen number 7, no smaller
one may come. An id that is allotted when the row is written does not do on PostgreSQL, where
the transaction that took the smaller id may commit later. So a row is written without a number, and numbered
once it is committed, under a lock and in order of id, by whoever reads next (see decision 0019). Of two events of one
key the earlier is committed, and numbered, before the later begins, as they hold the key's lock.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

import msgspec

from entrepot.catalog.database import Row, Sql, Transaction, all_, lock, one, run
from entrepot.model import value

EVENT_SPACE: Final = 8
"""Lock space: the numbering of events."""

NUMBERED_AT_ONCE: Final = 1_000
"""Events numbered in one write at most: some milliseconds of the catalog's writer."""

_INSERT: Final = Sql(
    "INSERT INTO events (happened_at, kind, bucket, key, hash, version_id, principal, payload) "
    "VALUES (:happened_at, :kind, :bucket, :key, :hash, :version_id, :principal, :payload)"
)
_UNNUMBERED: Final = Sql("SELECT 1 FROM events WHERE sequence IS NULL LIMIT 1")
_LAST: Final = Sql("SELECT last FROM numbering WHERE id = 1")
_NUMBER: Final = Sql(
    "UPDATE events SET sequence = :last + due.place "
    "FROM (SELECT w.id AS id, row_number() OVER (ORDER BY w.id) AS place "
    "FROM (SELECT id FROM events WHERE sequence IS NULL ORDER BY id LIMIT :limit) w) due WHERE events.id = due.id"
)
_COUNT: Final = Sql("UPDATE numbering SET last = last + :count WHERE id = 1")
_COLUMNS: Final = "sequence, happened_at, kind, bucket, key, hash, version_id, principal, payload"
_LIST: Final = Sql(f"SELECT {_COLUMNS} FROM events WHERE sequence > :after ORDER BY sequence LIMIT :limit")
_OLDEST: Final = Sql("SELECT min(sequence) FROM events WHERE sequence IS NOT NULL")
_TRIM: Final = Sql(
    "DELETE FROM events WHERE sequence IN "
    "(SELECT sequence FROM events WHERE sequence > 0 ORDER BY sequence LIMIT :limit) AND happened_at < :cutoff"
)

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(dict[str, str | int]).decode


class Kind(enum.StrEnum):
    """What happened. Of an object: it was put, copied or completed from parts; its current state was deleted, for
    good or by a marker; one of its versions was deleted for good, or tagged. Of an upload: it was opened, or ended
    without an object. Of a bucket: it was deleted.
    """

    PUT = "object.put"
    COPIED = "object.copied"
    COMPLETED = "object.completed"
    DELETED = "object.deleted"
    MARKED = "object.marked"
    VERSION_DELETED = "version.deleted"
    TAGGED = "version.tagged"
    OPENED = "upload.opened"
    ABORTED = "upload.aborted"
    BUCKET_DELETED = "bucket.deleted"


@value
class Event:
    """One row. ``hash`` is that of the content where it is known, ``payload`` what else a listener may want (``size``,
    ``etag``, ``upload``). ``sequence`` is 0 as long as it is not known.
    """

    kind: Kind
    bucket: str
    happened_at: int
    principal: str
    key: str | None = None
    hash: bytes | None = None
    version_id: str | None = None
    payload: Mapping[str, str | int] | None = None
    sequence: int = 0


def record(event: Event) -> Transaction[None]:
    """Write an event down, in the transaction that makes it true and of a bucket with ``events`` only."""
    yield run(
        _INSERT, happened_at=event.happened_at, kind=event.kind.value, bucket=event.bucket,
        key=None if event.key is None else event.key.encode(), hash=event.hash, version_id=event.version_id,
        principal=event.principal, payload=None if event.payload is None else _pack(dict(event.payload)),
    )  # fmt: skip


def has_unnumbered() -> Transaction[bool]:
    """Whether any event waits for its number."""
    row: Row | None = yield one(_UNNUMBERED)
    return row is not None


def number_events() -> Transaction[int]:
    """Number what is committed; how many events that were, fewer than ``NUMBERED_AT_ONCE`` when all are."""
    yield lock(EVENT_SPACE, b"numbers")
    last: Row = yield one(_LAST)
    count: int = yield run(_NUMBER, last=last[0], limit=NUMBERED_AT_ONCE)
    if count:
        yield run(_COUNT, count=count)
    return count


def list_events(after: int, limit: int) -> Transaction[tuple[list[Event], int]]:
    """Numbered events in their order, beginning behind the number ``after``; and the smallest number that is kept, or
    the next one to be given. A cursor that is more than one before that has missed something.
    """
    rows: list[Row] = yield all_(_LIST, after=after, limit=limit)
    oldest: Row = yield one(_OLDEST)
    last: Row = yield one(_LAST)
    return [_event_from(row) for row in rows], last[0] + 1 if oldest[0] is None else oldest[0]


def last_number() -> Transaction[int]:
    """The number given last: the cursor of who wants to hear only what is to come."""
    last: Row = yield one(_LAST)
    return int(last[0])


def trim_events(cutoff: int, limit: int) -> Transaction[int]:
    """Forget those of the ``limit`` oldest events that happened before ``cutoff``; how many that were."""
    changed: int = yield run(_TRIM, cutoff=cutoff, limit=limit)
    return changed


def _event_from(row: Row) -> Event:
    return Event(
        Kind(row[2]), row[3], row[1], row[7], None if row[4] is None else bytes(row[4]).decode(),
        None if row[5] is None else bytes(row[5]), row[6], None if row[8] is None else _unpack(row[8]), row[0],
    )  # fmt: skip
