"""What leases promise, on whatever engine: one holder at a time, and no write of one who is it no more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.database import Sql, Transaction, one
from entrepot.catalog.operations.leases import Lease, acquire, fence, forget_leases, release, renew
from entrepot.errors import LeaseLost

if TYPE_CHECKING:
    from entrepot.catalog.database import Database

COUNT = Sql("SELECT count(*) FROM leases WHERE name = :name")
HOLDER = Sql("SELECT holder FROM leases WHERE name = :name")


async def held(database: Database, name: str, now: int = 100, until: int = 200, holder: str = "one") -> Lease:
    lease = await database.write(acquire(name, holder, now, until))
    assert lease is not None
    return lease


def holder_of(name: str) -> Transaction[str]:
    row = yield one(HOLDER, name=name)
    return str(row[0])


def fenced(lease: Lease, work: Transaction[str]) -> Transaction[str]:
    yield from fence(lease)
    return (yield from work)


class LeasesContract:
    async def test_one_of_many_gets_it(self, database: Database) -> None:
        tries = await asyncio.gather(*(database.write(acquire("a", f"h{n}", 100, 200)) for n in range(20)))
        assert sum(each is not None for each in tries) == 1
        assert await database.write(acquire("b", "other", 100, 200)) is not None

    async def test_it_is_free_when_it_has_run_out_or_was_given_back(self, database: Database) -> None:
        first = await held(database, "a")
        assert await database.write(acquire("a", "two", 199, 300)) is None
        second = await held(database, "a", 200, 300, "two")
        await database.write(release(second))
        third = await held(database, "a", 201, 300, "three")
        assert first.token < second.token < third.token

    async def test_tokens_ascend_though_the_clock_is_set_back(self, database: Database) -> None:
        first = await held(database, "a", 1_000, 2_000)
        await database.write(release(first))
        assert (await held(database, "a", 10, 20)).token > first.token

    async def test_renewing_keeps_it(self, database: Database) -> None:
        lease = await held(database, "a")
        await database.write(renew(lease, 500))
        assert await database.write(acquire("a", "two", 499, 600)) is None
        await database.write(fenced(lease, holder_of("a")))

    async def test_who_lost_it_neither_renews_nor_writes(self, database: Database) -> None:
        lost = await held(database, "a")
        second = await held(database, "a", 200, 300, "two")
        for operation in (renew(lost, 900), fenced(lost, holder_of("a"))):
            with pytest.raises(LeaseLost):
                await database.write(operation)
        await database.write(release(lost))
        assert await database.write(fenced(second, holder_of("a"))) == "two"

    async def test_who_gave_it_back_has_lost_it(self, database: Database) -> None:
        lease = await held(database, "a")
        await database.write(release(lease))
        for operation in (renew(lease, 900), fenced(lease, holder_of("a"))):
            with pytest.raises(LeaseLost):
                await database.write(operation)

    async def test_what_has_run_out_and_nobody_took_still_holds(self, database: Database) -> None:
        lease = await held(database, "a", 100, 101)
        assert await database.write(fenced(lease, holder_of("a"))) == "one"
        await database.write(renew(lease, 900))
        assert await database.write(acquire("a", "two", 500, 600)) is None

    async def test_nobody_takes_it_while_a_fenced_write_is_under_way(self, database: Database) -> None:
        """The first holder is slow: its lease runs out in the middle of its write."""
        lease = await held(database, "a")
        order: list[str] = []

        def write() -> Transaction[str]:
            yield from fence(lease)
            for _ in range(20):
                yield one(COUNT, name="a")
            order.append("written")
            return ""

        def take() -> Transaction[Lease | None]:
            taken = yield from acquire("a", "two", 300, 400)
            order.append("taken")
            return taken

        writing = asyncio.create_task(database.write(write()))
        await asyncio.sleep(0)
        taking = asyncio.create_task(database.write(take()))
        results = await asyncio.gather(writing, taking, return_exceptions=True)
        assert results[0] == "" or (order[0] == "taken" and isinstance(results[0], LeaseLost))
        assert results[1] is not None

    async def test_old_ones_are_forgotten_and_new_ones_are_not(self, database: Database) -> None:
        for number in range(5):
            await database.write(release(await held(database, f"old{number}", 100, 200)))
        await held(database, "new", 5_000, 6_000)
        await database.write(release(await held(database, "late", 5_000, 6_000)))
        assert await database.write(forget_leases(1_000, 3)) == 3
        assert await database.write(forget_leases(1_000, 3)) == 2
        assert await database.write(forget_leases(1_000, 3)) == 0
        assert await database.write(acquire("new", "two", 5_500, 7_000)) is None
