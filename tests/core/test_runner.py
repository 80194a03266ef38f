"""The runner: each round once, whoever runs it, and on from where it was stopped."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from entrepot.catalog.sqlite.engine import SQLite
from entrepot.core.jobs import Jobs, Schedule, Step, Turn
from entrepot.core.runner import LEASE_SECONDS, RETRY_SECONDS, STEP_SECONDS, Pace, Runner, Told
from entrepot.errors import ArgumentInvalid, Busy, Superseded

FREE = Pace(1e9, 1 << 60)
STEPS = 3


class Counting:
    """Work of three steps that notes the position of each."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []
        self.error: Exception | None = None
        self.looks: Callable[[], Awaitable[None]] | None = None

    async def __call__(self, turn: Turn) -> Step:
        if self.looks is not None:
            await self.looks()
        if self.error is not None:
            raise self.error
        self.seen.append(turn.position)
        number = int(turn.position or b"0") + 1
        return Step(b"%d" % number if number < STEPS else None, {"steps": 1})


class Bench:
    """Runners of one catalog, and a clock that is moved."""

    def __init__(self, database: SQLite) -> None:
        self.now = 1_000_000_000
        self.jobs = Jobs(database, lambda: self.now)
        self.work = Counting()
        self.told: list[Told] = []

    def runner(self) -> Runner:
        works = {"once": self.work}
        return Runner(self.jobs, [Schedule("count", 3600, self.work)], FREE, self.told.append, works)

    async def due(self) -> Runner:
        """A runner of which the schedule is due."""
        runner = self.runner()
        await runner.plan()
        self.now += 3601 * 1_000_000
        return runner

    def outcomes(self) -> list[str]:
        return [told.outcome for told in self.told]


@asynccontextmanager
async def opened() -> AsyncIterator[Bench]:
    database = await SQLite.open(None)
    try:
        yield Bench(database)
    finally:
        await database.close()


async def test_many_runners_run_it_once() -> None:
    async with opened() as bench:
        await bench.due()
        runners = [bench.runner() for _ in range(5)]
        await asyncio.gather(*(runner.look() for runner in runners))
        busy = [runner for runner in runners if runner.rounds]
        assert len(busy) == 1
        for _ in range(STEPS):
            await busy[0].step()
        assert bench.work.seen == [None, b"1", b"2"]
        assert bench.outcomes() == ["step", "step", "end"]
        job = await bench.jobs.get("count")
        assert (job.done, job.under_way, job.due) == ({"steps": 3}, False, bench.now + 3600 * 1_000_000)


async def test_another_goes_on_where_one_died_who_writes_nothing_any_more() -> None:
    async with opened() as bench:
        dead = await bench.due()
        await dead.look()
        await dead.step()
        other = bench.runner()
        await other.look()
        assert not other.rounds
        bench.now += LEASE_SECONDS * 1_000_000
        await other.look()
        await other.step()
        assert bench.work.seen == [None, b"1"]
        await dead.step()
        assert bench.outcomes() == ["step", "step", "lost"]
        assert not dead.rounds
        await other.step()
        assert (await bench.jobs.get("count")).done == {"steps": 3}


async def test_a_lease_that_has_run_out_is_had_again_before_a_step_or_there_is_none() -> None:
    async with opened() as bench:
        slow = await bench.due()
        await slow.look()
        bench.now += LEASE_SECONDS * 1_000_000
        await slow.step()  # as nobody took it
        other = bench.runner()
        await other.look()
        assert not other.rounds
        bench.now += LEASE_SECONDS * 1_000_000
        await other.look()
        await slow.step()
        assert bench.work.seen == [None]
        assert bench.outcomes() == ["step", "lost"]


async def test_a_step_never_begins_under_a_lease_that_it_could_outlast() -> None:
    async with opened() as bench:
        slow = await bench.due()
        await slow.look()
        bench.now += (LEASE_SECONDS - STEP_SECONDS + 1) * 1_000_000  # another job had its turn
        held: list[int] = []

        async def look() -> None:
            held.append((await bench.jobs.get("count")).held_until - bench.now)

        bench.work.looks = look
        await slow.step()
        assert held[0] >= STEP_SECONDS * 1_000_000


async def test_who_finds_somebody_at_it_comes_again_later() -> None:
    async with opened() as bench:
        runner = await bench.due()
        bench.work.error = Busy("another one is running")
        await runner.look()
        await runner.step()
        job = await bench.jobs.get("count")
        assert (bench.outcomes(), bench.told[-1].error, job.error) == (["busy"], None, "another one is running")
        assert (runner.rounds, job.due) == (deque(), bench.now + RETRY_SECONDS * 1_000_000)


async def test_a_failure_is_told_and_tried_again_from_there() -> None:
    async with opened() as bench:
        runner = await bench.due()
        await runner.look()
        await runner.step()
        bench.work.error = ValueError("no luck")
        await runner.step()
        assert (bench.told[-1].outcome, str(bench.told[-1].error)) == ("failed", "no luck")
        job = await bench.jobs.get("count")
        assert (job.error, job.under_way, bench.jobs.running(job)) == ("no luck", True, False)
        bench.work.error = None
        await runner.look()
        assert not runner.rounds
        bench.now += RETRY_SECONDS * 1_000_000
        await runner.look()
        for _ in range(2):
            await runner.step()
        assert bench.work.seen == [None, b"1", b"2"]
        assert (await bench.jobs.get("count")).error is None


async def test_a_job_is_done_once_and_takes_turns_with_a_schedule() -> None:
    async with opened() as bench:
        runner = await bench.due()
        name = await bench.jobs.add("once", {"from": "here"}, "move")
        with pytest.raises(Superseded):
            await bench.jobs.add("once", {}, "move")
        with pytest.raises(ArgumentInvalid):
            await bench.jobs.add("once", {}, "a/b")
        await bench.jobs.add("unknown", {})
        await runner.look()
        for _ in range(2 * STEPS):
            await runner.step()
        assert bench.work.seen == [None, None, b"1", b"1", b"2", b"2"]
        job = await bench.jobs.get(name)
        assert (job.due, job.under_way, job.arguments) == (None, False, {"from": "here"})


async def test_a_cancelled_round_ends_after_its_step() -> None:
    async with opened() as bench:
        runner = await bench.due()
        await runner.look()
        await bench.jobs.cancel("count")
        await runner.step()
        assert bench.outcomes() == ["end"]
        assert not runner.rounds


async def test_the_bell_wakes_it_and_what_it_holds_is_given_back() -> None:
    async with opened() as bench:
        never = asyncio.Event()

        async def hang(turn: Turn) -> Step:
            never.set()
            await asyncio.Event().wait()
            return Step(None)

        runner = Runner(bench.jobs, [Schedule("hang", None, hang)], FREE, bench.told.append)
        async with runner.running():
            while not await bench.jobs.list():  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            await bench.jobs.run("hang")
            await asyncio.wait_for(never.wait(), 30)
            assert bench.jobs.running(await bench.jobs.get("hang"))
        assert not bench.jobs.running(await bench.jobs.get("hang"))


async def test_whatever_goes_wrong_with_a_look_is_told_and_the_next_one_may_be_better() -> None:
    async with opened() as bench:
        runner = await bench.due()
        looking = runner.look
        looks = [ValueError("a row that nobody can read")]

        async def look() -> float:
            if looks:
                raise looks.pop()
            return await looking()

        runner.look = look  # type: ignore[method-assign]  # once, and then never again
        async with asyncio.timeout(30), runner.running():
            while not bench.told:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
            await bench.jobs.bell.ring("jobs")
            while bench.outcomes()[-1] != "end":  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert bench.outcomes() == ["failed", "step", "step", "end"]


def test_the_pace_keeps_both_budgets() -> None:
    pace = Pace(0.01, 1 << 20)
    assert pace.rest(0.02, 0, 0.5) == 1.5
    assert pace.rest(0.0, 3 << 20, 0.5) == 2.5
    assert pace.rest(0.0, 0, 0.5) == 0
    assert pace.rest(9.0, 0, 1.0) == 10
