"""The services over a catalog and stores, as a server has them, with a clock that can be moved."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from entrepot.blobs.disk import DiskStore
from entrepot.blobs.kinds import stack
from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.core.buckets import Buckets
from entrepot.core.budget import Budget
from entrepot.core.content import Content, Intake
from entrepot.core.inspection import Finding
from entrepot.core.objects import Copy, CopySource, Objects, Put, stream
from entrepot.core.upkeep import Upkeep
from entrepot.core.uploads import Place, Uploads
from entrepot.model import Meta, Principal
from tests.core.services import Numbered, expecting

BLOB = 4096
INLINE = 256
DAY = 86_400.0
ROOT = Principal("root", root=True)


class Clock:
    """The time, and so many microseconds more; never the same twice, unless it is set back."""

    def __init__(self) -> None:
        self.ahead = 0
        self._last = 0

    def __call__(self) -> int:
        self._last = max(self._last + 1, time.time_ns() // 1000 + self.ahead)
        return self._last

    def pass_(self, seconds: float) -> None:
        self.ahead += round(seconds * 1_000_000)

    def set_back(self, seconds: float) -> None:
        """As somebody does who finds that it is wrong: what is told next may have been told before."""
        self.ahead -= round(seconds * 1_000_000)
        self._last = 0


@dataclass
class House:
    clock: Clock
    database: Database
    store: BlobStore
    content: Content
    buckets: Buckets
    objects: Objects
    uploads: Uploads
    upkeep: Upkeep

    async def put(self, key: str, data: bytes, bucket: str = "bucket") -> None:
        put = Put(Meta(), Intake(size=len(data), digests=("md5",)))
        await self.objects.put(ROOT, bucket, key, stream(data), put)

    async def get(self, key: str) -> bytes:
        opened = await self.objects.open(ROOT, "bucket", key)
        return b"".join([bytes(part) async for part in stream(await opened.read())])

    async def copy(self, source: str, key: str) -> None:
        await self.objects.copy(ROOT, "bucket", key, Copy(CopySource("bucket", source)))

    async def delete(self, key: str) -> None:
        await self.objects.delete(ROOT, "bucket", key)

    async def upload(self, key: str, *parts: bytes) -> Place:
        """An open upload with these parts."""
        upload = await self.uploads.create(ROOT, "bucket", key, Meta())
        place = Place("bucket", key, upload.upload_id)
        for number, part in enumerate(parts, 1):
            await self.uploads.put_part(ROOT, place, number, stream(part), expecting(Intake(size=len(part))))
        return place

    async def complete(self, place: Place, count: int) -> None:
        await self.uploads.complete(ROOT, place, Numbered(*range(1, count + 1)))

    async def kept(self) -> int:
        """Blobs in the store."""
        return len([blob async for blob in self.store.list()])

    async def check(self, *, deep: bool = True) -> list[Finding]:
        return [finding async for finding in self.upkeep.check(deep=deep)]


@asynccontextmanager
async def opened(
    folder: Path, database: Database | None = None, store: BlobStore | None = None
) -> AsyncIterator[House]:
    """Everything over a directory, which other processes may have open as well."""
    clock = Clock()
    catalog = database or await SQLite.open(folder / "catalog.sqlite")
    disk = DiskStore(folder / "blobs", "main") if store is None else None
    blobs = stack(disk) if disk is not None else store
    assert blobs is not None
    stores = {"main": blobs}
    content = Content(catalog, stores, Budget(1 << 24, folder), clock, blob_size=BLOB, inline_limit=INLINE)
    buckets = Buckets(catalog, frozenset(stores), "main", clock)
    objects = Objects(catalog, content, buckets, clock)
    uploads = Uploads(catalog, content, buckets, objects, clock)
    try:
        yield House(clock, catalog, blobs, content, buckets, objects, uploads, Upkeep(catalog, stores, clock))
    finally:
        content.close()
        if disk is not None:
            disk.close()
        if database is None:
            await catalog.close()


_numbers = itertools.count(1)


def data(size: int) -> bytes:
    """Bytes that nothing else has."""
    return next(_numbers).to_bytes(8, "big") + os.urandom(max(0, size - 8)) if size >= 8 else os.urandom(size)
