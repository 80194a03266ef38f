"""What the operations on jobs promise, on whatever engine: a round at a time, and nothing of it lost."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.database import Sql, Want, one
from entrepot.catalog.operations import jobs
from entrepot.catalog.operations.jobs import Advance
from entrepot.errors import JobMissing, LeaseLost

if TYPE_CHECKING:
    from entrepot.catalog.database import Database, Transaction
    from entrepot.catalog.operations.jobs import Job
    from entrepot.catalog.operations.leases import Lease


NOTHING = Sql("SELECT 1")


async def taken(database: Database, name: str, now: int, until: int = 10_000) -> tuple[Lease, Job]:
    found = await database.write(jobs.take_job(name, "holder", now, until))
    assert found is not None
    return found


def slowly(operation: Transaction[None]) -> Transaction[None]:
    """The same, with time for others behind each of its steps."""
    result: object = None
    with contextlib.suppress(StopIteration):
        while True:
            result = yield (statement := operation.send(result))
            if statement.want is not Want.LOCK:
                for _ in range(50):
                    yield one(NOTHING)


class JobsContract:
    async def test_a_schedule_is_due_one_time_from_now_and_so_on(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 1_000))
        await database.write(jobs.plan_job("a", 100, 1_050))
        job = await database.read(jobs.get_job("a"))
        assert (job.kind, job.every, job.due, job.started, job.under_way) == ("a", 100, 1_100, None, False)
        assert await database.write(jobs.take_job("a", "x", 1_099, 2_000)) is None
        lease, job = await taken(database, "a", 1_110)
        assert (job.started, job.under_way, job.position, job.done) == (1_110, True, None, {})
        assert await database.write(jobs.take_job("a", "y", 1_120, 2_000)) is None
        await database.write(jobs.end_job(lease, "a", {"things": 3}, 1_130))
        job = await database.read(jobs.get_job("a"))
        assert (job.due, job.ended, job.done, job.under_way, job.held_until) == (1_210, 1_130, {"things": 3}, False, 0)

    async def test_another_time_counts_from_now(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 1_000))
        await database.write(jobs.plan_job("a", 500, 1_050))
        assert (await database.read(jobs.get_job("a"))).due == 1_550
        await database.write(jobs.plan_job("a", None, 1_060))
        assert (await database.read(jobs.get_job("a"))).due is None

    async def test_one_of_many_takes_it(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        tries = await asyncio.gather(*(database.write(jobs.take_job("a", f"h{n}", 200, 900)) for n in range(10)))
        assert sum(each is not None for each in tries) == 1

    async def test_a_round_that_was_broken_off_goes_on(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        lease, _ = await taken(database, "a", 200, 300)
        assert await database.write(jobs.advance_job(lease, "a", Advance(b"here", {"n": 7}, 250), 400))
        assert await database.write(jobs.take_job("a", "other", 399, 500)) is None
        second, job = await taken(database, "a", 400, 500)
        assert (job.started, job.position, job.done, job.progress) == (200, b"here", {"n": 7}, 250)
        for late in (jobs.advance_job(lease, "a", Advance(b"late", {}), 900), jobs.end_job(lease, "a", {}, 401)):
            with pytest.raises(LeaseLost):
                await database.write(late)
        await database.write(jobs.end_job(second, "a", {"n": 9}, 450))
        assert (await database.read(jobs.get_job("a"))).done == {"n": 9}

    async def test_a_failure_is_told_and_goes_on_later(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        lease, _ = await taken(database, "a", 200)
        await database.write(jobs.advance_job(lease, "a", Advance(b"here", {"n": 1}), 400))
        await database.write(jobs.fail_job(lease, "a", "no luck", 250))
        job = await database.read(jobs.get_job("a"))
        assert (job.error, job.due, job.under_way, job.held_until) == ("no luck", 250, True, 0)
        assert await database.write(jobs.take_job("a", "x", 249, 900)) is None
        lease, job = await taken(database, "a", 250)
        assert (job.position, job.started) == (b"here", 200)
        await database.write(jobs.advance_job(lease, "a", Advance(b"there", {"n": 2}), 400))
        assert (await database.read(jobs.get_job("a"))).error is None

    async def test_asked_for_it_is_due_at_once(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", None, 0))
        assert await database.write(jobs.take_job("a", "x", 100, 200)) is None
        await database.write(jobs.ask_job("a", 100))
        lease, _ = await taken(database, "a", 100)
        await database.write(jobs.end_job(lease, "a", {}, 110))
        assert (await database.read(jobs.get_job("a"))).due is None
        with pytest.raises(JobMissing):
            await database.write(jobs.ask_job("none", 100))

    async def test_a_cancelled_round_ends_with_its_next_step(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        lease, _ = await taken(database, "a", 200)
        await database.write(jobs.cancel_job("a", 210))
        assert not await database.write(jobs.advance_job(lease, "a", Advance(b"x", {}), 400))
        await database.write(jobs.end_job(lease, "a", {}, 220))
        job = await database.read(jobs.get_job("a"))
        assert (job.cancelled, job.due, job.under_way) == (False, 300, False)

    async def test_cancelling_what_nobody_runs_puts_it_to_rest(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        lease, _ = await taken(database, "a", 200)
        await database.write(jobs.fail_job(lease, "a", "no luck", 250))
        await database.write(jobs.cancel_job("a", 210))
        job = await database.read(jobs.get_job("a"))
        assert (job.under_way, job.due, job.error) == (False, 300, None)
        with pytest.raises(JobMissing):
            await database.write(jobs.cancel_job("none", 1))

    async def test_what_is_cancelled_is_not_taken_meanwhile(self, database: Database) -> None:
        await database.write(jobs.plan_job("a", 100, 0))
        lease, _ = await taken(database, "a", 200)
        await database.write(jobs.fail_job(lease, "a", "no luck", 250))
        cancelling = asyncio.create_task(database.write(slowly(jobs.cancel_job("a", 260))))
        await asyncio.sleep(0)
        found = await database.write(jobs.take_job("a", "holder", 260, 400))
        await cancelling
        job = await database.read(jobs.get_job("a"))
        assert job.cancelled if found else not job.under_way

    async def test_what_is_done_once_is_forgotten_afterwards(self, database: Database) -> None:
        assert await database.write(jobs.add_job("b", "move", {"to": "there"}, 100))
        assert not await database.write(jobs.add_job("b", "move", {}, 100))
        await database.write(jobs.plan_job("a", 100, 0))
        lease, job = await taken(database, "b", 100)
        assert (job.kind, job.arguments, job.every) == ("move", {"to": "there"}, None)
        assert await database.write(jobs.forget_jobs(9_000)) == 0
        await database.write(jobs.end_job(lease, "b", {"moved": 1}, 500))
        assert [job.name for job in await database.scan(jobs.list_jobs())] == ["a", "b"]
        assert await database.write(jobs.forget_jobs(9_000)) == 1
        assert [job.name for job in await database.scan(jobs.list_jobs())] == ["a"]
