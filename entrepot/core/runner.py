"""The runner: takes jobs that are due, step by step, within a budget.

Any number of processes on any number of hosts have one; a job is run by the one that holds its lease. Steps
of a process follow one another, those of several jobs in turn, and after each it rests for as long as the
budget of CPU and of I/O says. A process that dies keeps its leases until they run out; then another goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from entrepot.catalog.bell import Ear
from entrepot.catalog.operations import jobs as rows
from entrepot.catalog.operations.jobs import Advance, Job
from entrepot.catalog.operations.leases import Lease, release, renew
from entrepot.core.jobs import RING, Jobs, Schedule, Step, Turn, Work
from entrepot.errors import Busy, EntrepotError, JobMissing, LeaseLost

LEASE_SECONDS: Final = 120
"""How long a process that says nothing is taken to be alive."""

STEP_SECONDS: Final = 60
"""How long a step may take: half of the lease. One that would not outlast it is renewed before the step, so that nobody
else begins while it ends."""

LOOK_SECONDS: Final = 60.0
"""How long a runner sleeps at most, and so how late a job may begin that another process has made due."""

RETRY_SECONDS: Final = 300
"""How long after a failure a round goes on, if the job does not come round sooner."""

LONGEST_REST: Final = 10.0
"""Seconds between two steps at most: leases are renewed with each."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What steps may take, on the average: so much of one core, and so many bytes in a second."""

    cpu: float
    bytes: int

    def rest(self, cpu: float, size: int, seconds: float) -> float:
        """How long to rest after a step that took so much CPU, moved so many bytes and lasted so long."""
        return min(LONGEST_REST, max(0.0, cpu / self.cpu - seconds, size / self.bytes - seconds))


@dataclass(frozen=True, slots=True)
class Told:
    """What a runner tells of a step: the kind of its job, how it ended (``step``, ``end``, ``busy``, ``failed``,
    ``lost``), its CPU in seconds, and what it did. ``error`` is what a failure says, ``notes`` what the operator should
    know besides.
    """

    kind: str
    outcome: str
    cpu: float
    done: Mapping[str, int]
    error: BaseException | None = None
    notes: Sequence[str] = ()


class _Round:
    """A job that this process holds until a certain time, in the middle of a round."""

    __slots__ = ("done", "job", "lease", "position", "until")

    def __init__(self, lease: Lease, job: Job, until: int) -> None:
        self.lease = lease
        self.until = until
        self.job = job
        self.position = job.position
        self.done = dict(job.done)

    def add(self, done: Mapping[str, int]) -> None:
        for word, count in done.items():
            self.done[word] = self.done.get(word, 0) + count


class Runner:
    """Runs what is due among ``schedules``, and jobs of the kinds in ``works``."""

    def __init__(
        self,
        jobs: Jobs,
        schedules: Sequence[Schedule],
        pace: Pace,
        tell: Callable[[Told], None],
        works: Mapping[str, Work] = MappingProxyType({}),
    ) -> None:
        self._database = jobs.database
        self._clock = jobs.clock
        self._bell = jobs.bell
        self._schedules = schedules
        self._works = {**works, **{schedule.name: schedule.step for schedule in schedules}}
        self._pace = pace
        self._tell = tell
        self._holder = secrets.token_hex(8)
        self.rounds: deque[_Round] = deque()
        """What this process holds, in turn."""

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run beside whatever the context does. In the end what is held is given back, for others to go on."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._give_back()

    async def plan(self) -> None:
        """Write down every schedule that is not there as it is here."""
        there = {job.name: job.every for job in await self._database.scan(rows.list_jobs(), background=True)}
        for schedule in self._schedules:
            every = None if schedule.every is None else schedule.every * 1_000_000
            if schedule.name not in there or there[schedule.name] != every:
                await self._database.write(rows.plan_job(schedule.name, every, self._clock()))

    async def _run(self) -> None:
        planned = False
        async with self._bell.hear(RING) as ear:
            while True:
                seconds = LOOK_SECONDS
                try:
                    if not planned:
                        await self.plan()
                        planned = True
                    seconds = await self.look()
                except Exception as error:  # noqa: BLE001 - told whatever it is: nobody would miss a runner that ended
                    self._tell(Told("", "failed", 0.0, {}, error))
                await self._work(ear, time.monotonic() + max(1.0, seconds))

    async def _work(self, ear: Ear, end: float) -> None:
        """Take steps until it is time to look again, or the bell rings, and sleep if there are none."""
        rung = False
        while not rung and time.monotonic() < end:
            rest = await self.step() if self.rounds else end - time.monotonic()
            rung = await ear.wait(rest)

    async def look(self) -> float:
        """Take what is due and free; the seconds until something else will be."""
        now = self._clock()
        waits = [LOOK_SECONDS]
        for job in await self._database.scan(rows.list_jobs(), background=True):
            if job.due is None or job.kind not in self._works:
                continue
            if job.due > now or job.held_until > now:
                waits.append((max(job.due, job.held_until) - now) / 1_000_000)
                continue
            with contextlib.suppress(JobMissing):  # it was forgotten meanwhile
                until = self._until()
                taken = await self._database.write(rows.take_job(job.name, self._holder, now, until))
                if taken is not None:
                    self.rounds.append(_Round(*taken, until))
        return min(waits)

    async def step(self) -> float:
        """Take one step of the job whose turn it is; the seconds to rest after it."""
        round_ = self.rounds[0]
        begin, cpu, size = time.monotonic(), time.process_time(), 0
        done: Mapping[str, int] = {}
        notes: Sequence[str] = ()
        error: Exception | None = None
        try:
            await self._keep(round_)
            async with asyncio.timeout(STEP_SECONDS):
                step = await self._works[round_.job.kind](Turn(round_.lease, round_.position, round_.job.arguments))
            done, size, notes = step.done, step.bytes, step.notes
            outcome = "step" if await self._note(round_, step) else "end"
        except LeaseLost as lost:
            outcome, error = "lost", lost
        except Busy as busy:  # somebody does by hand what it would do
            await self._fail(round_, busy)
            outcome = "busy"
        except Exception as failure:  # noqa: BLE001 - a job that fails is told, and the others go on
            await self._fail(round_, failure)
            outcome, error = "failed", failure
        self.rounds.popleft()
        if outcome == "step":
            self.rounds.append(round_)
        spent = time.process_time() - cpu
        self._tell(Told(round_.job.kind, outcome, spent, done, error, notes))
        return self._pace.rest(spent, size, time.monotonic() - begin)

    async def _keep(self, round_: _Round) -> None:
        """Have the lease for as long as a step may take. Raises LeaseLost."""
        if self._clock() > round_.until - STEP_SECONDS * 1_000_000:
            round_.until = self._until()
            await self._database.write(renew(round_.lease, round_.until))

    async def _note(self, round_: _Round, step: Step) -> bool:
        """Write down what a step did; whether the round goes on."""
        round_.add(step.done)
        round_.position = step.position
        name = round_.job.name
        if step.position is not None:
            to = Advance(step.position, round_.done, step.progress)
            round_.until = self._until()
            if await self._database.write(rows.advance_job(round_.lease, name, to, round_.until)):
                return True
        await self._database.write(rows.end_job(round_.lease, name, round_.done, self._clock()))
        return False

    async def _fail(self, round_: _Round, error: Exception) -> None:
        every = round_.job.every
        wait = RETRY_SECONDS * 1_000_000 if every is None else min(every, RETRY_SECONDS * 1_000_000)
        text = str(error) or type(error).__name__
        with contextlib.suppress(EntrepotError):  # what cannot be written down either ends with its lease
            await self._database.write(rows.fail_job(round_.lease, round_.job.name, text, self._clock() + wait))

    async def _give_back(self) -> None:
        while self.rounds:
            round_ = self.rounds.popleft()
            with contextlib.suppress(EntrepotError):  # as above
                await self._database.write(release(round_.lease))

    def _until(self) -> int:
        return self._clock() + LEASE_SECONDS * 1_000_000
