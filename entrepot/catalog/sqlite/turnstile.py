"""Locks between processes on one host, held by file locks: a fair one, and named ones."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from entrepot.errors import Busy, Unavailable
from entrepot.ownership import open_lock


class Turnstile:
    """Lets one process at a time into the catalog's write transaction, in turn.

    SQLite's own lock makes a process that finds it taken sleep and ask again. Here it waits in the
    kernel: whoever wants in holds ``next`` while it waits for ``turn``, so a process that has just
    left cannot enter again before one that was waiting. Both locks fall with the process.

    Entering raises Unavailable where the file system has no locks to give.
    """

    def __init__(self, path: Path) -> None:
        self._next = open_lock(path.with_name(path.name + ".next"))
        self._turn = open_lock(path.with_name(path.name + ".turn"))

    def try_enter(self) -> bool:
        """Enter if nobody is inside or waiting; never waits."""
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
        except BlockingIOError:
            return False
        except OSError as error:
            raise _refused(error) from error
        return True

    def enter(self) -> None:
        """Wait for the turn. Releases the interpreter lock; call it from a thread."""
        try:
            fcntl.flock(self._next, fcntl.LOCK_EX)
            try:
                fcntl.flock(self._turn, fcntl.LOCK_EX)
            finally:
                fcntl.flock(self._next, fcntl.LOCK_UN)
        except OSError as error:
            raise _refused(error) from error

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """Wait for the turn, and be inside for as long as the context lasts."""
        self.enter()
        try:
            yield
        finally:
            self.leave()

    def leave(self) -> None:
        fcntl.flock(self._turn, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._next)
        os.close(self._turn)


@contextlib.contextmanager
def held(path: Path, name: str) -> Iterator[None]:
    """Hold a name beside the file at ``path``. Raises Busy."""
    fd = open_lock(path.with_name(f"{path.name}.{name}"))
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(name) from None
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def held_here(names: set[str], name: str) -> Iterator[None]:
    """Hold a name among those of this process. Raises Busy."""
    if name in names:
        raise _taken(name)
    names.add(name)
    try:
        yield
    finally:
        names.remove(name)


async def still() -> None:
    """What is held is held: a lock on a file falls with the file's closing and not before."""


def _refused(error: OSError) -> Unavailable:
    return Unavailable(f"the catalog's file system locks no file: {error.strerror}")


def _taken(name: str) -> Busy:
    return Busy(f"another {name} is running on this catalog")
