"""Operations on objects and their versions.

Invariants of the table, kept by every operation here:

1. A key has at most one live row: its newest version, when that one has bytes.
2. A key whose newest row is a delete marker has no live row.
3. In a bucket that never kept versions a key has no history.
4. At most one row of a key is the null version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from entrepot.catalog.database import Row, Sql, Transaction, insert, lock, one, run
from entrepot.catalog.operations.blobs import place, release
from entrepot.catalog.operations.buckets import BUCKET_SPACE
from entrepot.catalog.operations.events import Event, Kind, record
from entrepot.catalog.operations.layouts import drop_layout, keep_layout
from entrepot.catalog.operations.rows import (
    BUCKET_COLUMNS,
    ID_OF_VERSION,
    VERSION_COLUMNS,
    VERSIONING,
    bucket_from,
    meta_values,
    pack_checksums,
    version_from,
)
from entrepot.catalog.operations.tags import drop_tags, keep_tags
from entrepot.errors import BucketMissing
from entrepot.model import (
    ALWAYS,
    NULL_VERSION,
    Bucket,
    Bytes,
    Checksums,
    Meta,
    Owned,
    Part,
    Precondition,
    Version,
    Versioning,
    value,
)

OBJECT_SPACE: Final = 4
"""Lock space: keys of buckets."""

_LOOK_UP: Final = Sql(
    f"SELECT {BUCKET_COLUMNS}, i.data, {VERSION_COLUMNS} FROM buckets b "
    "LEFT JOIN versions v ON v.bucket = b.id AND v.key = :key AND v.live = 1 "
    "LEFT JOIN inline_blobs i ON i.id = v.inline_id AND i.damaged = 0 WHERE b.name = :name"
)
_BUCKET_WIDTH: Final = len(BUCKET_COLUMNS.split(","))
_EVENTS: Final = BUCKET_COLUMNS.split(", ").index("b.events")
_VERSION: Final = Sql(
    f"SELECT i.data, {VERSION_COLUMNS} FROM versions v "
    f"LEFT JOIN inline_blobs i ON i.id = v.inline_id AND i.damaged = 0 WHERE v.id = {ID_OF_VERSION}"
)
_LIVE: Final = Sql(f"SELECT {VERSION_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.key = :key AND v.live = 1")
_NEWEST: Final = Sql(
    f"SELECT {VERSION_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.key = :key AND v.live = 0 "
    "ORDER BY v.id DESC LIMIT 1"
)
_HELD: Final = Sql(
    f"SELECT {BUCKET_COLUMNS}, v.id, v.manifest, v.parts, v.tags, v.owner FROM buckets b "
    "LEFT JOIN versions v ON v.bucket = b.id AND v.key = :key AND v.live = 1 WHERE b.name = :name"
)
_SET: Final = (
    "size", "etag", "hash", "inline_id", "inline_digest", "store", "blob", "manifest", "media_type", "headers",
    "metadata", "checksums", "parts", "tags", "owner",
)  # fmt: skip
_INSERT: Final = Sql(
    f"INSERT INTO versions (bucket, key, version_id, live, marker, {', '.join(_SET)}, created_at) "
    f"VALUES (:bucket, :key, :version_id, :live, :marker, {', '.join(f':{name}' for name in _SET)}, :now)"
)
_OVERWRITE: Final = Sql(
    f"UPDATE versions SET {', '.join(f'{name} = :{name}' for name in _SET)}, created_at = :now WHERE id = :id"
)
_ARCHIVE: Final = Sql("UPDATE versions SET live = 0, archived_at = :now WHERE id = :id")
_REVIVE: Final = Sql("UPDATE versions SET live = 1, archived_at = NULL WHERE id = :id")
_DELETE: Final = Sql("DELETE FROM versions WHERE id = :id")
_TAG: Final = Sql("UPDATE versions SET tags = :tags WHERE id = :id")


@value
class NewVersion:
    """A version to be written. ``new_id`` makes its version id where the bucket keeps versions, ``parts``
    are those that it was completed from. Without ``bucket`` it goes to the one that has the name then.
    """

    bucket: int | None
    bucket_name: str
    key: str
    new_id: Callable[[], str]
    etag: str
    owner: str
    bytes: Bytes
    meta: Meta
    checksums: Checksums
    parts: Sequence[Part] = ()
    tags: Mapping[str, str] | None = None
    kind: Kind = Kind.PUT


@dataclass(frozen=True, slots=True)
class Deleted:
    """What a delete did: ``version_id`` of the marker made or the version removed, if any."""

    version_id: str | None
    marker: bool


def look_up(bucket: str, key: str) -> Transaction[tuple[Bucket | None, Version | None]]:
    """A bucket and the live version of a key with its inline bytes, in one statement."""
    row: Row | None = yield one(_LOOK_UP, name=bucket, key=key.encode())
    if row is None:
        return None, None
    found = bucket_from(row)
    if row[_BUCKET_WIDTH + 1] is None:
        return found, None
    return found, version_from(row[_BUCKET_WIDTH + 1 :], row[_BUCKET_WIDTH])


def find_version(bucket: int, key: str, version_id: str) -> Transaction[Version | None]:
    """One version of a key by id, a delete marker too, with its inline bytes."""
    row: Row | None = yield one(_VERSION, bucket=bucket, key=key.encode(), version_id=version_id)
    return None if row is None else version_from(row[1:], row[0])


def find_newest(bucket: int, key: str) -> Transaction[Version | None]:
    """The newest row of a key: the live version, or the delete marker that hides the others."""
    row: Row | None = yield one(_LIVE, bucket=bucket, key=key.encode())
    if row is None:
        row = yield one(_NEWEST, bucket=bucket, key=key.encode())
    return None if row is None else version_from(row)


Check = Callable[[Bucket, Owned | None], None]
"""Raises what speaks against a change of a key: in the bucket that has the name at that time, to the row that it
would overwrite or remove, None when there is none.
"""


class Former(NamedTuple):
    """A version as far as it has to be known to put it out of the way."""

    id: int
    manifest: int | None
    parts: int
    tags: int
    owner: str


class Held(NamedTuple):
    """What a writer knows of the key it changes: the bucket's row, and the live version if any."""

    bucket: int
    versioning: Versioning
    live: Former | None
    row: Row

    @property
    def events(self) -> int:
        """Whether what is done is to be told."""
        events: int = self.row[_EVENTS]
        return events

    def check(self, check: Check | None, removed: Owned | None) -> None:
        """Raises what ``check`` raises."""
        if check is not None:
            check(bucket_from(self.row), removed)


def hold(bucket: int | None, name: str, key: str) -> Transaction[Held]:
    """Begin to change a key: nobody else changes it, or drops its bucket, until the write ends.

    Raises BucketMissing, also when the name is another bucket's by now.
    """
    raw, raw_name = key.encode(), name.encode()
    yield lock(BUCKET_SPACE, raw_name, shared=True)
    yield lock(OBJECT_SPACE, b"%b/%b" % (raw_name, raw))
    row: Row | None = yield one(_HELD, name=name, key=raw)
    if row is None or (bucket is not None and row[0] != bucket):
        raise BucketMissing(name)
    live = None if row[_BUCKET_WIDTH] is None else Former(*row[_BUCKET_WIDTH:])
    return Held(row[0], VERSIONING[row[4]], live, row)


def insert_version(
    new: NewVersion, now: int, when: Precondition = ALWAYS, check: Check | None = None
) -> Transaction[Version]:
    """Publish a version: the one act that makes bytes visible under a name.

    Raises BucketMissing, what ``check`` raises, PreconditionFailed (see
    Precondition.check_write), Superseded (see ``blobs.place``).
    """
    held = yield from hold(new.bucket, new.bucket_name, new.key)
    bucket, versioning, live, _ = held
    held.check(check, live)
    raw = new.key.encode()
    if when is not ALWAYS:
        row: Row | None = None if live is None else (yield one(_LIVE, bucket=bucket, key=raw))
        when.check_write(None if row is None else version_from(row), new.key)
    overwritten = live if versioning is Versioning.OFF else None
    if overwritten is None:
        yield from _make_room(bucket, new.key, live, versioning, now)
    else:
        yield from _let_go(overwritten, now)
    place_ = yield from place(new.bytes, now)
    version_id = new.new_id() if versioning is Versioning.ON else NULL_VERSION
    tags = len(new.tags) if new.tags else 0
    values = {
        "size": place_.size, "etag": new.etag, "hash": place_.hash, "inline_id": place_.inline,
        "inline_digest": place_.inline_digest, "store": place_.store, "blob": place_.blob, "manifest": place_.manifest,
        **meta_values(new.meta), "checksums": pack_checksums(new.checksums),
        "parts": len(new.parts), "tags": tags, "owner": new.owner, "now": now,
    }  # fmt: skip
    if overwritten is None:
        id: int = yield insert(_INSERT, bucket=bucket, key=raw, version_id=version_id, live=1, marker=0, **values)
    else:
        id = overwritten.id
        yield run(_OVERWRITE, id=id, **values)
    if new.parts:
        yield from keep_layout(id, new.parts)
    if new.tags:
        yield from keep_tags(id, new.tags)
    if held.events:
        yield from record(_published(new, place_, version_id, now))
    return Version(
        id, bucket, new.key, version_id, True, False, new.etag, now, new.owner, place_, new.meta,
        new.checksums, len(new.parts), tags=tags,
    )  # fmt: skip


def _published(new: NewVersion, place_: Bytes, version_id: str, now: int) -> Event:
    told: dict[str, str | int] = {"size": place_.size, "etag": new.etag}
    return Event(new.kind, new.bucket_name, now, new.owner, new.key, place_.hash or None, version_id, told)


def _make_room(bucket: int, key: str, live: Former | None, versioning: Versioning, now: int) -> Transaction[None]:
    """Archive or drop what a new newest row displaces."""
    if versioning is Versioning.SUSPENDED:
        null = yield from find_version(bucket, key, NULL_VERSION)
        if null is not None:
            yield from _drop(_former(null), now)
            if live is not None and live.id == null.id:
                return
    if live is None:
        return
    if versioning is Versioning.OFF:
        yield from _drop(live, now)
    else:
        yield run(_ARCHIVE, id=live.id, now=now)


def _former(version: Version) -> Former:
    return Former(version.id, version.bytes.manifest, version.parts, version.tags, version.owner)


def _drop(former: Former, now: int) -> Transaction[None]:
    yield from _let_go(former, now)
    yield run(_DELETE, id=former.id)


def _let_go(former: Former, now: int) -> Transaction[None]:
    """Give back what a row names, before the row is deleted or overwritten."""
    if former.manifest is not None:
        yield from release(former.manifest, now)
    if former.parts:
        yield from drop_layout(former.id)
    if former.tags:
        yield from drop_tags(former.id)


def delete_object(
    bucket: int,
    name: str,
    key: str,
    owner: str,
    marker_id: str,
    now: int,
    when: Precondition = ALWAYS,
    check: Check | None = None,
) -> Transaction[Deleted]:
    """Delete the current state of a key: for good, or by a marker where versions are kept.

    Deleting what is not there is no error; on a condition it does nothing at all. Raises
    BucketMissing, PreconditionFailed, and what ``check`` raises.
    """
    held = yield from hold(bucket, name, key)
    _, versioning, live, _ = held
    held.check(check, live)
    if not when.empty:
        newest = yield from find_newest(bucket, key)
        if newest is None:
            return Deleted(None, marker=False)
        when.check_delete(newest)
    yield from _make_room(bucket, key, live, versioning, now)
    if versioning is Versioning.OFF:
        if held.events and live is not None:
            yield from record(Event(Kind.DELETED, name, now, owner, key))
        return Deleted(None, marker=False)
    version_id = marker_id if versioning is Versioning.ON else NULL_VERSION
    yield run(
        _INSERT, bucket=bucket, key=key.encode(), version_id=version_id, live=0, marker=1, size=0, etag="",
        hash=b"", inline_id=None, inline_digest=None, store="", blob=None, manifest=None, media_type="",
        headers=None, metadata=None, checksums=None, parts=0, tags=0, owner=owner, now=now,
    )  # fmt: skip
    if held.events:
        yield from record(Event(Kind.MARKED, name, now, owner, key, version_id=version_id))
    return Deleted(version_id, marker=True)


def delete_version(
    bucket: int,
    name: str,
    key: str,
    version_id: str,
    owner: str,
    now: int,
    when: Precondition = ALWAYS,
    check: Check | None = None,
) -> Transaction[Deleted]:
    """Remove one version (or marker) for good; the next newest takes its place.

    Removing what is not there is no error. Raises BucketMissing, PreconditionFailed, and what ``check`` raises.
    """
    held = yield from hold(bucket, name, key)
    version = yield from find_version(bucket, key, version_id)
    held.check(check, version)
    when.check_delete(version)
    if version is None:
        return Deleted(version_id, marker=False)
    yield from _drop(_former(version), now)
    newest = yield from find_newest(bucket, key)
    if newest is not None and not newest.live and not newest.marker:
        yield run(_REVIVE, id=newest.id)
    if held.events:
        yield from record(Event(Kind.VERSION_DELETED, name, now, owner, key, version.bytes.hash or None, version_id))
    return Deleted(version_id, marker=version.marker)


def tag_version(
    bucket: int,
    name: str,
    key: str,
    version_id: str | None,
    tags: Mapping[str, str],
    owner: str,
    now: int,
    check: Check | None = None,
) -> Transaction[Version | None]:
    """Give a version these tags instead of those that it had, the newest one without ``version_id``. Nothing else of
    it changes.

    Returns it as it is then; a delete marker, which has no tags, as it was; None when it is not there. Raises
    BucketMissing, and what ``check`` raises.
    """
    held = yield from hold(bucket, name, key)
    find = find_newest(bucket, key) if version_id is None else find_version(bucket, key, version_id)
    version = yield from find
    held.check(check, version)
    if version is None or version.marker:
        return version
    if version.tags:
        yield from drop_tags(version.id)
    if tags:
        yield from keep_tags(version.id, tags)
    yield run(_TAG, id=version.id, tags=len(tags))
    if held.events:
        yield from record(Event(Kind.TAGGED, name, now, owner, key, version.bytes.hash, version.version_id))
    return replace(version, tags=len(tags))
