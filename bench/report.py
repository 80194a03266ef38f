"""The results as one table for people and one document for programs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.figures import Result
from bench.goals import Verdict
from bench.servers import BASELINE

_HEADINGS = (
    "row", "server", "figure", "unit", f"× {BASELINE}", "p50 ms", "p99 ms", "CPU µs", "wrk cores", "other cores",
    "range", "notes",
)  # fmt: skip
_NOTES_WIDTH = 90
_LEFT = {0, 1, 3, 11}


@dataclass(frozen=True, slots=True)
class Report:
    facts: Mapping[str, str]
    versions: Mapping[str, str]
    absent: Mapping[str, str]
    """Servers and measures left out, with the reason."""
    results: Sequence[Result]
    verdicts: Sequence[Verdict]
    troubles: Sequence[str]

    def text(self) -> str:
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from (f"{name}: {fact}" for name, fact in self.facts.items())
        yield "versions: " + ", ".join(f"{name} {version}" for name, version in self.versions.items())
        yield from (f"left out: {name}: {reason}" for name, reason in self.absent.items())
        yield ""
        yield from _aligned([_HEADINGS, *(_cells(result, self.results) for result in self.results)], _LEFT)
        yield ""
        if self.verdicts:
            rows = [("goal", "row", "reached", "")]
            rows += [(str(each.goal), each.row, _number(each.reached), _word(each.met)) for each in self.verdicts]
            yield from _aligned(rows, {0, 1, 3})
            yield ""
        yield from (f"trouble: {trouble}" for trouble in self.troubles)

    def document(self) -> dict[str, object]:
        return {
            "facts": dict(self.facts),
            "versions": dict(self.versions),
            "absent": dict(self.absent),
            "results": [_entry(result) for result in self.results],
            "goals": [
                {"goal": str(each.goal), "row": each.row, "reached": each.reached, "met": each.met}
                for each in self.verdicts
            ],
            "troubles": list(self.troubles),
        }


def _cells(result: Result, results: Sequence[Result]) -> tuple[str, ...]:
    low, high = result.spread
    notes = "; ".join(result.notes)
    if not result.valid:
        notes = f"INVALID, {result.failures} failures" + (f": {notes}" if notes else "")
    return (
        result.row,
        result.server,
        _number(result.value),
        result.unit,
        _number(_ratio(result, results)),
        _number(result.p50_ms),
        _number(result.p99_ms),
        _number(result.cpu_us),
        _number(result.generator_cores),
        _number(result.other_cores),
        f"{_number(low)}–{_number(high)}" if len(result.rounds) > 1 else "",
        textwrap.shorten(notes, _NOTES_WIDTH, placeholder=" ..."),
    )


def _ratio(result: Result, results: Sequence[Result]) -> float | None:
    for other in results:
        if other.server == BASELINE and other.row == result.row and other.valid and result.valid:
            return result.value / other.value if other.value else None
    return None


def _entry(result: Result) -> dict[str, object]:
    return {
        "row": result.row,
        "server": result.server,
        "unit": result.unit,
        "better": result.better,
        "valid": result.valid,
        "value": result.value,
        "p50_ms": result.p50_ms,
        "p99_ms": result.p99_ms,
        "cpu_us": result.cpu_us,
        "generator_cores": result.generator_cores,
        "other_cores": result.other_cores,
        "rounds": [asdict(figure) for figure in result.rounds],
    }


def _number(value: float | None) -> str:
    """Three digits that matter, thousands set apart."""
    if value is None:
        return ""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _word(met: bool | None) -> str:  # noqa: FBT001 - a value to print, not a switch
    return {True: "met", False: "MISSED", None: "not measured"}[met]


def _aligned(rows: Sequence[Sequence[str]], left: set[int]) -> Iterator[str]:
    """A table in Markdown whose columns also line up on a terminal."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(widths[column]) if column in left else cell.rjust(widths[column])
            for column, cell in enumerate(cells)
        )
        return "| " + " | ".join(padded) + " |"

    yield line(rows[0])
    yield (
        "|"
        + "|".join(
            ("-" * (width + 2)) if column in left else ("-" * (width + 1) + ":") for column, width in enumerate(widths)
        )
        + "|"
    )
    yield from (line(row) for row in rows[1:])
