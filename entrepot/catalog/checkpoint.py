"""Copying SQLite's write-ahead log back into the database file, off the path of writers."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import apsw

START_PAGES: Final = 2_048
"""Length of the log at which it is worth copying back: 8 MiB at pages of 4 KiB."""

LIMIT_PAGES: Final = 16_384
"""Length at which a writer copies back whatever there is: 64 MiB."""

READY_PAGES: Final = 256
"""Length from which the log is taken to be in lasting use, so that it is worth laying out ahead."""

READY_BYTES: Final = 24 * 1024 * 1024
"""How far it is laid out. A sync that overwrites takes half the time of one that lengthens a file,
which makes the file system write its journal too (measured: 170 µs against 370)."""


class Checkpointer:
    """A thread that copies the log back when it has grown. One process at a time does it.

    A passive checkpoint never blocks a writer or reader; it copies what nobody needs any more.
    Writers add to the log meanwhile, so once little is left one of them copies that (``finish``):
    only then does SQLite begin again at the start of the log instead of lengthening it. When a copy
    fails the log simply stays, and the next growth tries again.
    """

    def __init__(self, path: Path, connect: Callable[[], apsw.Connection]) -> None:
        self.pages = 0
        self._rest = False
        self._ready = False
        self._log = path.with_name(path.name + "-wal")
        self._connect = connect
        self._elected = os.open(path.with_name(path.name + ".checkpoint"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
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

    def finish(self, connection: apsw.Connection) -> None:
        """A writer's part, with the turnstile held: copy the rest of the log if that is due."""
        if self._rest or self.pages > LIMIT_PAGES:
            self._rest = False
            self._copy_back(connection)

    def lay_out(self) -> None:
        """Lengthen the log's file with zeros, once. Call it within a write transaction, when nobody
        else adds to the log; what lies behind its last frame is nothing to SQLite.
        """
        if self._ready or self.pages < READY_PAGES:
            return
        self._ready = True
        with self._log.open("ab") as file:
            missing = READY_BYTES - os.fstat(file.fileno()).st_size
            if missing > 0:
                file.write(bytes(missing))
                file.flush()
                os.fsync(file.fileno())

    def _copy_back(self, connection: apsw.Connection) -> int:
        """Copy what can be copied; the pages left. A reader in the way, or an I/O error, leaves all."""
        try:
            length, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error:
            # Nothing is lost: the log is what was synced. Writers meet the same trouble and tell. None may
            # escape, whatever it is: it would end the committer with the turnstile held.
            self.pages = 0
            return 0
        return length - copied

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
                self._rest = 0 < self._copy_back(connection) <= START_PAGES
            finally:
                fcntl.flock(self._elected, fcntl.LOCK_UN)
        connection.close()

    def close(self) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join()
        os.close(self._elected)
