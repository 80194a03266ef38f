"""A bucket that was bound to another store: what was there is read where it lies, what comes goes where it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from entrepot.blobs.memory import MemoryStore
from entrepot.catalog.database import Sql, Transaction, run
from entrepot.catalog.operations.consistency import find_broken
from entrepot.catalog.operations.upkeep import list_blobs
from entrepot.core.content import Intake
from entrepot.core.objects import Copy, CopySource, Put
from entrepot.core.uploads import Place
from entrepot.errors import Superseded
from entrepot.model import Buffer, Meta
from tests.core.services import ROOT, Numbered, Services, expecting, joined, open_services, pieces

_MOVE = Sql("UPDATE buckets SET store = :store")
DATA = {"empty": b"", "inline": b"abc", "blob": b"12345678", "pieces": b"0123456789" * 5}
PARTS = (b"a part of several blobs", b"another part", b"one")


def _move(store: str) -> Transaction[None]:
    yield run(_MOVE, store=store)


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Services, MemoryStore]]:
    other = MemoryStore("other")
    async with open_services(others={"other": other}) as services:
        await services.buckets.create(ROOT, "bucket")
        yield services, other


async def put(services: Services, key: str, data: bytes) -> None:
    said = Put(Meta(), Intake(size=len(data), digests=("md5",)))
    await services.objects.put(ROOT, "bucket", key, pieces([data]), said)


async def put_part(services: Services, place: Place, number: int) -> None:
    await services.uploads.put_part(ROOT, place, number, pieces([PARTS[number - 1]]), expecting())


async def begin(services: Services, key: str) -> Place:
    upload = await services.uploads.create(ROOT, "bucket", key, Meta())
    return Place("bucket", key, upload.upload_id)


async def complete(services: Services, place: Place) -> None:
    await services.uploads.complete(ROOT, place, Numbered(1, 2, 3))


@pytest.mark.parametrize("digests", [(), ("md5",)])
async def test_a_copy_that_is_read_has_the_digests_of_its_door(digests: tuple[str, ...]) -> None:
    async with opened() as (services, _):
        await put(services, "source", DATA["pieces"])
        await services.database.write(_move("other"))
        copy = Copy(CopySource("bucket", "source"), digests=digests)
        _, version = await services.objects.copy(ROOT, "bucket", "copied", copy)
        md5 = hashlib.md5(DATA["pieces"], usedforsecurity=False).hexdigest()
        assert (version.etag == md5) is (digests == ("md5",))


async def read(services: Services, key: str) -> bytes:
    return await joined(await (await services.objects.open(ROOT, "bucket", key)).read())


async def store_of(services: Services, key: str) -> str:
    return (await services.objects.open(ROOT, "bucket", key)).version.bytes.store


async def check_whole(services: Services) -> None:
    """Nothing contradicts itself, and the collector takes nothing that is named."""
    assert await services.database.scan(find_broken()) == []
    for name, store in services.content.stores.items():
        page = await services.database.scan(list_blobs(name, b"", 1 << 60, 1000))
        await store.remove([each.blob for each, unnamed in page if unnamed])


async def test_what_was_there_is_read_where_it_lies() -> None:
    async with opened() as (services, other):
        for key, data in DATA.items():
            await put(services, key, data)
        place = await begin(services, "parts")
        for number in (1, 2, 3):
            await put_part(services, place, number)
        await complete(services, place)
        await services.database.write(_move("other"))
        await check_whole(services)
        for key, data in DATA.items():
            assert await read(services, key) == data
        assert await read(services, "parts") == b"".join(PARTS)
        assert [each async for each in other.list()] == []
        assert await store_of(services, "blob") == "main"
        assert await store_of(services, "inline") == ""


async def test_what_comes_goes_to_the_new_store_copies_too() -> None:
    async with opened() as (services, _):
        await put(services, "before", DATA["pieces"])
        await put(services, "inline", DATA["inline"])
        await services.database.write(_move("other"))
        await put(services, "after", DATA["pieces"])
        for source in ("before", "inline"):
            await services.objects.copy(ROOT, "bucket", f"{source} copied", Copy(CopySource("bucket", source)))
        await check_whole(services)
        assert [await store_of(services, key) for key in ("before", "after", "before copied")] == [
            "main", "other", "other",
        ]  # fmt: skip
        assert await read(services, "after") == await read(services, "before copied") == DATA["pieces"]
        assert await read(services, "inline copied") == DATA["inline"]


@pytest.mark.parametrize("moved_before", [1, 2, 3])
async def test_an_upload_goes_on(moved_before: int) -> None:
    async with opened() as (services, _):
        place = await begin(services, "key")
        for number in (1, 2, 3):
            if number == moved_before:
                await services.database.write(_move("other"))
            await put_part(services, place, number)
        await check_whole(services)
        await complete(services, place)
        await check_whole(services)
        assert await read(services, "key") == b"".join(PARTS)
        assert await store_of(services, "key") == "other"


async def test_a_part_that_comes_to_another_store_during_completion(monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts were read while all lay in one store; they are not joined over two."""
    async with opened() as (services, _):
        place = await begin(services, "key")
        for number in (1, 2, 3):
            await put_part(services, place, number)
        write, late = services.database.write, [True]

        async def write_late(operation: Transaction[Buffer], **kind: bool) -> Buffer:
            if late:
                late.clear()
                await write(_move("other"))
                await put_part(services, place, 1)
            return await write(operation, **kind)

        monkeypatch.setattr(services.database, "write", write_late)
        with pytest.raises(Superseded):
            await complete(services, place)
        await complete(services, place)
        assert await read(services, "key") == b"".join(PARTS)
        await check_whole(services)
