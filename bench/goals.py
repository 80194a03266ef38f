"""What Entrepôt must reach, checked against the results of a run."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.figures import Result


@dataclass(frozen=True, slots=True)
class Goal:
    """``limit`` is a bound on ``figure`` of every row that matches, or on its ratio to the same row of a peer."""

    rows: str
    """Regular expression for the beginning of the row's name."""
    figure: str
    """``value``, ``p99_ms`` or ``cpu_us``."""
    at_least: bool
    limit: float
    peer: str | None = None

    def __str__(self) -> str:
        sign = "≥" if self.at_least else "≤"
        of = f" × {self.peer}" if self.peer else ""
        return f"{_FIGURES[self.figure]} {sign} {self.limit:g}{of}"


@dataclass(frozen=True, slots=True)
class Verdict:
    goal: Goal
    row: str
    reached: float | None
    """The figure or the ratio; None when it was not measured or is invalid."""

    @property
    def met(self) -> bool | None:
        if self.reached is None:
            return None
        return self.reached >= self.goal.limit if self.goal.at_least else self.reached <= self.goal.limit


_FIGURES = {"value": "figure", "p99_ms": "p99", "cpu_us": "CPU µs a request"}

GOALS = (
    Goal("4 KiB GET", "value", at_least=True, limit=3, peer="seaweedfs"),
    Goal("4 KiB GET", "p99_ms", at_least=False, limit=1, peer="seaweedfs"),
    Goal("4 KiB GET", "cpu_us", at_least=False, limit=160),
    Goal("4 KiB PUT", "value", at_least=True, limit=2, peer="seaweedfs"),
    Goal("4 KiB PUT", "value", at_least=True, limit=3, peer="seaweedfs-fsync"),
    Goal("4 KiB PUT", "p99_ms", at_least=False, limit=1, peer="seaweedfs"),
    Goal("4 KiB PUT", "cpu_us", at_least=False, limit=400),
    Goal("Header-signed 4 KiB GET, 64", "value", at_least=True, limit=2.4, peer="seaweedfs"),
    Goal("Header-signed 4 KiB PUT, 64", "value", at_least=True, limit=2.2, peer="seaweedfs"),
    Goal("64 MiB (PUT|GET)", "value", at_least=True, limit=1, peer="seaweedfs"),
    Goal("List ", "value", at_least=False, limit=15),
    Goal(".*peak memory", "value", at_least=False, limit=300),
)


def judge(results: Sequence[Result], ours: str) -> Iterator[Verdict]:
    """A verdict for each goal and each of our rows it speaks of."""
    table = {(result.server, result.row): result for result in results}
    for goal in GOALS:
        for result in results:
            if result.server == ours and re.match(goal.rows, result.row):
                peer = table.get((goal.peer, result.row)) if goal.peer else None
                yield Verdict(goal, result.row, _reached(goal, result, peer))


def _reached(goal: Goal, result: Result, peer: Result | None) -> float | None:
    figure = getattr(result, goal.figure) if result.valid else None
    if figure is None or goal.peer is None:
        return figure
    against = getattr(peer, goal.figure) if peer and peer.valid else None
    return figure / against if against else None
