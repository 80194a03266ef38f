"""Collecting and scrubbing as a server does it by itself: step by step, killed anywhere, on every kind of catalog."""

from __future__ import annotations

import pytest

from entrepot.blobs.store import digest
from entrepot.catalog.database import Sql, Transaction, run
from entrepot.catalog.operations.blobs import claim
from entrepot.catalog.operations.leases import Lease
from entrepot.core import collecting
from entrepot.core.collecting import collect
from entrepot.core.jobs import Step, Turn, Work
from entrepot.core.scrub import scrub
from entrepot.errors import Busy
from tests.upkeep.house import BLOB, House, data

LARGE = 3 * BLOB + 17
HURT = Sql("UPDATE inline_blobs SET data = :data WHERE digest = :digest")


async def go_on(work: Work, position: bytes | None = None, most: int = 1_000) -> tuple[Step, dict[str, int]]:
    """Take steps to the end of the round, or so many; the last one, and what all did."""
    done: dict[str, int] = {}
    for _ in range(most):
        step = await work(Turn(Lease("job", 1), position, {}))
        for word, count in step.done.items():
            done[word] = done.get(word, 0) + count
        position = step.position
        if position is None:
            break
    return step, done


def gather(house: House) -> Work:
    return collect(house.database, {"main": house.store}, house.clock, 60)


async def litter(house: House) -> dict[str, bytes]:
    """Things of each kind that nothing names, beside some that stay."""
    kept = {"inline kept": data(100), "blob kept": data(BLOB), "large kept": data(LARGE)}
    for key, content in kept.items():
        await house.put(key, content)
    for number in range(5):
        for size in (100, BLOB, LARGE):
            await house.put(f"{size}/{number}", data(size))
            await house.delete(f"{size}/{number}")
    await house.complete(await house.upload("joined", data(LARGE), data(LARGE)), 2)
    await house.delete("joined")
    house.clock.pass_(3600)
    return kept


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in {"WALKED": 3, "LOOKED_UP": 4, "BATCH": 2, "BATCHES": 1, "SUSPECTS": 2}.items():
        monkeypatch.setattr(collecting, name, size)


EVERYTHING = {"manifests": 8, "inline": 5, "inline_bytes": 500, "blobs": 5 + 5 * 4 + 8, "uploads_forgotten": 1}


async def test_a_round_takes_all_that_nothing_names(house: House) -> None:
    kept = await litter(house)
    _, done = await go_on(gather(house))
    assert {word: done[word] for word in EVERYTHING} == EVERYTHING
    assert {key: await house.get(key) for key in kept} == kept
    assert await house.check() == []
    assert await house.kept() == 1 + 4


async def test_killed_after_any_step_another_goes_on(house: House) -> None:
    for killed in range(1, 60, 9):
        kept = await litter(house)
        step, first = await go_on(gather(house), None, killed)
        if step.position is not None:
            _, rest = await go_on(gather(house), step.position)
            first = {word: first.get(word, 0) + rest.get(word, 0) for word in EVERYTHING}
        assert {word: first[word] for word in EVERYTHING} == EVERYTHING, killed
        assert {key: await house.get(key) for key in kept} == kept
        for key in kept:
            await house.delete(key)
        house.clock.pass_(3600)
        await house.upkeep.collect(60)
    assert await house.kept() == 0


async def test_beside_somebody_who_collects_a_step_waits(house: House) -> None:
    await litter(house)
    work = gather(house)
    step, _ = await go_on(work, None, 3)
    async with house.database.alone("collect"):
        with pytest.raises(Busy):
            await work(Turn(Lease("job", 1), step.position, {}))


async def until(work: Work, token: int, position: bytes | None, phase: bytes) -> bytes:
    """Take steps under a lease up to a phase; the position there."""
    while not (position or b"").startswith(phase):
        position = (await work(Turn(Lease("job", token), position, {}))).position
    assert position is not None
    return position


async def test_suspects_of_a_round_that_was_anothers_meanwhile_are_none(house: House) -> None:
    """They were not held against what the walk of the other one has passed."""
    one, other = gather(house), gather(house)
    position = await until(one, 1, None, b"suspect")
    content = data(100)
    await house.put("named behind the marks", content)
    house.clock.pass_(3600)
    position = await until(one, 1, position, b"clear")
    left: bytes | None = await until(other, 2, position, b"drop")
    while left is not None:
        left = (await one(Turn(Lease("job", 3), left, {}))).position
    assert await house.get("named behind the marks") == content


def hurt(content: bytes) -> Transaction[None]:
    yield run(HURT, data=content[::-1], digest=digest(content))


async def test_a_scrub_reads_everything_and_tells_what_is_not_as_it_was(house: House) -> None:
    contents = {"inline": data(100), "other": data(90), "lost": data(BLOB), "large": data(LARGE)}
    for key, content in contents.items():
        await house.put(key, content)
    work = scrub(house.database, {"main": house.store})
    step, done = await go_on(work)
    assert (done["verified"], done["bytes"]) == (2 + 1 + 4, sum(map(len, contents.values())))
    assert done["damaged"] == done["unreadable"] == 0
    await house.database.write(hurt(contents["inline"]))
    await house.store.remove([digest(contents["lost"])])
    await house.database.write(claim("main", digest(b"under way"), 9, house.clock()))
    notes: list[str] = []
    step = await work(Turn(Lease("job", 1), None, {}))
    while step.position is not None:
        notes += step.notes
        step = await work(Turn(Lease("job", 1), step.position, {}))
    notes += step.notes
    assert [digest(contents[key]).hex() in note for key, note in zip(("inline", "lost"), notes, strict=True)] == [
        True, True,
    ]  # fmt: skip
    await house.put("again", contents["inline"])
    await house.put("again too", contents["lost"])
    assert (await go_on(work))[1]["damaged"] == 0


async def test_a_scrub_passes_by_a_store_that_is_gone(house: House) -> None:
    work = scrub(house.database, {"main": house.store})
    step = await work(Turn(Lease("job", 1), b"gone 00ff", {}))
    assert step.position == b"main "
    assert (await work(Turn(Lease("job", 1), b"zone 00ff", {}))).position is None
