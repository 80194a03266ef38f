"""CPU time over a stretch of work: of the server, of this program and its load generator, of everybody else."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.processes import TICKS, Process


class Meter:
    """Measures from entry to exit of a ``with`` block; seconds throughout."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.wall = 0.0
        self.server = 0.0
        self.generator = 0.0
        self.others = 0.0

    def __enter__(self) -> Self:
        self._start = self._read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wall, server, own, machine = (after - before for after, before in zip(self._read(), self._start, strict=True))
        self.wall, self.server, self.generator = wall, server, own
        self.others = max(0.0, machine - server - own)

    def _read(self) -> tuple[float, float, float, float]:
        return time.perf_counter(), self._process.cpu_seconds(), sum(os.times()[:4]), _busy_seconds()

    @property
    def other_cores(self) -> float:
        return self.others / self.wall if self.wall else 0.0


def _busy_seconds() -> float:
    """CPU time that all programs together have had since boot, interrupts and stolen time included."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    user, nice, system, _idle, _waiting, *rest = (int(field) for field in fields)
    return (user + nice + system + sum(rest)) / TICKS
