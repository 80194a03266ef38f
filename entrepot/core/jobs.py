"""Jobs: what the server does by itself, as its operator sees it and asks for it.

A :class:`Work` is the function behind jobs of one kind: it does a bounded step and says where it stopped. A
:class:`Schedule` is a job of its own kind that comes round again. ``core.runner`` takes the steps.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from entrepot.catalog.bell import Bell, MemoryBell
from entrepot.catalog.database import Database
from entrepot.catalog.operations import jobs as rows
from entrepot.catalog.operations.jobs import Job as Job  # noqa: PLC0414 - what doors and commands get of jobs
from entrepot.catalog.operations.leases import Lease
from entrepot.errors import ArgumentInvalid, Superseded
from entrepot.model import value

RING: Final = "jobs"
"""What the bell says when a job is due before its time."""


@value
class Turn:
    """What a step is given. ``position`` is where the step before it stopped, None at the beginning of a round.
    A write that no second runner may make begins with ``yield from fence(turn.lease)``.
    """

    lease: Lease
    position: bytes | None
    arguments: Mapping[str, str]


@value
class Step:
    """What a step did. ``position`` is where to go on, None at the end of the round; ``done`` counts what
    was done, by words of the job's own; ``bytes`` were read or written; ``progress`` is in thousandths; ``notes`` is
    what the operator should know.
    """

    position: bytes | None
    done: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    progress: int | None = None
    notes: Sequence[str] = ()


Work = Callable[[Turn], Awaitable[Step]]
"""One bounded step: a fraction of a second, and no more memory than its page. It may be killed anywhere and done
again, so it is idempotent.
"""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Work that comes round ``every`` so many seconds, or, where that is None, when it is asked for."""

    name: str
    every: int | None
    step: Work


@dataclass(frozen=True, slots=True)
class Jobs:
    """The service behind ``entrepot jobs``. It asks nobody who they are: it is for the operator."""

    database: Database
    clock: Callable[[], int]
    bell: Bell = field(default_factory=MemoryBell)
    schedules: tuple[Schedule, ...] = ()
    """What comes with the server itself; doors bring their own to its runner."""

    async def list(self) -> list[Job]:
        """Every job by name."""
        return await self.database.scan(rows.list_jobs(), background=True)

    async def get(self, name: str) -> Job:
        """Raises JobMissing."""
        return await self.database.read(rows.get_job(name))

    async def run(self, name: str) -> None:
        """Make a job due at once. Raises JobMissing."""
        await self.database.write(rows.ask_job(name, self.clock()))
        await self.bell.ring(RING)

    async def cancel(self, name: str) -> None:
        """End a round before its end; a schedule comes round again at its time. Raises JobMissing."""
        await self.database.write(rows.cancel_job(name, self.clock()))

    async def add(self, kind: str, arguments: Mapping[str, str], name: str = "") -> str:
        """Have something done once, as soon as there is a runner that knows the kind; returns its name.

        Raises ArgumentInvalid for a name with a slash in it, Superseded for one that is taken.
        """
        chosen = name or f"{kind}-{secrets.token_hex(4)}"
        if "/" in chosen:
            raise ArgumentInvalid("name", chosen, "must not hold a slash")
        if not await self.database.write(rows.add_job(chosen, kind, arguments, self.clock())):
            raise Superseded(f"job {chosen}")
        await self.bell.ring(RING)
        return chosen

    def running(self, job: Job) -> bool:
        """Whether a process holds a job's lease at this moment."""
        return job.held_until > self.clock()
