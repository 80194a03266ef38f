"""SQLite as the catalog: one writer with group commit, readers beside it.

How a write travels, in one process:

    write() ──► pending ──► _enter ──► _run ──► committer: COMMIT ──► _settle ──► caller
                  loop       loop      loop      thread (fsync)         loop

Or wholly on the loop, when nobody is there to be held up (see ``solitude``).

Statements run on the event loop's thread, where they cost microseconds and no thread fights for
the interpreter; what waits, waiting for another process's turn and the fsync of COMMIT, happens
in the committer thread. While one batch is being synced the next one gathers.

Invariants:

1. A caller is answered only after the COMMIT that holds its change returned (synchronous=FULL:
   the write-ahead log is on disk then).
2. Each operation has a savepoint: one that fails undoes itself and nothing of its neighbours.
3. Between ``BEGIN`` and the end of ``COMMIT`` this process holds the turnstile, so it never meets
   SQLITE_BUSY from another Entrepôt process.
4. When COMMIT itself fails nothing of the batch is visible, and every caller of it is told.
5. The write-ahead log is copied back by a thread of its own, elected among processes, which takes
   the turnstile for the little that is left in the end (see ``checkpoint``).
6. Nothing is committed to a file that was removed or replaced (see ``condition``), and nothing is opened at its name.
7. A read on the loop sees what is committed: it is made on the writer's connection only while that has
   no transaction open.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import apsw

from entrepot.catalog.database import Still, T, Transaction
from entrepot.catalog.schema import migrate_sqlite
from entrepot.catalog.sqlite.checkpoint import Checkpointer
from entrepot.catalog.sqlite.condition import Condition
from entrepot.catalog.sqlite.connections import connect, drive, translate
from entrepot.catalog.sqlite.lanes import ThreadLane
from entrepot.catalog.sqlite.solitude import Solitude
from entrepot.catalog.sqlite.turnstile import Turnstile, held, held_here, still
from entrepot.errors import Corrupt, Unavailable

BATCH: Final = 256
"""Operations in one commit at most: bounds how long a caller can be held up by its neighbours."""

PAGES: Final = 2
"""Threads for bounded reads. What nobody waits for has one thread of its own."""


class _Write:
    """A queued change and who waits for it."""

    __slots__ = ("error", "future", "heavy", "operation", "result")

    def __init__(self, operation: Transaction[Any], future: asyncio.Future[Any], *, heavy: bool) -> None:
        self.operation = operation
        self.future = future
        self.heavy = heavy
        self.result: Any = None
        self.error: Exception | None = None


class SQLite:
    """A :class:`~entrepot.catalog.database.Database` in one file, or in memory."""

    def __init__(
        self,
        path: Path | None,
        connect_: Callable[[], apsw.Connection],
        writer: apsw.Connection,
        turnstile: Turnstile | None,
        *,
        lasting: bool,
    ) -> None:
        """See :meth:`open`."""
        self._loop = asyncio.get_running_loop()
        self._path = path
        self._memory = path is None
        self._held: set[str] = set()
        self._pending: deque[_Write] = deque()
        self._cycling = False
        self._solitude = Solitude(self._loop)
        self._drained: asyncio.Future[None] | None = None
        self._closed = False
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._connect = connect_
        self._turnstile = turnstile
        self._writer = writer
        self._checkpointer: Checkpointer | None = None
        self._condition: Condition | None = None
        if path is None:
            self._reader = self._writer
        else:
            self._condition = Condition(path)
            self._reader = self._join()
            self._checkpointer = Checkpointer(path, self._connect, self._condition, lasting=lasting)
            self._checkpointer.watch(self._writer)
        self._pages = ThreadLane("catalog-page", PAGES, self._join, self._told)
        self._background = ThreadLane("catalog-background", 1, self._join, self._told)
        self._committer = threading.Thread(target=self._commit_loop, name="catalog-commit", daemon=True)
        self._committer.start()

    @classmethod
    async def open(cls, path: Path | None, *, vfs: str | None = None, lasting: bool = False) -> SQLite:
        """Open, creating and migrating the file as needed; None is a catalog in memory. ``lasting`` is for a
        process that will write for long, and readies the disk for that.

        Raises Incompatible for a catalog of a newer program, Unavailable when it cannot be opened.
        """
        connect_ = functools.partial(connect, path, vfs)
        turnstile = None if path is None else Turnstile(path)
        try:
            # Not on the loop: who is inside may be another catalog of the same loop, and an upgrade takes its time.
            writer = await asyncio.to_thread(_open_writer, connect_, turnstile)
            return cls(path, functools.partial(connect_, make=False), writer, turnstile, lasting=lasting)
        except apsw.Error as error:
            raise translate(error) from error

    # -- reading

    async def read(self, operation: Transaction[T], *, large: bool = False) -> T:
        if large and not self._memory:
            return await self.scan(operation)
        self._solitude.asked += 1
        try:
            # The writer keeps its cache over its own commits, the reader has to read the pages again.
            return drive(self._reader if self._cycling else self._writer, operation)
        except apsw.Error as error:
            raise self._told(error) from error

    async def scan(self, operation: Transaction[T], *, background: bool = False) -> T:
        if self._memory:
            return await self.read(operation)
        self._refuse_closed()
        return await (self._background if background else self._pages).run(operation)

    # -- writing

    async def write(self, operation: Transaction[T], *, heavy: bool = False, large: bool = False) -> T:
        self._refuse_closed()
        self._solitude.asked += 1
        if not (heavy or large) and (turnstile := self._enter_alone()) is not None:
            return self._write_alone(turnstile, operation)
        future: asyncio.Future[T] = self._loop.create_future()
        self._pending.append(_Write(operation, future, heavy=heavy or large))
        if not self._cycling:
            self._cycling = True
            self._loop.call_soon(self._enter)
        return await future

    def _enter_alone(self) -> Turnstile | None:
        """The turnstile, entered, if a write may be committed on the loop."""
        checkpointer, turnstile = self._checkpointer, self._turnstile
        if checkpointer is None or turnstile is None or self._cycling or not self._solitude.sure():
            return None
        return None if checkpointer.overdue or not turnstile.try_enter() else turnstile

    def _write_alone(self, turnstile: Turnstile, operation: Transaction[T]) -> T:
        """Run and commit one write here and now; the turnstile is held."""
        execute = self._writer.execute
        self._solitude.begin()
        try:
            self._check_there()
            execute("BEGIN IMMEDIATE")
            result = drive(self._writer, operation)
            execute("COMMIT")
        except apsw.Error as error:
            raise self._told(error) from error
        finally:
            self._roll_back()  # unless it was committed
            turnstile.leave()
            self._solitude.end_on_loop()
        return result

    def _enter(self) -> None:
        try:
            entered = self._turnstile is None or self._turnstile.try_enter()
        except Unavailable as error:
            self._give_up(error)
        else:
            self._run() if entered else self._jobs.put(self._wait_turn)

    def _wait_turn(self) -> None:
        try:
            if self._turnstile is not None:
                self._turnstile.enter()
        except Unavailable as error:
            self._loop.call_soon_threadsafe(self._give_up, error)
        else:
            self._loop.call_soon_threadsafe(self._run)

    def _give_up(self, error: Unavailable) -> None:
        """There is no turn to be had, for nobody who waits."""
        batch = list(self._pending)
        self._pending.clear()
        self._settle_and_idle(batch, error)

    def _run(self) -> None:
        """Run the statements of what is pending; the turnstile is held."""
        self._solitude.begin()
        batch = [self._pending.popleft()]
        if batch[0].heavy and not self._memory:
            self._jobs.put(functools.partial(self._execute_and_commit, batch))
            return
        while self._pending and len(batch) < BATCH and not self._pending[0].heavy:
            batch.append(self._pending.popleft())
        error = self._execute(batch)
        if self._memory:
            self._settle_and_idle(batch, error or self._commit())
        else:
            self._jobs.put(functools.partial(self._finish, batch, error))

    def _execute_and_commit(self, batch: list[_Write]) -> None:
        self._finish(batch, self._execute(batch))

    def _execute(self, batch: list[_Write]) -> Exception | None:
        """Run a batch in one transaction, left open; the error that undid all of it, or None."""
        execute = self._writer.execute
        several = len(batch) > 1  # one alone needs no savepoint: the transaction is its own
        try:
            self._check_there()
            execute("BEGIN IMMEDIATE")
            for write in batch:
                if several:
                    execute("SAVEPOINT operation")
                try:
                    write.result = drive(self._writer, write.operation)
                except Exception as error:  # whatever it is, it is the caller's to hear
                    if not several or self._writer.get_autocommit():  # a full disk rolls back everything
                        raise
                    execute("ROLLBACK TO operation")
                    write.error = self._told(error) if isinstance(error, apsw.Error) else error
                if several:
                    execute("RELEASE operation")
        except Exception as error:  # noqa: BLE001 - as above, for every caller of the batch
            self._roll_back()
            return self._told(error) if isinstance(error, apsw.Error) else error
        return None

    def _roll_back(self) -> None:
        if not self._writer.get_autocommit():
            with contextlib.suppress(apsw.Error):  # the failed statement may have rolled back already
                self._writer.execute("ROLLBACK")

    def _commit(self) -> Exception | None:
        try:
            self._writer.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            return self._told(error)
        return None

    def _finish(self, batch: list[_Write], error: Exception | None) -> None:
        """In the committer: make a batch durable, pass the turn on, take the next one if needed."""
        error = error or self._commit()
        if self._checkpointer is not None:
            self._checkpointer.relieve(self._writer)
        if self._turnstile is not None:
            self._turnstile.leave()
        if self._pending:
            self._loop.call_soon_threadsafe(self._settle, batch, error)
            self._wait_turn()
        else:
            self._loop.call_soon_threadsafe(self._settle_and_idle, batch, error)

    def _settle(self, batch: list[_Write], error: Exception | None) -> None:
        for write in batch:
            if write.future.done():  # its caller was cancelled
                continue
            failure = error or write.error
            if failure is not None:
                write.future.set_exception(failure)
            else:
                write.future.set_result(write.result)

    def _settle_and_idle(self, batch: list[_Write], error: Exception | None) -> None:
        self._settle(batch, error)
        self._solitude.end(len(batch))
        if self._pending:
            self._loop.call_soon(self._enter)
        else:
            self._cycling = False
            if self._drained is not None:
                self._drained.set_result(None)

    def _commit_loop(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    # -- the rest

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[Still]:
        with held_here(self._held, name) if self._path is None else held(self._path, name):
            yield still

    async def check(self) -> None:
        try:
            self._reader.execute("SELECT count(*) FROM migrations").fetchall()
        except apsw.Error as error:
            raise self._told(error) from error
        if self._condition is not None:
            self._condition.check_there()
            self._condition.check_sound()
        if self._checkpointer is not None and self._checkpointer.broken:
            raise Unavailable("its disk failed: nothing is lost, but stop all that use it and start again")

    def _told(self, error: apsw.Error) -> Exception:
        """An error in our words. Damage is remembered."""
        told = translate(error)
        if isinstance(told, Corrupt) and self._condition is not None:
            self._condition.note_damage(str(told))
        return told

    def _join(self) -> apsw.Connection:
        """One more connection to the file that the writer has. Raises Unavailable when its name leads elsewhere."""
        self._check_there()
        connection = self._connect()
        try:
            self._check_there()
        except Unavailable:
            connection.close()
            raise
        return connection

    def _check_there(self) -> None:
        if self._condition is not None:
            self._condition.check_there()

    def _refuse_closed(self) -> None:
        if self._closed:
            raise Unavailable("the catalog is closed")

    async def close(self) -> None:
        self._closed = True
        self._background.stop()
        if self._cycling:
            self._drained = self._loop.create_future()
            await self._drained
        self._jobs.put(None)
        self._committer.join()
        self._pages.close()
        self._background.close()
        if self._checkpointer is not None:
            self._checkpointer.close()
        keep_log = self._has_to_keep_log()
        for connection in (self._reader, self._writer):
            if keep_log:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()
        if self._turnstile is not None:
            self._turnstile.close()
        if self._condition is not None:
            self._condition.close()

    def _has_to_keep_log(self) -> bool:
        """Whether the log may not be copied back and removed at the end: what was copied may be lost, or the log that
        has the name by now is another catalog's.
        """
        broken = self._checkpointer is not None and self._checkpointer.broken
        return broken or (self._condition is not None and self._condition.moved)


def _open_writer(connect_: Callable[[], apsw.Connection], turnstile: Turnstile | None) -> apsw.Connection:
    """A connection to a catalog that is up to date."""
    with contextlib.nullcontext() if turnstile is None else turnstile.inside():
        connection = connect_()
        migrate_sqlite(connection)
    return connection
