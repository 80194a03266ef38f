"""A bucket whose bytes live in the catalog from end to end, as the configuration makes it."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest

from entrepot.app import open_core
from entrepot.blobs.inline import Settings
from entrepot.config import Config, load
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.core.upkeep import Collected
from entrepot.errors import ConfigInvalid
from entrepot.model import Meta, Span
from tests.core.services import ROOT, cut, joined, pieces

SIZE = 9_000_000
BLOB_SIZE = 4 << 20


def test_a_large_object_comes_and_goes(tmp_path: Path) -> None:
    data = random.Random(1).randbytes(SIZE)
    config = Config(data=tmp_path, stores={"main": Settings()}, blob_size=BLOB_SIZE)

    async def put() -> None:
        async with open_core(config) as core:
            await core.buckets.create(ROOT, "bucket")
            body = pieces(cut(data, range(0, SIZE, 100_000)))
            await core.objects.put(ROOT, "bucket", "key", body, Put(Meta(), Intake(size=SIZE, digests=("md5",))))

    async def use() -> None:
        async with open_core(config) as core:
            opened = await core.objects.open(ROOT, "bucket", "key")
            assert await joined(await opened.read()) == data
            for span in (Span(0, 1), Span(BLOB_SIZE - 5, BLOB_SIZE + 5), Span(SIZE - 1, SIZE), Span(1, SIZE - 1)):
                assert await joined(await opened.read(span)) == data[span.start : span.end]
            assert await core.health.report() == {"catalog": "ok", "store:main": "ok"}
            assert [finding async for finding in core.upkeep.check(deep=True)] == []
            await core.objects.delete(ROOT, "bucket", "key")
            assert await core.upkeep.collect(-1) == Collected(manifests=1, blobs=3, bytes=SIZE)
            assert [finding async for finding in core.upkeep.check(deep=True)] == []

    asyncio.run(put())
    assert not (tmp_path / "blobs").exists()
    asyncio.run(use())


def test_blobs_longer_than_the_catalog_takes_are_refused_at_the_start(tmp_path: Path) -> None:
    inline = {"data": str(tmp_path), "stores.main.kind": "inline", "memory_budget": "64 MiB"}
    assert load({**inline, "blob_size": "8 MiB"}, {}).config.stores["main"].kind == "inline"
    with pytest.raises(ConfigInvalid, match="longest blob"):
        load({**inline, "blob_size": "9 MiB"}, {})
