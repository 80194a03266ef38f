"""Shorthand of the operations' contracts: writers and readers with the arguments that a test does not care for."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from typing import TYPE_CHECKING, Any, TypeVar

from entrepot.catalog.database import Database, Sql, Transaction, one
from entrepot.catalog.operations import buckets, objects
from entrepot.catalog.operations.blobs import claim, place
from entrepot.model import (
    ALWAYS,
    NO_CHECKSUMS,
    BlobId,
    Bucket,
    Bytes,
    Checksums,
    Meta,
    Part,
    Precondition,
    Version,
    Versioning,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

T = TypeVar("T")

STORE = "main"
clock: Iterator[int] = itertools.count(1_000_000)
names: Iterator[int] = itertools.count(1)


def digest(data: bytes) -> BlobId:
    """Stands for BLAKE3: the catalog never computes one."""
    return BlobId(hashlib.sha256(data).digest())


def inline(data: bytes) -> Bytes:
    return Bytes(len(data), digest(data), data=data)


def new_version(
    bucket: Bucket,
    key: str,
    data: bytes,
    version_id: str = "v",
    *,
    bytes_: Bytes | None = None,
    meta: Meta | None = None,
    checksums: Checksums = NO_CHECKSUMS,
    parts: Sequence[Part] = (),
    tags: Mapping[str, str] | None = None,
) -> objects.NewVersion:
    return objects.NewVersion(
        bucket.id, bucket.name, key, lambda: version_id, hashlib.md5(data, usedforsecurity=False).hexdigest(), "owner",
        bytes_ or inline(data), meta or Meta("text/plain"), checksums, parts, tags,
    )  # fmt: skip


class Acts:
    """The operations of one catalog, awaited one by one."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def bucket(self, versioning: Versioning = Versioning.OFF) -> Bucket:
        name = f"bucket{next(names)}"
        await self.database.write(buckets.create_bucket(name, "owner", STORE, next(clock)))
        return await self.versioning(name, versioning)

    async def versioning(self, name: str, versioning: Versioning) -> Bucket:
        return await self.database.write(buckets.change_bucket(name, buckets.BucketChange(versioning)))

    async def put(self, bucket: Bucket, key: str, data: bytes, when: Precondition = ALWAYS, **fields: Any) -> Version:
        fields.setdefault("version_id", f"v{next(names)}")
        return await self.database.write(
            objects.insert_version(new_version(bucket, key, data, **fields), next(clock), when)
        )

    async def delete(self, bucket: Bucket, key: str, when: Precondition = ALWAYS) -> objects.Deleted:
        return await self.database.write(
            objects.delete_object(bucket.id, bucket.name, key, "owner", f"m{next(names)}", next(clock), when)
        )

    async def delete_version(
        self, bucket: Bucket, key: str, version_id: str, when: Precondition = ALWAYS
    ) -> objects.Deleted:
        return await self.database.write(
            objects.delete_version(bucket.id, bucket.name, key, version_id, "owner", next(clock), when)
        )

    async def live(self, bucket: Bucket, key: str) -> Version | None:
        found, version = await self.database.read(objects.look_up(bucket.name, key))
        assert found is not None
        assert found.id == bucket.id
        return version

    async def data(self, bucket: Bucket, key: str) -> bytes | None:
        version = await self.live(bucket, key)
        return None if version is None else version.bytes.data

    async def newest(self, bucket: Bucket, key: str) -> Version | None:
        return await self.database.read(objects.find_newest(bucket.id, key))

    async def claim(self, blob: BlobId, now: int) -> int:
        """Claim a blob of a byte that nobody is removing."""
        claimed = await self.database.write(claim(STORE, blob, 1, now))
        assert claimed is not None
        return claimed

    async def placed(self, data: bytes) -> BlobId:
        """A blob that somebody has claimed, put and named."""
        blob, now = digest(data), next(clock)
        claimed = await self.database.write(claim(STORE, blob, len(data), now))
        assert claimed is not None
        await self.database.write(place(Bytes(len(data), blob, blob=blob, claim=claimed, store=STORE), now))
        return blob

    async def number(self, text: str, **params: Any) -> int:
        """The single number that a query gives."""

        def operation() -> Transaction[int]:
            row = yield one(Sql(text), **params)
            return int(row[0])

        return await self.database.read(operation())


async def outcomes(*attempts: Any) -> tuple[list[Any], list[BaseException]]:
    """Run coroutines at once: what the successful returned, and the errors of the others."""
    results = await asyncio.gather(*attempts, return_exceptions=True)
    failed = [result for result in results if isinstance(result, BaseException)]
    return [result for result in results if not isinstance(result, BaseException)], failed
