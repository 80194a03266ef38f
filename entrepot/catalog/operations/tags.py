"""Operations on tags: names and values that their owners give to versions and buckets, a row for each.

A version counts its tags (``versions.tags``), so that one without any costs no statement.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, run, run_many

_LIST: Final = Sql("SELECT name, value FROM version_tags WHERE version = :version ORDER BY name")
_KEEP: Final = Sql("INSERT INTO version_tags (version, name, value) VALUES (:version, :name, :value)")
_DROP: Final = Sql("DELETE FROM version_tags WHERE version = :version")

_LIST_OF_BUCKET: Final = Sql("SELECT name, value FROM bucket_tags WHERE bucket = :bucket ORDER BY name")
_KEEP_OF_BUCKET: Final = Sql("INSERT INTO bucket_tags (bucket, name, value) VALUES (:bucket, :name, :value)")
_DROP_OF_BUCKET: Final = Sql("DELETE FROM bucket_tags WHERE bucket = :bucket")


def list_tags(version: int) -> Transaction[dict[str, str]]:
    """The tags of a version in order of name."""
    rows: list[Row] = yield all_(_LIST, version=version)
    return {row[0]: row[1] for row in rows}


def keep_tags(version: int, tags: Mapping[str, str]) -> Transaction[None]:
    """Give tags to a version that has none."""
    yield run_many(_KEEP, [{"version": version, "name": name, "value": value} for name, value in tags.items()])


def drop_tags(version: int) -> Transaction[None]:
    """The version is gone, or gets other tags."""
    yield run(_DROP, version=version)


def list_bucket_tags(bucket: int) -> Transaction[dict[str, str]]:
    """The tags of a bucket in order of name."""
    rows: list[Row] = yield all_(_LIST_OF_BUCKET, bucket=bucket)
    return {row[0]: row[1] for row in rows}


def keep_bucket_tags(bucket: int, tags: Mapping[str, str]) -> Transaction[None]:
    """Give tags to a bucket that has none."""
    yield run_many(_KEEP_OF_BUCKET, [{"bucket": bucket, "name": name, "value": value} for name, value in tags.items()])


def drop_bucket_tags(bucket: int) -> Transaction[None]:
    """The bucket is gone, or gets other tags."""
    yield run(_DROP_OF_BUCKET, bucket=bucket)
