"""Whether the catalog's file is the one that was opened, and whether anybody found it damaged."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from entrepot.errors import Corrupt, Unavailable
from entrepot.ownership import open_lock


class Condition:
    """What one process knows of the file, and what those beside it found.

    A file that was removed or replaced stays open, and what is written to it is lost to whoever opens the name next.
    Whoever finds damage holds a lock as long as it runs: others see that, and nothing stays behind of it.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fspath(path)
        self._file = path.stat()
        self._damage = ""
        self._lock = open_lock(path.with_name(path.name + ".damaged"))

    @property
    def moved(self) -> bool:
        """Whether the name leads to another file by now, or to none."""
        try:
            found = os.stat(self._path)  # noqa: PTH116 - before each commit
        except OSError:
            return True
        return found.st_ino != self._file.st_ino or found.st_dev != self._file.st_dev

    def check_there(self) -> None:
        """Raises Unavailable when the file was removed or replaced."""
        if self.moved:
            raise Unavailable(
                f"{self._path} was removed or replaced while it was in use: stop every program that uses it, put it "
                "back or restore it from a backup, and start again"
            )

    def note_damage(self, text: str) -> None:
        """Tell every process, to the end of this one."""
        self._damage = self._damage or text
        with contextlib.suppress(BlockingIOError):  # another process tells it, or is looking: then the next time
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def check_sound(self) -> None:
        """Raises Corrupt when any process that runs has found damage."""
        if self._damage:
            self.note_damage(self._damage)
            raise Corrupt(self._damage)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Corrupt("the catalog is damaged: another process has found it so") from None
        fcntl.flock(self._lock, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._lock)
