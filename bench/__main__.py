"""``python -m bench``: measure, print the table, optionally write it as JSON."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from bench.figures import fold
from bench.goals import judge
from bench.machine import facts
from bench.measures import MEASURES
from bench.measures.measure import Measure
from bench.plan import FULL, QUICK, Plan
from bench.report import Report
from bench.rounds import Run, say
from bench.servers import OURS, PEERS, QUICK_PEERS, RECIPES
from bench.servers.running import Recipe

_INTERRUPTED = 130
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SCRATCH = Path("/var/tmp")  # noqa: S108 - only its parent is shared; /tmp is in memory on many machines


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 1 when a figure is invalid or a server failed, 130 on Ctrl-C."""
    options = _parser().parse_args(arguments)
    plan = _plan(options)
    absent: dict[str, str] = {}
    peers = (QUICK_PEERS if options.quick else PEERS) if options.against is None else options.against
    recipes = _present(RECIPES, {OURS, *peers}, absent)
    measures = _possible(options.only, absent)
    for name, reason in absent.items():
        say(f"left out: {name}: {reason}")
    for number in _ENDING:
        signal.signal(number, _interrupt)
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-", dir=options.scratch) as scratch:
        directory = Path(scratch)
        machine = facts(directory)
        run = Run(plan, directory)
        interrupted = False
        try:
            run.execute(recipes, measures)
        except KeyboardInterrupt:
            interrupted = True
            say("interrupted: all servers are stopped; what was measured follows")
    results = fold(run.taken)
    machine["taken"] = f"{plan.rounds} interleaved rounds, {time.monotonic() - begin:.0f} s in all"
    versions = {recipe.name: recipe.version() for recipe in recipes}
    report = Report(machine, versions, absent, results, list(judge(results, OURS)), run.troubles)
    sys.stdout.write(report.text())
    if options.json:
        options.json.write_text(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n")
    if interrupted:
        return _INTERRUPTED
    return 0 if not run.troubles and all(result.valid for result in results if result.server == OURS) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bench", description="Measure Entrepôt beside other S3 servers.")
    measures = [measure.name for measure in MEASURES]
    parser.add_argument("--quick", action="store_true", help="one short round, small sizes (under three minutes)")
    parser.add_argument(
        "--only", type=_names(measures), default=measures, metavar="MEASURES", help=f"of {','.join(measures)}"
    )
    parser.add_argument(
        "--against",
        type=_names(PEERS),
        metavar="SERVERS",
        help=f"of {','.join(PEERS)} (all by default, quick: {','.join(QUICK_PEERS)}), or none",
    )
    parser.add_argument("--rounds", type=int, help="interleaved rounds (default 3, quick 1)")
    parser.add_argument("--seconds", type=int, help="length of one load level (default 4, quick 2)")
    parser.add_argument("--workers", type=int, help="worker processes of Entrepôt (default 2)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON too")
    parser.add_argument(
        "--scratch", type=Path, default=_SCRATCH, metavar="DIR", help="where the data directories are made"
    )
    return parser


def _names(known: list[str]) -> Callable[[str], list[str]]:
    """An argparse type: names of ``known``, separated by commas; ``none`` for no name at all."""

    def names(text: str) -> list[str]:
        asked = [name.strip() for name in text.split(",") if name.strip() not in {"", "none"}]
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: none of {', '.join(known)}")
        return asked

    return names


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL
    changes = {name: getattr(options, name) for name in ("rounds", "seconds", "workers")}
    return replace(plan, **{name: value for name, value in changes.items() if value is not None})


def _present(recipes: Sequence[Recipe], wanted: set[str], absent: dict[str, str]) -> list[Recipe]:
    """The wanted servers that can be started here; the others are entered in ``absent``."""
    found: list[Recipe] = []
    for recipe in recipes:
        if recipe.name not in wanted:
            continue
        reason = recipe.missing()
        if reason is None:
            found.append(recipe)
        else:
            absent[recipe.name] = reason
    return found


def _possible(wanted: Sequence[str], absent: dict[str, str]) -> list[Measure]:
    found: list[Measure] = []
    for measure in MEASURES:
        reason = measure.missing() if measure.name in wanted else None
        if reason is not None:
            absent[measure.name] = reason
        elif measure.name in wanted:
            found.append(measure)
    return found


def _interrupt(_signal: int, _frame: object) -> NoReturn:
    """End the run the way Ctrl-C does; further signals wait until every server is stopped."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
