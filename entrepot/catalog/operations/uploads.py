"""Operations on uploads and their parts.

An upload goes through its stages (see :mod:`.stages`) from ``create_upload`` until ``complete_upload``
or ``abort_upload``. A completed one is remembered (``finished_at``) so that a client which lost the
answer may ask again; the collector forgets it after the grace period.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from entrepot.catalog.database import Row, Sql, Statement, Transaction, Value, all_, lock, one, run
from entrepot.catalog.operations.blobs import place, release
from entrepot.catalog.operations.buckets import BUCKET_SPACE
from entrepot.catalog.operations.events import Event, Kind, record
from entrepot.catalog.operations.filters import FILTERED, UPLOADS, compile_filter
from entrepot.catalog.operations.folding import FOLD, Bounds, gather, split, walk
from entrepot.catalog.operations.objects import Check, NewVersion, insert_version
from entrepot.catalog.operations.rows import (
    meta_values,
    pack_checksums,
    read_texts,
    unpack_checksums,
    write_texts,
)
from entrepot.catalog.operations.stages import Act, advance
from entrepot.errors import BucketMissing, Superseded, TooLarge, UploadMissing
from entrepot.model import ALWAYS, BlobId, Bytes, Meta, Part, Precondition, Stage, Upload, Version
from entrepot.rules import TRUE, Expression

UPLOAD_SPACE: Final = 5
"""Lock space: uploads. Putting parts shares one, ending it is done alone. Whoever adds rows shares the
bucket's lock too, and before, as dropping the bucket ends its uploads.
"""

_COLUMNS: Final = (
    "id, key, upload_id, bucket, owner, created_at, media_type, headers, metadata, algorithm, composite, "
    "version_id, etag, tags, stage, finished_at"
)
_PART_COLUMNS: Final = "number, etag, created_at, size, hash, blob, manifest, checksums, store"
_INSERT: Final = Sql(
    "INSERT INTO uploads (upload_id, bucket, key, owner, media_type, headers, metadata, algorithm, composite, "
    "created_at, tags) VALUES (:upload_id, :bucket, :key, :owner, :media_type, :headers, :metadata, :algorithm, "
    ":composite, :now, :tags) RETURNING id"
)
_BUCKET: Final = Sql("SELECT events FROM buckets WHERE id = :id")
_FIND: Final = Sql(f"SELECT {_COLUMNS} FROM uploads WHERE upload_id = :upload_id")
_FIND_PART: Final = Sql(f"SELECT {_PART_COLUMNS} FROM parts WHERE upload = :upload AND number = :number")
_PUT_PART: Final = Sql(
    "INSERT INTO parts (upload, number, size, etag, hash, store, blob, manifest, checksums, created_at) "
    "VALUES (:upload, :number, :size, :etag, :hash, :store, :blob, :manifest, :checksums, :now) "
    "ON CONFLICT (upload, number) DO UPDATE SET size = excluded.size, etag = excluded.etag, "
    "hash = excluded.hash, store = excluded.store, blob = excluded.blob, "
    "manifest = excluded.manifest, checksums = excluded.checksums, created_at = excluded.created_at"
)
_PARTS: Final = Sql(
    f"SELECT {_PART_COLUMNS} FROM parts WHERE upload = :upload AND number > :after ORDER BY number LIMIT :limit"
)
_MANIFESTS: Final = Sql("SELECT manifest FROM parts WHERE upload = :upload")
_DELETE_PARTS: Final = Sql("DELETE FROM parts WHERE upload = :upload")
_DELETE: Final = Sql("DELETE FROM uploads WHERE id = :upload")
_FINISH: Final = Sql(
    "UPDATE uploads SET stage = :stage, finished_at = :now, version_id = :version_id, etag = :etag WHERE id = :upload"
)
_ADVANCE: Final = Sql("UPDATE uploads SET stage = :stage WHERE id = :upload")
_RECEIVED: Final = Sql("SELECT coalesce(max(number), 0), coalesce(sum(size), 0) FROM parts WHERE upload = :upload")
_STRETCH: Final = f"u.bucket = :bucket AND u.finished_at IS NULL AND u.key >= :start AND u.key < :stop {FILTERED}"
_BLOCK: Final = Sql(f"SELECT {_COLUMNS} FROM uploads u WHERE {_STRETCH} ORDER BY u.key, u.upload_id LIMIT :limit")
_FIRST: Final = f"SELECT u.key FROM uploads u WHERE {_STRETCH} ORDER BY u.key LIMIT 1"
_PREFIXES: Final = Sql(
    f"{walk(_FIRST, f' AND {FOLD} > 0')} SELECT w.key FROM walk w WHERE w.key IS NOT NULL ORDER BY w.number"
)
_REST: Final = Sql(
    f"SELECT {_COLUMNS} FROM uploads u WHERE u.bucket = :bucket AND u.finished_at IS NULL AND u.key = :key "
    f"AND u.upload_id > :upload_id {FILTERED} ORDER BY u.upload_id LIMIT :limit"
)
_OPEN: Final = Sql(
    "SELECT u.id, u.upload_id, u.created_at, (SELECT max(t.created_at) FROM parts t WHERE t.upload = u.id) "
    "FROM uploads u WHERE u.id > :after AND u.finished_at IS NULL ORDER BY u.id LIMIT :limit"
)
_ENDING: Final = (
    "SELECT u.id, u.key, b.name, b.events FROM uploads u JOIN buckets b ON b.id = u.bucket "
    "WHERE u.upload_id = :upload_id AND u.finished_at IS NULL"
)
_ABORTED: Final = Sql(_ENDING)
_IDLE: Final = Sql(
    f"{_ENDING} AND u.created_at < :cutoff AND NOT EXISTS "
    "(SELECT 1 FROM parts t WHERE t.upload = u.id AND t.created_at >= :cutoff)"
)

MOST_PARTS: Final = 10_000
"""Parts of an upload at most."""


def create_upload(new: Upload, bucket_name: str) -> Transaction[Upload]:
    """Open an upload; ``id`` of ``new`` is ignored. Raises BucketMissing."""
    yield lock(BUCKET_SPACE, bucket_name.encode(), shared=True)
    row: Row | None = yield one(_BUCKET, id=new.bucket)
    if row is None:
        raise BucketMissing(bucket_name)
    inserted: Row = yield one(
        _INSERT, upload_id=new.upload_id, bucket=new.bucket, key=new.key.encode(), owner=new.owner,
        **meta_values(new.meta), algorithm=new.algorithm, composite=int(new.composite), now=new.created_at,
        tags=write_texts(new.tags),
    )  # fmt: skip
    if row[0]:
        told = {"upload": new.upload_id}
        yield from record(Event(Kind.OPENED, bucket_name, new.created_at, new.owner, new.key, payload=told))
    return Upload(
        inserted[0], new.upload_id, new.bucket, new.key, new.owner, new.created_at, new.meta, new.algorithm,
        new.composite, tags=new.tags,
    )  # fmt: skip


def get_upload(upload_id: str) -> Transaction[Upload]:
    """An upload, open or lately completed. Raises UploadMissing."""
    row: Row | None = yield one(_FIND, upload_id=upload_id)
    if row is None:
        raise UploadMissing(upload_id)
    return _upload_from(row)


def put_part(upload_id: str, bucket_name: str, part: Part, now: int) -> Transaction[Part]:
    """Record a part whose blobs are in place; one of the same number is replaced.

    Raises UploadMissing when the upload has ended meanwhile, Superseded (see ``blobs.place``).
    """
    yield lock(BUCKET_SPACE, bucket_name.encode(), shared=True)
    yield lock(UPLOAD_SPACE, upload_id.encode(), shared=True)
    upload = yield from get_upload(upload_id)
    advance(upload, Act.RECEIVE)
    return (yield from _write_part(upload.id, part, now))


def append_part(upload_id: str, bucket_name: str, offset: int, part: Part, now: int) -> Transaction[Part]:
    """Record a part whose blobs are in place behind all that there are, which come to ``offset`` bytes; its number
    is the next one.

    Raises UploadMissing, Superseded also when another offset is reached by now, TooLarge behind ``MOST_PARTS``.
    """
    yield lock(BUCKET_SPACE, bucket_name.encode(), shared=True)
    yield lock(UPLOAD_SPACE, upload_id.encode())
    upload = yield from get_upload(upload_id)
    stage = advance(upload, Act.RECEIVE)
    last: Row = yield one(_RECEIVED, upload=upload.id)
    if last[1] != offset:
        raise Superseded(f"upload {upload_id}")
    if last[0] >= MOST_PARTS:
        raise TooLarge("upload in parts", last[0] + 1, MOST_PARTS)
    if stage is not upload.stage:
        yield run(_ADVANCE, upload=upload.id, stage=stage.value)
    return (yield from _write_part(upload.id, replace(part, number=last[0] + 1), now))


def received(upload: int) -> Transaction[int]:
    """How many bytes the parts of an upload come to."""
    row: Row = yield one(_RECEIVED, upload=upload)
    return int(row[1])


def _write_part(upload: int, part: Part, now: int) -> Transaction[Part]:
    before: Row | None = yield one(_FIND_PART, upload=upload, number=part.number)
    if before is not None and before[6] is not None:
        yield from release(before[6], now)
    placed = yield from place(part.bytes, now)
    yield run(
        _PUT_PART, upload=upload, number=part.number, size=placed.size, etag=part.etag, hash=placed.hash,
        store=placed.store, blob=placed.blob, manifest=placed.manifest,
        checksums=pack_checksums(part.checksums), now=now,
    )  # fmt: skip
    return Part(part.number, part.etag, now, placed, part.checksums)


def list_parts(upload: int, after: int = 0, limit: int = MOST_PARTS) -> Transaction[list[Part]]:
    """Parts in order of number, beginning behind ``after``."""
    rows: list[Row] = yield all_(_PARTS, upload=upload, after=after, limit=limit)
    return [_part_from(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a completion ended. ``again`` tells that it had been completed before."""

    etag: str
    version_id: str
    version: Version | None
    again: bool


Compose = Callable[[Upload, Sequence[Part]], NewVersion]
"""Builds the version from the parts that are there; raises Invalid for parts that do not fit."""


def complete_upload(
    upload_id: str,
    bucket_name: str,
    compose: Compose,
    now: int,
    when: Precondition = ALWAYS,
    check: Check | None = None,
) -> Transaction[Outcome]:
    """Turn an upload's parts into a version, all or nothing.

    Raises UploadMissing, what ``compose`` raises, and what ``insert_version`` raises; the upload
    is open then as before.
    """
    yield lock(BUCKET_SPACE, bucket_name.encode(), shared=True)
    yield lock(UPLOAD_SPACE, upload_id.encode())
    upload = yield from get_upload(upload_id)
    if upload.stage is Stage.ACCEPTED and upload.version_id is not None:
        return Outcome(upload.etag or "", upload.version_id, None, again=True)
    stage = advance(upload, Act.FINISH, Act.ACCEPT)
    parts = yield from list_parts(upload.id)
    new = compose(upload, parts)
    version = yield from insert_version(new, now, when, check)
    yield from _drop_parts(upload.id, now)
    yield run(_FINISH, upload=upload.id, stage=stage.value, now=now, version_id=version.version_id, etag=version.etag)
    return Outcome(version.etag, version.version_id, version, again=False)


def list_open_uploads(after: int, limit: int) -> Transaction[list[tuple[int, str, int]]]:
    """Open uploads in order of id, beginning behind the id ``after``: the id, the upload's own, and when it was
    begun or a part was last added to it.
    """
    rows: list[Row] = yield all_(_OPEN, after=after, limit=limit)
    return [(row[0], row[1], max(row[2], row[3] or 0)) for row in rows]


def expire_upload(upload_id: str, cutoff: int, now: int) -> Transaction[bool]:
    """End an upload to which nothing was added since ``cutoff``; False when it is not there, or was added to."""
    yield lock(UPLOAD_SPACE, upload_id.encode())
    row: Row | None = yield one(_IDLE, upload_id=upload_id, cutoff=cutoff)
    if row is None:
        return False
    yield from _end(row, upload_id, "", now)
    return True


def abort_upload(upload_id: str, who: str, now: int) -> Transaction[None]:
    """End an upload without a version. Raises UploadMissing, also when it was completed."""
    yield lock(UPLOAD_SPACE, upload_id.encode())
    row: Row | None = yield one(_ABORTED, upload_id=upload_id)
    if row is None:
        raise UploadMissing(upload_id)
    advance((yield from get_upload(upload_id)), Act.ABORT)
    yield from _end(row, upload_id, who, now)


def _end(row: Row, upload_id: str, who: str, now: int) -> Transaction[None]:
    id, key, bucket, events = row
    yield from _drop_parts(id, now)
    yield run(_DELETE, upload=id)
    if events:
        yield from record(Event(Kind.ABORTED, bucket, now, who, bytes(key).decode(), payload={"upload": upload_id}))


def _drop_parts(upload: int, now: int) -> Transaction[None]:
    manifests: list[Row] = yield all_(_MANIFESTS, upload=upload)
    for row in manifests:
        if row[0] is not None:
            yield from release(row[0], now)
    yield run(_DELETE_PARTS, upload=upload)


@dataclass(frozen=True, slots=True)
class UploadQuery:
    """Which open uploads: those whose key begins with ``prefix``, behind ``after`` (a key and an
    id; an empty id stands for every upload of that key). Keys that have ``delimiter`` behind the
    prefix are told as one group; an ``after`` within a group is behind all of it. Only those of which
    ``visible`` holds are there.
    """

    prefix: str = ""
    delimiter: str = ""
    after: tuple[str, str] = ("", "")
    limit: int = 1000
    visible: Expression = TRUE


@dataclass(frozen=True, slots=True)
class UploadPage:
    """``following`` is the ``after`` of the next page, None on the last one."""

    uploads: Sequence[Upload]
    prefixes: Sequence[str]
    following: tuple[str, str] | None


def list_uploads(bucket: int, query: UploadQuery) -> Transaction[UploadPage]:
    """A page of the open uploads of a bucket in order of key, then id."""
    if query.limit <= 0:
        return UploadPage([], [], None)
    key, upload_id = query.after[0].encode(), query.after[1]
    bounds = Bounds(query.prefix.encode(), query.delimiter.encode(), key)
    only = compile_filter(query.visible, UPLOADS)
    entries: list[Row | bytes] = []
    if upload_id and key.startswith(query.prefix.encode()) and bounds.fold(key) is None:
        rest: dict[str, Value] = {"bucket": bucket, "key": key, "upload_id": upload_id, "limit": query.limit + 1}
        entries += yield all_(only.of(_REST), **rest, **only.params)

    def prefixes(wanted: int) -> Statement:
        where = {"bucket": bucket, "limit": wanted, **bounds.folding}
        return all_(only.of(_PREFIXES), **where, **only.params)

    def block(wanted: int) -> Transaction[list[Row]]:
        where = {"bucket": bucket, "limit": wanted, **bounds.stretch}
        rows: list[Row] = yield all_(only.of(_BLOCK), **where, **only.params)
        return rows

    yield from gather(bounds, entries, query.limit, prefixes, block)
    rows, groups, more = split(entries, query.limit)
    uploads = [_upload_from(row) for row in rows]
    if not more:
        return UploadPage(uploads, groups, None)
    ended = isinstance(entries[-1], bytes)
    return UploadPage(uploads, groups, (groups[-1], "") if ended else (uploads[-1].key, uploads[-1].upload_id))


def _upload_from(row: Row) -> Upload:
    return Upload(
        row[0], row[2], row[3], row[1].decode(), row[4], row[5],
        Meta(row[6], read_texts(row[7]), read_texts(row[8])), row[9], bool(row[10]), row[11], row[12],
        read_texts(row[13]), Stage(row[14]), row[15],
    )  # fmt: skip


def _part_from(row: Row) -> Part:
    blob = None if row[5] is None else BlobId(row[5])
    placed = Bytes(row[3], row[4], blob=blob, manifest=row[6], store=row[8])
    return Part(row[0], row[1], row[2], placed, unpack_checksums(row[7]))
