"""Copying SQLite's write-ahead log back into the database file, off the path of writers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import apsw

from entrepot.catalog.sqlite.condition import Condition
from entrepot.catalog.sqlite.turnstile import Turnstile
from entrepot.catalog.sqlite.writeback import Writeback
from entrepot.errors import Unavailable
from entrepot.ownership import open_lock

T = TypeVar("T")

START_PAGES: Final = 3_072
"""Length of the log at which it is copied back: 12 MiB at pages of 4 KiB. A longer log costs the disk less, as
a page that changed many times is written once; but the more there is, the longer do commits wait behind it."""

GENTLY: Final = ((20, 0.001), (10, 0.0005), (1, 0.0002))
"""How what was copied goes to disk: in so many sections, with a pause of so many seconds behind each. Every further
round is for what writers added during the one before: what the last one leaves is copied while they wait."""

LIMIT_PAGES: Final = 16_384
"""Length at which a writer copies back whatever there is: 64 MiB. A log that grew longer, behind a reader that stayed,
is cut to it when it begins again."""

LAID_BYTES: Final = 28 * 1024 * 1024
"""How far the log of a lasting process is laid out ahead, which is longer than it gets as a rule. A sync that
overwrites takes half the time of one that lengthens a file, or fills what is only reserved, as either makes the
file system write its own notes too (measured: 110 µs against 200)."""

SLICE_BYTES: Final = 512 * 1024
"""How much of it is laid out while writers wait."""

PIECE_BYTES: Final = 32 * 1024
"""How much of it is written at once. Linux keeps in one piece in memory what came in one, and each small write that
comes later goes through all of its piece: a commit's cost a tenth less in pieces of 16 to 64 KiB than of 4 or 512."""


class Checkpointer:
    """A thread that copies the log back when it has grown. One process at a time does it.

    A passive checkpoint never blocks a writer or reader; it copies what nobody needs any more.
    Writers add to the log meanwhile, so the little that is left then is copied with the turnstile
    held: only a log that was copied to its end is begun again from its start instead of being
    lengthened. That last copy ends with a sync of all of them, so before it what was copied is sent to
    disk little by little. When a copy fails, or a reader is in its way, the log simply stays until it
    has grown by as much again.

    ``lasting`` tells of a process that will write for long: it lays the log out as it begins.
    """

    def __init__(
        self, path: Path, connect: Callable[[], apsw.Connection], condition: Condition, *, lasting: bool = False
    ) -> None:
        self.pages = 0
        self.broken = False
        """Whether a sync of the disk failed. What was copied before it may be lost, and no later sync would tell: so
        all of it stays in the log, from which whoever opens the catalog next, alone, copies it anew."""
        self._next = START_PAGES
        self._laid = not lasting
        self._log = path.with_name(path.name + "-wal")
        self._writeback = Writeback(path)
        self._connect = connect
        self._condition = condition
        self._elected = open_lock(path.with_name(path.name + ".checkpoint"))
        self._turnstile = Turnstile(path)  # of its own: a lock on a file holds against other openings of it
        self._wake = threading.Event()
        if lasting:
            self._wake.set()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="catalog-checkpoint", daemon=True)
        self._thread.start()

    def watch(self, connection: apsw.Connection) -> None:
        """Look after the log from now on that a connection writes."""
        connection.pragma("journal_size_limit", LIMIT_PAGES * connection.pragma("page_size"))
        connection.set_wal_hook(self.notice)

    def notice(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        """SQLite's hook after each commit."""
        if pages < self._next - START_PAGES:  # shorter than when it was last looked after: it began again
            self._next = START_PAGES
        self.pages = pages
        if pages >= self._next:
            self._next = pages + START_PAGES
            self._wake.set()
        return apsw.SQLITE_OK

    @property
    def overdue(self) -> bool:
        """Whether the log is so long that a writer has to see to it."""
        return self.pages > LIMIT_PAGES

    def relieve(self, connection: apsw.Connection) -> None:
        """A writer's part, with the turnstile held: copy the log back if it is overdue."""
        if self.overdue:
            self._copy_back(connection)

    def _copy_back(self, connection: apsw.Connection) -> int:
        """Copy what can be copied; the pages left. A reader in the way, or an I/O error, leaves all."""
        if self.broken:
            return START_PAGES
        try:
            length, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        except apsw.Error as error:
            # Nothing is lost: the log is what was synced. Writers meet the same trouble and tell. None may
            # escape, whatever it is: it would end the committer with the turnstile held.
            self.pages = 0
            if (
                getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_FSYNC
            ):  # never taken back: two threads come here
                self.broken = True
            return START_PAGES
        return length - copied

    def _work(self) -> None:
        connection = self._connect()
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._closing.is_set():
                break
            try:
                fcntl.flock(self._elected, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            try:
                with contextlib.suppress(Unavailable):  # no turn is to be had: writers meet the same, and tell
                    self._look_after(connection)
            finally:
                if not self.broken:  # nobody else copies either
                    fcntl.flock(self._elected, fcntl.LOCK_UN)
        connection.close()

    def _look_after(self, connection: apsw.Connection) -> None:
        if not self._laid:
            self._laid = True
            while self._in_turn(self.lay_out):
                pass
            if self.pages < START_PAGES:  # it has not grown since this process began
                return
        for sections, pause in GENTLY:
            if self._copy_back(connection) >= START_PAGES:
                return
            for _ in self._writeback.sections(sections):
                self._closing.wait(pause)
        self._in_turn(lambda: self._copy_back(connection))

    def _in_turn(self, work: Callable[[], T]) -> T:
        self._turnstile.enter()
        try:
            return work()
        finally:
            self._turnstile.leave()

    def lay_out(self) -> bool:
        """Lengthen the log's file by a slice of zeros; whether there is more to do. The turnstile is
        held, so nobody else adds to the log; what lies behind its last frame is nothing to SQLite. A disk
        that would be left with little room keeps it: the log is copied back into a file that has to grow.
        """
        if self._condition.moved:  # then the log that has the name is another's
            return False
        try:
            with self._log.open("r+b", buffering=0) as file:
                missing = LAID_BYTES - file.seek(0, os.SEEK_END)
                if missing <= 0 or self._closing.is_set() or _room(file.fileno()) < missing + LAID_BYTES:
                    return False
                left = min(missing, SLICE_BYTES)
                while left > 0:
                    left -= file.write(bytes(min(left, PIECE_BYTES)))
                os.fdatasync(file.fileno())
        except OSError:  # no log, or a full disk: writers meet it themselves and tell
            return False
        return missing > SLICE_BYTES

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        self._thread.join()
        self._turnstile.close()
        os.close(self._elected)


def _room(descriptor: int) -> int:
    """Bytes that may still be written to the file system of a file."""
    disk = os.fstatvfs(descriptor)
    return disk.f_bavail * disk.f_frsize
