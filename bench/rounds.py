"""The order of a run: servers take turns, so that whatever disturbs the machine disturbs them alike."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure
from bench.http import LOST
from bench.measures.measure import Measure
from bench.plan import Plan
from bench.servers.running import NotStarted, Recipe, started
from bench.wrk import WrkFailed


def say(text: str) -> None:
    """Progress, on standard error: standard output holds the tables alone."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(slots=True)
class Run:
    """Everything taken so far, and what could not be."""

    plan: Plan
    scratch: Path
    taken: list[tuple[str, Figure]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    def execute(self, recipes: Sequence[Recipe], measures: Sequence[Measure]) -> None:
        """Take every measure against every server; a server that fails is noted and the others go on."""
        for recipe, wanted, title in _turns(recipes, measures, self.plan.rounds):
            say(f"{title}: {recipe.name}")
            try:
                self._turn(recipe, wanted, title)
            except NotStarted as error:
                self._note(str(error))

    def _turn(self, recipe: Recipe, measures: Sequence[Measure], title: str) -> None:
        directory = self.scratch / recipe.name
        with started(recipe, directory, self.plan.workers) as running:
            for measure in measures:
                # What a server left unsynced must not be written back during the next one's turn.
                os.sync()
                begin = time.monotonic()
                try:
                    for figure in measure.take(running, self.plan, f"{measure.name}"):
                        self.taken.append((recipe.name, figure))
                        say(f"    {_line(figure)}")
                except (*LOST, WrkFailed) as error:
                    self._note(f"{title}: {recipe.name}: {measure.name}: {error}")
                    say(running.process.last_words())
                say(f"  {measure.name}: {time.monotonic() - begin:.0f} s")
        os.sync()

    def _note(self, trouble: str) -> None:
        self.troubles.append(trouble)
        say(f"  ! {trouble}")


def _turns(
    recipes: Sequence[Recipe], measures: Sequence[Measure], rounds: int
) -> Iterator[tuple[Recipe, list[Measure], str]]:
    """First the interleaved rounds, then the measures that are taken once, each on a fresh start."""
    for number in range(rounds):
        shift = number % len(recipes) if recipes else 0
        for recipe in (*recipes[shift:], *recipes[:shift]):
            wanted = [each for each in measures if not each.once and each.applies(recipe.name)]
            if wanted:
                yield recipe, wanted, f"round {number + 1} of {rounds}"
    for measure in measures:
        for recipe in recipes:
            if measure.once and measure.applies(recipe.name):
                yield recipe, [measure], measure.name


def _line(figure: Figure) -> str:
    cpu = f", {figure.cpu_us:,.0f} µs CPU" if figure.cpu_us is not None else ""
    notes = f" ({'; '.join(figure.notes)})" if figure.notes else ""
    return f"{figure.row}: {figure.value:,.1f} {figure.unit}{cpu}{notes}"
