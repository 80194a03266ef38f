"""How far a transfer is: a bar with its rate on a terminal, a line for each file in a pipe."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

from entrepot.cli.words import complain, say, shown, size_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Tally:
    """Counts what is moved and tells about it; used as a context manager around the transfer.

    ``total`` is the bytes to be moved, if known. ``silent`` keeps standard output clear for data.
    """

    def __init__(self, total: int | None, *, silent: bool = False) -> None:
        self.files = 0
        self.size = 0
        self.failures = 0
        self._begin = time.monotonic()
        self._lines = not silent
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        if is_live(silent=silent):
            self._bar, self._task = _bar(total)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is None:
            return
        self._bar.stop()
        if error is None:
            seconds = time.monotonic() - self._begin
            rate = size_text(int(self.size / max(seconds, 1e-6)))
            files = "1 file" if self.files == 1 else f"{self.files} files"
            self._bar.console.print(f"{files}, {size_text(self.size)} in {seconds:.1f} s ({rate}/s)", highlight=False)

    def moved(self, size: int) -> None:
        """Some more bytes are where they belong, or on their way."""
        self.size += size
        if self._bar is not None and self._task is not None:
            self._bar.advance(self._task, size)

    def done(self, source: object, target: object, size: int) -> None:
        """One file is whole."""
        self.files += 1
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=shown(str(source))[-30:].replace("[", r"\["))
        elif self._lines:
            say(f"{source} -> {target} ({size} bytes)")

    def failed(self, text: str) -> None:
        """One file could not be moved; the others go on."""
        self.failures += 1
        if self._bar is not None:
            self._bar.console.print(f"entrepot: {shown(text)}", markup=False, highlight=False, soft_wrap=True)
        else:
            complain(text)

    @property
    def code(self) -> int:
        """The exit code that all this comes to."""
        return 1 if self.failures else 0


def is_live(*, silent: bool = False) -> bool:
    """Whether a person watches: results and trouble go to a terminal, but for data."""
    return sys.stderr.isatty() and (silent or sys.stdout.isatty())


def _bar(total: int | None) -> tuple[Progress, TaskID]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        """Bytes a second in the units of the bytes beside it; rich's own column counts in thousands."""

        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("?" if speed is None else f"{size_text(int(speed))}/s", style="progress.data.speed")

    bar = Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True), Rate(),
        TimeRemainingColumn(), console=Console(stderr=True), transient=True,
    )  # fmt: skip
    return bar, bar.add_task("", total=total)


@contextlib.contextmanager
def watching(what: str) -> Iterator[None]:
    """A sign of life on a terminal while something takes its time."""
    if not is_live():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(what):
        yield
