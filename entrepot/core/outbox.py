"""The outbox: what happened, for whoever follows it with a cursor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Database
from entrepot.catalog.operations import events as rows
from entrepot.catalog.operations.events import Event as Event  # noqa: PLC0414 - what doors get of the feed
from entrepot.catalog.operations.leases import forget_leases
from entrepot.core.jobs import Step, Turn, Work

PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Feed:
    """A page of events. ``cursor`` is where the next one begins; ``missed`` says that events between the cursor
    that was given and this page were trimmed.
    """

    events: Sequence[Event]
    cursor: int
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Outbox:
    """The service for events. Only buckets with ``events`` write any."""

    database: Database

    async def latest(self) -> int:
        """The cursor of who wants to hear only what happens from now on."""
        await self._number()
        return await self.database.read(rows.last_number())

    async def read(self, cursor: int, limit: int = PAGE) -> Feed:
        """At most ``limit`` events behind a cursor, in order; the first cursor is 0. What was committed before this
        call is there, and nothing comes later that is before the cursor returned.
        """
        await self._number()
        events, oldest = await self.database.scan(rows.list_events(cursor, limit))
        return Feed(events, events[-1].sequence if events else max(cursor, oldest - 1), missed=cursor < oldest - 1)

    async def _number(self) -> None:
        while await self.database.read(rows.has_unnumbered()):
            if await self.database.write(rows.number_events()) < rows.NUMBERED_AT_ONCE:
                return


def trim(database: Database, clock: Callable[[], int], seconds: int) -> Work:
    """The work of forgetting events, and ends of leases, after so many seconds."""

    async def step(turn: Turn) -> Step:
        cutoff = clock() - seconds * 1_000_000
        numbered = await database.write(rows.number_events()) if await database.read(rows.has_unnumbered()) else 0
        trimmed = await database.write(rows.trim_events(cutoff, PAGE), heavy=True)
        leases = await database.write(forget_leases(cutoff, PAGE), heavy=True)
        more = PAGE in (trimmed, leases) or numbered == rows.NUMBERED_AT_ONCE
        return Step(b"" if more else None, {"events": trimmed, "leases": leases})

    return step
