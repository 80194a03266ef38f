"""Puts names into Entrepôt's catalog directly, where a million requests would take too long."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from entrepot.catalog.database import Transaction
from entrepot.catalog.operations.objects import NewVersion, insert_version, look_up
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.core.objects import new_version_id
from entrepot.model import Bucket, Version

_BATCH = 10_000


def fill(data: Path, bucket: str, names: Iterable[str], model: str) -> None:
    """Copy the object ``model`` to every name, beside the running server that owns the data directory.

    Raises LookupError when the bucket or ``model`` is not there.
    """
    asyncio.run(_fill(data, bucket, names, model))


async def _fill(data: Path, bucket: str, names: Iterable[str], model: str) -> None:
    database = await SQLite.open(data / "catalog.sqlite")
    try:
        place, version = await database.read(look_up(bucket, model))
        if place is None or version is None:
            raise LookupError(f"{bucket}/{model}")
        left = iter(names)
        while batch := list(itertools.islice(left, _BATCH)):
            await database.write(_insert(place, version, batch), heavy=True)
    finally:
        await database.close()


def _insert(bucket: Bucket, model: Version, names: Sequence[str]) -> Transaction[None]:
    """What CopyObject does for one name, for many in one transaction."""
    now = time.time_ns() // 1000
    place = replace(model.bytes, data=None)
    for name in names:
        new = NewVersion(
            bucket.id, bucket.name, name, new_version_id, model.etag, model.owner, place, model.meta, model.checksums
        )
        yield from insert_version(new, now)
