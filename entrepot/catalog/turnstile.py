"""A fair lock between processes on one host, held by file locks."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class Turnstile:
    """Lets one process at a time into the catalog's write transaction, in turn.

    SQLite's own lock makes a process that finds it taken sleep and ask again. Here it waits in the
    kernel: whoever wants in holds ``next`` while it waits for ``turn``, so a process that has just
    left cannot enter again before one that was waiting. Both locks fall with the process.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        self._next = os.open(path.with_name(path.name + ".next"), flags, 0o600)
        self._turn = os.open(path.with_name(path.name + ".turn"), flags, 0o600)

    def try_enter(self) -> bool:
        """Enter if nobody is inside or waiting; never waits."""
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)
        return True

    def enter(self) -> None:
        """Wait for the turn. Releases the interpreter lock; call it from a thread."""
        fcntl.flock(self._next, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._turn, fcntl.LOCK_EX)
        finally:
            fcntl.flock(self._next, fcntl.LOCK_UN)

    def leave(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._next)
        os.close(self._turn)
