"""The store within the catalog keeps every store's promises, on each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.blobs.inline import InlineStore
from entrepot.blobs.kinds import stack
from entrepot.blobs.probe import probe
from entrepot.blobs.store import BlobStore, digest, receive
from entrepot.catalog.database import Database, Row, Sql, Transaction, all_, run
from entrepot.core.health import Health
from entrepot.core.upkeep import Collected
from entrepot.errors import BlobMissing, Unavailable
from entrepot.model import BlobId
from tests.catalog.engines import Engine
from tests.contracts.blob_store import BlobStoreContract, listed, sample
from tests.upkeep.house import BLOB, DAY, ROOT, data, opened

NAME = "main"

_PLANT = Sql(
    "INSERT INTO stored_blobs (store, digest, data) VALUES (:store, :digest, :data) "
    "ON CONFLICT (store, digest, damaged) DO UPDATE SET data = excluded.data"
)
_LOOK = Sql("SELECT data FROM stored_blobs WHERE store = :store AND digest = :digest AND damaged = :damaged")


def plant(id: BlobId, bytes_: bytes) -> Transaction[None]:
    yield run(_PLANT, store=NAME, digest=id, data=bytes_)


def look(id: BlobId, damaged: int) -> Transaction[list[bytes]]:
    rows: list[Row] = yield all_(_LOOK, store=NAME, digest=id, damaged=damaged)
    return [bytes(row[0]) for row in rows]


class Table:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def plant(self, id: BlobId, data: bytes) -> None:
        await self._database.write(plant(id, data))

    async def peek(self, id: BlobId) -> bytes | None:
        found = await self._database.read(look(id, 0))
        return found[0] if found else None

    async def aside(self, id: BlobId) -> list[bytes]:
        return await self._database.read(look(id, 1))


class InlineStoreContract(BlobStoreContract):
    @pytest.fixture
    def store(self, database: Database) -> BlobStore:
        return stack(InlineStore(database, NAME))

    @pytest.fixture
    def backdoor(self, database: Database) -> Table:
        return Table(database)

    async def test_stores_of_one_catalog_are_apart(self, database: Database, store: BlobStore) -> None:
        other = stack(InlineStore(database, "other"))
        id = await receive(store, b"x")
        assert await other.stat([id]) == {}
        assert await listed(other) == []
        with pytest.raises(BlobMissing):
            await other.get(id)
        assert await other.put(id, b"x") is True
        await store.remove([id])
        assert await other.get(id) == b"x"

    async def test_another_opener_sees_it(self, engine: Engine, store: BlobStore) -> None:
        if not engine.address:
            return  # a catalog in memory has one opener
        content = sample(3_000_000)
        id = await receive(store, content)
        elsewhere = await engine.open()
        assert await stack(InlineStore(elsewhere, NAME)).get(id) == content
        await elsewhere.close()

    async def test_sizes_of_many(self, store: BlobStore) -> None:
        blobs = [sample(size, size) for size in range(1, 130)]
        ids = [await receive(store, blob) for blob in blobs]
        absent = [digest(b"absent %d" % number) for number in range(40)]
        assert await store.stat({*ids, *absent}) == {digest(blob): len(blob) for blob in blobs}

    async def test_what_was_set_aside_goes_with_the_blob(self, store: BlobStore, backdoor: Table) -> None:
        id = digest(b"sound")
        for bad in (b"bad", b"worse"):
            await backdoor.plant(id, bad)
            assert await store.put(id, b"sound") is True
            assert await backdoor.aside(id) == [bad]
        await store.remove([id])
        assert await backdoor.aside(id) == []

    async def test_collect_and_check(self, database: Database, store: BlobStore, tmp_path: Path) -> None:
        async with opened(tmp_path, database, store) as house:
            await house.buckets.create(ROOT, "bucket")
            kept, gone, stranger = data(3 * BLOB), data(2 * BLOB + 1), data(BLOB)
            await house.put("kept", kept)
            await house.put("gone", gone)
            await house.delete("gone")
            await receive(store, stranger)
            assert [(finding.kind, finding.harmless) for finding in await house.check()] == [("orphan", True)]
            house.clock.pass_(2 * DAY)
            expected = Collected(manifests=1, blobs=3, bytes=2 * BLOB + 1, orphans=1)
            assert await house.upkeep.collect(DAY, orphans=True) == expected
            assert await house.kept() == 3
            assert await house.get("kept") == kept
            assert await house.check() == []

    async def test_check_finds_damage_and_a_put_mends_it(
        self, database: Database, store: BlobStore, backdoor: Table, tmp_path: Path
    ) -> None:
        async with opened(tmp_path, database, store) as house:
            await house.buckets.create(ROOT, "bucket")
            content = data(BLOB)
            await house.put("key", content)
            await backdoor.plant(digest(content), bytes(BLOB))
            assert [finding.kind for finding in await house.check()] == ["damaged"]
            assert [finding.kind for finding in await house.check()] == ["missing"]
            await house.put("key", content)
            assert await house.check() == []
            assert await house.get("key") == content

    async def test_health(self, database: Database, store: BlobStore) -> None:
        assert await probe(store) is None
        assert await Health(database, {NAME: store}).report() == {"catalog": "ok", "store:main": "ok"}


class TestFile(InlineStoreContract):
    @pytest.fixture
    def engine(self, file_engine: Engine) -> Engine:
        return file_engine


class TestMemory(InlineStoreContract):
    @pytest.fixture
    def engine(self, memory_engine: Engine) -> Engine:
        return memory_engine


class TestServer(InlineStoreContract):
    @pytest.fixture
    def engine(self, postgres_engine: Engine) -> Engine:
        return postgres_engine


async def test_a_closed_catalog_is_no_empty_store(file_engine: Engine) -> None:
    database = await file_engine.open()
    store = stack(InlineStore(database, NAME))
    id = await receive(store, b"x")
    await database.close()
    for call in (store.get(id), store.stat([id]), store.put(id, b"x"), store.remove([id]), listed(store)):
        with pytest.raises(Unavailable):
            await call
