"""The collector beside writers of the same contents, in this process and in others."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from entrepot.blobs.store import digest
from entrepot.catalog.database import Still
from entrepot.catalog.operations.upkeep import list_blobs, list_inline_dates, list_inline_names, list_manifests
from entrepot.core.upkeep import Collected
from entrepot.errors import Busy, Unavailable
from tests.server import CHECKOUT
from tests.upkeep.crowd import crowd
from tests.upkeep.house import BLOB, ROOT, House, data, opened

SECONDS = 6.0


async def test_nothing_named_is_collected_beside_writers(tmp_path: Path) -> None:
    """Without any grace: only the dates and locks protect what is being named."""
    async with opened(tmp_path) as house:
        await house.buckets.create(ROOT, "bucket")
        others = [
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.upkeep.crowd", str(tmp_path), name, str(SECONDS),
                cwd=CHECKOUT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )
            for name in ("a", "b")
        ]  # fmt: skip
        mine = asyncio.create_task(crowd(tmp_path, "c", SECONDS))
        total = Collected()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            try:
                done = await house.upkeep.collect(0)
            except Busy:  # a writer met a blob that was being removed, and sees for itself that it is gone
                continue
            total.blobs += done.blobs
            total.inline += done.inline
            total.manifests += done.manifests
        assert await mine > 0
        for other in others:
            out, err = await other.communicate()
            assert other.returncode == 0, err.decode()
            assert int(out) > 0
        assert min(total.blobs, total.inline, total.manifests) > 0
        assert await house.check() == []


@pytest.mark.parametrize("back", [0, 3600], ids=["time passes", "clock set back"])
@pytest.mark.parametrize("suspected", [list_inline_dates, list_inline_names], ids=["before it", "after it"])
async def test_a_name_between_looking_and_removal_is_kept(
    back: int, suspected: Callable[..., object], house: House
) -> None:
    """Each thing that was found unnamed is named again before the collector comes to it, what is inline before or after
    the walk that clears suspects.
    """
    contents = {"inline": data(100), "blob": data(BLOB), "large": data(2 * BLOB + 1)}
    for key, content in contents.items():
        await house.put(key, content)
        await house.copy(key, f"{key} kept")
        await house.delete(key)
    renewed = {"inline": False, "blob": False, "large": False}
    scan, walks = house.database.scan, [0]

    async def interrupted(operation: object, *, background: bool) -> object:
        found: object = await scan(operation, background=background)  # type: ignore[arg-type]  # whatever the replaced method was given
        stage = {
            list_manifests.__name__: "large",
            suspected.__name__: "inline",
            list_blobs.__name__: "blob",
        }.get(operation.__name__, "")  # type: ignore[attr-defined]
        walks[0] += operation.__name__ == list_inline_names.__name__  # type: ignore[attr-defined]
        if stage == "inline" and suspected is list_inline_names and walks[0] < 2:
            return found
        if stage and found and not renewed[stage]:
            renewed[stage] = True
            house.clock.set_back(back)
            for key in [stage, "large"] if stage == "blob" else [stage]:
                await house.put(f"{key} again", contents[key])
        return found

    for key in contents:
        await house.delete(f"{key} kept")
    house.database.scan = interrupted  # type: ignore[method-assign,assignment]
    await house.upkeep.collect(-1)
    house.database.scan = scan  # type: ignore[method-assign]
    assert renewed == dict.fromkeys(renewed, True)
    for key, content in contents.items():
        assert await house.get(f"{key} again") == content
    assert await house.check() == []


async def test_a_collector_that_is_not_the_only_one_any_more_removes_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = data(BLOB)
    await house.put("key", content)
    await house.delete("key")

    async def lost() -> None:
        raise Unavailable("the connection is gone")

    @asynccontextmanager
    async def alone(_: str) -> AsyncIterator[Still]:
        yield lost

    with monkeypatch.context() as patch:
        patch.setattr(house.database, "alone", alone)
        with pytest.raises(Unavailable):
            await house.upkeep.collect(-1)
    assert [blob async for blob in house.store.list()] == [digest(content)]
    assert (await house.upkeep.collect(-1)).blobs == 1
    assert [blob async for blob in house.store.list()] == []


async def test_a_copy_during_the_collection_keeps_its_bytes(house: House) -> None:
    """A copy renews the manifest alone; its blobs, as old as they are, stay with it."""
    content = data(3 * BLOB)
    await house.put("key", content)
    opened_before = await house.objects.open(ROOT, "bucket", "key")
    house.clock.pass_(10)
    await house.copy("key", "copy")
    await house.delete("key")
    house.clock.pass_(0.5)
    await house.upkeep.collect(0)
    assert await house.get("copy") == content
    assert opened_before.version.bytes.manifest is not None
    assert digest(content[:BLOB]) in [blob async for blob in house.store.list()]
