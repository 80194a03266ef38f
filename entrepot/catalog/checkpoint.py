"""Copying SQLite's write-ahead log back into the database file, off the path of writers."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

START_PAGES: Final = 4_096
"""Length of the log at which it is worth copying back: 16 MiB at pages of 4 KiB."""


class Checkpointer:
    """A thread that copies the log back when it has grown. One process at a time does it.

    A passive checkpoint never blocks a writer or reader; it copies what nobody needs any more.
    When the copy fails the log simply stays, and the next growth tries again.
    """

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self.pages = 0
        self._connect = connect
        self._elected = os.open(
            path.with_name(path.name + ".checkpoint"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="catalog-checkpoint", daemon=True)
        self._thread.start()

    def notice(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """SQLite's hook after each commit."""
        self.pages = pages
        if pages >= START_PAGES:
            self._wake.set()
        return apsw.SQLITE_OK

    def copy_back(self, connection: apsw.Connection) -> None:
        """Copy what can be copied; a reader in the way, or an I/O error, leaves the log longer."""
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except (apsw.BusyError, apsw.LockedError, apsw.FullError, apsw.IOError):
            # Nothing is lost: the log is what was synced. Writers meet the same trouble and tell.
            self.pages = 0

    def _work(self) -> None:
        connection = self._connect()
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing:
                break
            try:
                fcntl.flock(self._elected, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:
                self.copy_back(connection)
            finally:
                fcntl.flock(self._elected, fcntl.LOCK_UN)
        connection.close()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join()
        os.close(self._elected)
