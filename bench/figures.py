"""What a measure yields, and how the rounds of one row are folded into one figure."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Better = Literal["more", "less"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measurement of one row against one server.

    ``failures`` counts answers other than 2xx, lost connections and bodies that are not what was stored: one is
    enough to make the figure invalid.
    """

    row: str
    value: float
    unit: str
    better: Better = "more"
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu_us: float | None = None
    """CPU time of the whole server process tree, user and system, microseconds a request."""
    generator_cores: float | None = None
    """Cores that the load generator kept busy; near its thread count it, not the server, is the limit."""
    other_cores: float | None = None
    """Cores that programs of neither the server nor the bench took meanwhile: noise."""
    requests: int = 0
    failures: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of all rounds for one row and one server, folded."""

    server: str
    row: str
    unit: str
    better: Better
    rounds: tuple[Figure, ...]

    @property
    def valid(self) -> bool:
        return not any(figure.failures for figure in self.rounds)

    @property
    def failures(self) -> int:
        return sum(figure.failures for figure in self.rounds)

    @property
    def value(self) -> float:
        return statistics.median(figure.value for figure in self.rounds)

    @property
    def spread(self) -> tuple[float, float]:
        values = [figure.value for figure in self.rounds]
        return min(values), max(values)

    @property
    def p50_ms(self) -> float | None:
        return _median(figure.p50_ms for figure in self.rounds)

    @property
    def p99_ms(self) -> float | None:
        return _median(figure.p99_ms for figure in self.rounds)

    @property
    def cpu_us(self) -> float | None:
        return _median(figure.cpu_us for figure in self.rounds)

    @property
    def generator_cores(self) -> float | None:
        return _median(figure.generator_cores for figure in self.rounds)

    @property
    def other_cores(self) -> float | None:
        """The noisiest round's."""
        return max((figure.other_cores for figure in self.rounds if figure.other_cores is not None), default=None)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for figure in self.rounds for note in figure.notes))


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def fold(taken: Sequence[tuple[str, Figure]]) -> list[Result]:
    """Fold ``(server, figure)`` pairs of all rounds; rows keep the order in which they were first seen."""
    rows = list(dict.fromkeys(figure.row for _, figure in taken))
    servers = list(dict.fromkeys(server for server, _ in taken))
    results: list[Result] = []
    for row in rows:
        for server in servers:
            rounds = tuple(figure for name, figure in taken if name == server and figure.row == row)
            if rounds:
                results.append(Result(server, row, rounds[0].unit, rounds[0].better, rounds))
    return results
