"""Every table filled with so many rows that a plan which reads all of them shows, on any engine."""

from __future__ import annotations

from typing import Final

from entrepot.catalog.database import Sql, Transaction, run

ROWS: Final = 12_000

_COUNT: Final = "WITH RECURSIVE n (i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})"
_VERSION: Final = (
    "version_id, live, marker, size, etag, hash, inline_id, store, blob, manifest, media_type, parts, tags, owner, "
    "created_at) SELECT {bucket}, CAST({key} AS BLOB), {id}, {live}, 0, 1, 'etag', CAST('hash' AS BLOB), {bytes}, "
    "'text/plain', 0, 0, 'owner', i FROM n"
)
_BYTES: Final = (
    "CASE i % 3 WHEN 0 THEN i END, CASE i % 3 WHEN 0 THEN '' ELSE 'main' END, "
    "CASE i % 3 WHEN 1 THEN CAST('blob' || i AS BLOB) END, CASE i % 3 WHEN 2 THEN i END"
)


def _versions(first: int, last: int, *, bucket: str, key: str, id: str, live: int) -> Sql:
    select = _VERSION.format(bucket=bucket, key=key, id=id, live=live, bytes=_BYTES)
    return Sql(f"{_COUNT.format(first=first, last=last)} INSERT INTO versions (bucket, key, {select}")


def _into(table: str, columns: str, values: str) -> Sql:
    return Sql(
        f"{_COUNT.format(first=1, last=ROWS)} INSERT INTO {table} ({columns}) SELECT {values} FROM n"  # noqa: S608 - ours
    )


def live_objects(count: int, bucket: int = 1) -> Sql:
    """Objects of one version, ten to a folder."""
    key = "'folder' || (i / 10) || '/key' || i"
    return _versions(1, count, bucket=f"{bucket}", key=key, id="'null'", live=1)


def one_key(count: int, bucket: int = 2) -> Sql:
    """Older versions of one key."""
    return _versions(1, count, bucket=f"{bucket}", key="'one key'", id="'version' || i", live=0)


FILL: Final = (
    _into("buckets", "name, owner, store, versioning, public_read, created_at", "'bucket' || i, 'owner' || (i % 99), "
          "'main', 1, 0, i"),
    _into("keys", "access_key, account, display_name, sealed, root, grants, created_at",
          "'KEY' || i, 'account' || i, 'name', CAST('x' AS BLOB), CASE i WHEN 1 THEN 1 ELSE 0 END, '', i"),
    live_objects(ROWS),
    one_key(ROWS),
    _versions(1, ROWS, bucket="3 + i % 1000", key="'key' || i", id="'v' || i", live=0),
    _into("inline_blobs", "digest, seen_at, data", "CAST('inline' || i AS BLOB), i, CAST('data' AS BLOB)"),
    _into("placements", "store, blob, size, seen_at", "'main', CAST('blob' || i AS BLOB), 1, i"),
    _into("manifests", "store, size, released_at", "'main', 1, i"),
    _into("pieces", "manifest, start, size, blob, nested", "1 + i / 10, i % 10, 1, CAST('blob' || i AS BLOB), NULL"),
    _into("uploads", "upload_id, bucket, key, owner, media_type, algorithm, composite, created_at, finished_at",
          "'upload' || i, 1 + i % 999, CAST('key' || (i / 10) AS BLOB), 'owner', '', '', 1, i, "
          "CASE i % 2 WHEN 0 THEN i END"),
    _into("parts", "upload, number, size, etag, hash, store, blob, created_at",
          "1 + i / 10, i % 10, 1, 'etag', CAST('hash' AS BLOB), 'main', CAST('blob' || i AS BLOB), i"),
    _into("layouts", "version, packed", "i, CAST('x' AS BLOB)"),
    _into("stored_blobs", "store, digest, data", "'rows', CAST('blob' || i AS BLOB), CAST('data' AS BLOB)"),
    _into("version_tags", "version, name, value", "i, 'name', 'value'"),
    _into("bucket_tags", "bucket, name, value", "i, 'name', 'value'"),
    _into("events", "sequence, happened_at, kind, bucket, principal",
          f"CASE WHEN i < {ROWS - 9} THEN i END, i, 'kind', 'bucket', 'who'"),
    _into("leases", "name, holder, token, until", "'lease' || i, 'holder', i, i"),
    _into("jobs", "name, kind, arguments, due, done", "'job' || i, 'kind', '{}', i, '{}'"),
)  # fmt: skip


def fill() -> Transaction[None]:
    for sql in FILL:
        yield run(sql)
