"""What every measure offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from bench.figures import Figure
from bench.plan import Plan
from bench.servers.running import Running


class Measure(Protocol):
    """A group of rows of the table, taken together against one running server."""

    @property
    def name(self) -> str:
        """The word that ``--only`` takes."""

    @property
    def once(self) -> bool:
        """Whether one round is enough, because the row is a peak or a count rather than a rate."""

    def missing(self) -> str | None:
        """What this machine lacks for it, or None."""

    def applies(self, server: str) -> bool:
        """Whether this server takes part."""

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        """Yield the figures of one round; ``salt`` keeps the keys of different rounds and measures apart."""
