"""Medians, ratios and verdicts: arithmetic that a reader of the table takes on trust."""

from __future__ import annotations

from bench.figures import Figure, fold
from bench.goals import judge
from bench.report import Report

GET = "4 KiB GET, 16 connections"


def figure(value: float, row: str = GET, p99_ms: float = 1.0, failures: int = 0) -> Figure:
    return Figure(row, value, "req/s", p50_ms=0.5, p99_ms=p99_ms, cpu_us=100.0, failures=failures)


def verdict(taken: list[tuple[str, Figure]], words: str) -> bool | None:
    (found,) = [each for each in judge(fold(taken), "entrepot") if str(each.goal) == words]
    return found.met


def test_the_median_of_the_rounds_is_reported() -> None:
    results = fold([("entrepot", figure(value)) for value in (10.0, 1000.0, 20.0)])

    assert [result.value for result in results] == [20.0]
    assert results[0].spread == (10.0, 1000.0)


def test_rows_keep_their_order_and_servers_stand_together() -> None:
    taken = [("b", figure(1, "one")), ("b", figure(1, "two")), ("a", figure(1, "one")), ("a", figure(1, "two"))]

    assert [(result.row, result.server) for result in fold(taken)] == [
        ("one", "b"), ("one", "a"), ("two", "b"), ("two", "a"),
    ]  # fmt: skip


def test_a_goal_compares_with_the_peer_at_the_same_row() -> None:
    peer = [("seaweedfs", figure(100.0)), ("seaweedfs", figure(1.0, "4 KiB GET, 1 connection"))]

    assert verdict([("entrepot", figure(300.0)), *peer], "figure ≥ 3 × seaweedfs") is True
    assert verdict([("entrepot", figure(299.0)), *peer], "figure ≥ 3 × seaweedfs") is False


def test_a_tail_as_long_as_the_peers_is_no_worse() -> None:
    peer = ("seaweedfs", figure(1.0, p99_ms=2.0))

    assert verdict([("entrepot", figure(1.0, p99_ms=2.0)), peer], "p99 ≤ 1 × seaweedfs") is True
    assert verdict([("entrepot", figure(1.0, p99_ms=2.1)), peer], "p99 ≤ 1 × seaweedfs") is False


def test_one_failure_makes_a_figure_invalid_on_either_side() -> None:
    good, bad = figure(300.0), figure(300.0, failures=1)

    assert verdict([("entrepot", bad), ("seaweedfs", figure(1.0))], "figure ≥ 3 × seaweedfs") is None
    assert verdict([("entrepot", good), ("seaweedfs", bad)], "figure ≥ 3 × seaweedfs") is None
    assert verdict([("entrepot", good), ("entrepot", bad)], "CPU µs a request ≤ 160") is None


def test_the_table_shows_ratios_and_calls_invalid_figures_so() -> None:
    results = fold([("entrepot", figure(250.0)), ("seaweedfs", figure(100.0)), ("rclone", figure(9.0, failures=7))])
    lines = Report({}, {}, {"minio": "minio is not on PATH"}, results, [], []).text().splitlines()

    assert "left out: minio: minio is not on PATH" in lines
    (ours,) = [line for line in lines if " entrepot " in line]
    (rclone,) = [line for line in lines if " rclone " in line]
    assert [cell.strip() for cell in ours.split("|")][3:6] == ["250", "req/s", "2.50"]
    assert "INVALID, 7 failures" in rclone
    assert len({len(line) for line in lines if line.startswith("|")}) == 1
