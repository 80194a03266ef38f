"""The collector takes what nothing names, all of it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from entrepot.blobs.store import digest
from entrepot.catalog.operations.blobs import claim, condemn, condemn_orphan, place
from entrepot.core.content import Intake
from entrepot.core.objects import Put, stream
from entrepot.core.upkeep import Collected
from entrepot.errors import Busy, Superseded, UploadMissing
from entrepot.model import Buffer, Bytes, Meta
from tests.core.services import expecting
from tests.upkeep.house import BLOB, DAY, ROOT, House, data

LARGE = 3 * BLOB + 17


async def test_what_is_named_stays(house: House) -> None:
    files = {"inline": data(100), "blob": data(BLOB), "large": data(LARGE), "empty": b""}
    for key, content in files.items():
        await house.put(key, content)
    await house.complete(await house.upload("joined", data(LARGE), data(LARGE)), 2)
    await house.upload("open", data(LARGE), data(BLOB))
    kept = await house.kept()
    house.clock.pass_(10 * DAY)
    assert await house.upkeep.collect(DAY) == Collected(uploads_forgotten=1)
    assert {key: await house.get(key) for key in files} == files
    assert await house.kept() == kept
    assert await house.check() == []


async def test_what_nothing_names_goes_after_the_grace_period(house: House) -> None:
    for key, size in (("inline", 100), ("blob", BLOB), ("large", LARGE)):
        await house.put(key, data(size))
        await house.delete(key)
    assert await house.upkeep.collect(DAY) == Collected()
    assert await house.kept() == 5
    house.clock.pass_(DAY + 1)
    expected = Collected(manifests=1, inline=1, inline_bytes=100, blobs=5, bytes=BLOB + LARGE)
    seen: list[int] = []
    assert await house.upkeep.collect(DAY, progress=lambda done: seen.append(done.blobs)) == expected
    assert seen[-1] == 5
    assert await house.kept() == 0
    assert await house.upkeep.collect(DAY) == Collected()
    assert await house.check() == []


async def test_manifests_within_manifests_go_in_one_run(house: House) -> None:
    await house.complete(await house.upload("key", data(LARGE), data(LARGE), data(BLOB)), 3)
    await house.delete("key")
    house.clock.pass_(2 * DAY)
    expected = Collected(manifests=3, blobs=9, bytes=2 * LARGE + BLOB, uploads_forgotten=1)
    planned = await house.upkeep.collect(DAY, dry_run=True)
    planned.dry_run = False
    assert planned == expected
    assert await house.kept() == 9
    assert await house.upkeep.collect(DAY) == expected
    assert await house.kept() == 0


async def test_a_name_that_is_left_keeps_what_it_shares(house: House) -> None:
    content = data(LARGE)
    for key in ("one", "two"):
        await house.put(key, content)
    await house.copy("one", "three")
    await house.delete("one")
    await house.delete("two")
    house.clock.pass_(2 * DAY)
    assert await house.upkeep.collect(DAY) == Collected(manifests=1)
    assert await house.get("three") == content


async def test_putting_again_renews(house: House) -> None:
    content = data(BLOB)
    await house.put("key", content)
    await house.delete("key")
    house.clock.pass_(2 * DAY)
    await house.database.write(claim("main", digest(content), BLOB, house.clock()))
    assert await house.upkeep.collect(DAY) == Collected()
    assert await house.kept() == 1


async def test_a_reader_finishes_within_the_grace_period(house: House) -> None:
    content = data(200 * BLOB)
    await house.put("key", content)
    house.clock.pass_(2 * DAY)
    await house.upkeep.collect(DAY)
    reading = await (await house.objects.open(ROOT, "bucket", "key")).read()
    assert not isinstance(reading, bytes | bytearray | memoryview)
    got = [bytes(await anext(reading))]
    await house.delete("key")
    await house.upkeep.collect(DAY)
    got += [bytes(part) async for part in reading]
    assert b"".join(got) == content


async def test_a_transfer_that_outlasts_the_grace_period_is_told(house: House) -> None:
    """Its blob was collected meanwhile, and claimed again by a writer that died before it put anything."""
    content = data(2 * BLOB)

    async def slow() -> AsyncIterator[Buffer]:
        yield content[: BLOB + 1]
        while not await house.kept():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        house.clock.pass_(2 * DAY)
        assert (await house.upkeep.collect(DAY)).blobs == 1
        await house.content.claim("main", digest(content[:BLOB]), BLOB)
        yield content[BLOB + 1 :]

    with pytest.raises(Superseded):
        await house.objects.put(ROOT, "bucket", "key", slow(), Put(Meta(), Intake()))
    assert await house.check() == []
    await house.put("key", content)
    assert await house.get("key") == content


async def test_a_crashed_collection_is_finished(house: House) -> None:
    contents = [data(BLOB) for _ in range(3)]
    for number, content in enumerate(contents):
        await house.put(str(number), content)
        await house.delete(str(number))
        await house.database.write(condemn("main", digest(content), house.clock() + 1))
    await house.store.remove([digest(contents[0])])
    assert await house.database.write(claim("main", digest(contents[0]), BLOB, house.clock())) is None
    assert await house.upkeep.collect(DAY) == Collected(blobs=3)
    await house.put("again", contents[0])
    assert await house.get("again") == contents[0]
    assert await house.check() == []


@pytest.mark.parametrize("removed", [False, True])
async def test_what_a_crashed_collection_left_can_be_put_again(house: House, *, removed: bool) -> None:
    content = data(BLOB)
    await house.put("key", content)
    await house.delete("key")
    await house.database.write(condemn("main", digest(content), house.clock() + 1))
    if removed:
        await house.store.remove([digest(content)])
    await asyncio.gather(*(house.put(str(number), content) for number in range(4)))
    assert await house.get("3") == content
    assert await house.upkeep.collect(0) == Collected()
    assert await house.check() == []


async def test_what_is_being_removed_is_left_to_the_collector(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    content = data(BLOB)
    await house.store.put(digest(content), content)
    await house.database.write(condemn_orphan("main", digest(content), house.clock()))
    monkeypatch.setattr("entrepot.core.content.CLAIM_TRIES", 3)
    async with house.database.alone("collect"):
        with pytest.raises(Busy):
            await house.put("key", content)
    assert await house.kept() == 1
    await house.put("key", content)
    assert await house.get("key") == content


async def test_orphans_go_only_when_asked_for(house: House) -> None:
    content = data(BLOB)
    await house.store.put(digest(content), content)
    [finding] = await house.check()
    assert (finding.kind, finding.harmless) == ("orphan", True)
    assert await house.upkeep.collect(0) == Collected()
    assert (await house.upkeep.collect(0, dry_run=True, orphans=True)).orphans == 1
    assert await house.upkeep.collect(0, orphans=True) == Collected(orphans=1)
    assert await house.kept() == 0
    await house.put("key", content)
    assert await house.get("key") == content


async def test_uploads_are_forgotten_and_expired(house: House) -> None:
    done = await house.upload("done", data(BLOB))
    await house.complete(done, 1)
    stale = await house.upload("stale", data(BLOB))
    active = await house.upload("active", data(BLOB))
    house.clock.pass_(8 * DAY)
    await house.uploads.put_part(ROOT, active, 2, stream(data(9)), expecting())
    assert (await house.upkeep.collect(9 * DAY)).uploads_forgotten == 0
    collected = await house.upkeep.collect(DAY, expire=7 * DAY)
    assert (collected.uploads_forgotten, collected.uploads_expired, collected.blobs) == (1, 1, 1)
    with pytest.raises(UploadMissing):
        await house.uploads.get(ROOT, stale)
    assert (await house.uploads.get(ROOT, active)).upload_id == active.upload_id


async def test_one_collection_at_a_time(house: House) -> None:
    async with house.database.alone("collect"):
        with pytest.raises(Busy):
            await house.upkeep.collect(0)
        with pytest.raises(Busy):
            await house.check()
    await house.upkeep.collect(0)


async def test_an_inline_copy_never_names_a_successor(house: House) -> None:
    """Ids of collected inline blobs come back; a copy that was slow must not name the newcomer."""
    await house.put("old", data(100))
    old = (await house.objects.open(ROOT, "bucket", "old")).version.bytes
    await house.delete("old")
    await house.upkeep.collect(-1)
    await house.put("new", data(100))
    new = (await house.objects.open(ROOT, "bucket", "new")).version.bytes
    with pytest.raises(Superseded):
        await house.database.write(place(Bytes(old.size, old.hash, inline=new.inline), house.clock()))
