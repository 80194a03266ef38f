"""PostgreSQL as the catalog: for several processes on several hosts.

Three lanes of connections keep work of different length apart: short reads, writes, and what may
take long (scans, heavy writes). A lane that is full makes its callers wait, never the others.

Every round trip counts here (60 to 100 µs of this process, twice that on the clock), so:

* reads are single statements without BEGIN, prepared once on each connection;
* BEGIN and the locks that an operation takes first travel as one message;
* a connection goes back to its lane as it is; nothing is reset but an open transaction.

asyncpg has one statement under way on a connection at a time, so independent statements are not
pipelined, except for ``Want.MANY``, which is sent as one batch.

Promises: ``synchronous_commit`` is pinned on every connection to what the operator chose, or to
``on`` where the choice is ``off``; a server that does not sync at all (``fsync = off``) is refused.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any, Final, Generic, Self

import asyncpg

from entrepot.catalog import schema
from entrepot.catalog.database import Statement, T, Transaction, Want
from entrepot.errors import Busy, ConfigInvalid, Corrupt, StoreFull, Superseded, Unavailable

_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_SCAN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# Without set_config a reload of the server's configuration would change open connections too.
_PIN: Final = """SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false)"""
_INSPECT: Final = "SELECT current_setting('fsync') = 'on', current_setting('server_encoding') = 'UTF8'"

_STATEMENTS: Final = 1_000
"""Prepared statements kept on a connection: more than there are in the program."""

_QUERIES: Final = 1_000_000
"""A connection is replaced after so many, so that the server's process does not grow for ever."""

_GRACE_SECONDS: Final = 5.0
"""How much longer than the server this side waits, before it takes the connection for lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process. Connections are made when they are needed; the three numbers of
    connections, times processes, must stay under the server's ``max_connections``."""

    readers: int = 4
    writers: int = 8
    long: int = 2
    read_seconds: float = 5.0
    write_seconds: float = 30.0
    long_seconds: float = 600.0
    wait_seconds: float = 10.0
    """How long a caller waits for a connection before it is told Busy."""
    connect_seconds: float = 10.0


DEFAULT_LIMITS: Final = Limits()


class _Connection(asyncpg.Connection[asyncpg.Record]):
    """A connection whose session state is set once: giving it back costs no round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the pool calls it so
        if self.is_in_transaction():
            await self.execute("ROLLBACK", timeout=timeout)


class PostgreSQL:
    """A :class:`~entrepot.catalog.database.Database` on a PostgreSQL server, 13 or later.

    A write that is lost together with the connection at its COMMIT raises Unavailable although it
    may have been made: callers who try again must be ready to find their own work.
    """

    def __init__(self, readers: _Lane, writers: _Lane, long: _Lane) -> None:
        self._readers = readers
        self._writers = writers
        self._long = long

    @classmethod
    async def open(cls, url: str, limits: Limits = DEFAULT_LIMITS) -> Self:
        """Connect and migrate. ``url`` is a libpq URL; parameters that are not libpq's own, such as
        ``search_path``, become settings of the session.

        Raises ConfigInvalid for a URL or a server that cannot serve, Incompatible for a catalog of
        a newer program, Unavailable when the server does not answer.
        """
        try:
            await _prepare(url, limits)
        except asyncpg.ClientConfigurationError as error:
            raise ConfigInvalid("catalog", "postgresql://…", str(error)) from error
        except _DATABASE_ERRORS as error:
            raise translate(error) from error
        return cls(
            _Lane(url, limits, limits.readers, limits.read_seconds),
            _Lane(url, limits, limits.writers, limits.write_seconds),
            _Lane(url, limits, limits.long, limits.long_seconds),
        )

    async def read(self, operation: Transaction[T]) -> T:
        step = _advance(operation, None)
        return await self._readers.run("", operation, step)

    async def scan(self, operation: Transaction[T]) -> T:
        step = _advance(operation, None)
        return await self._long.run(_SCAN, operation, step)

    async def write(self, operation: Transaction[T], *, heavy: bool = False) -> T:
        begin = [_WRITE]
        step = _advance(operation, None)
        while isinstance(step, Statement) and step.want is Want.LOCK:
            begin.append(_lock_text(step))
            step = _advance(operation, None)
        lane = self._long if heavy else self._writers
        return await lane.run("; ".join(begin), operation, step)

    async def check(self) -> None:
        await self._readers.run_text("SELECT 1 FROM migrations LIMIT 1")

    async def close(self) -> None:
        await asyncio.gather(self._readers.close(), self._writers.close(), self._long.close())


class _Lane:
    """A bounded number of connections with one time limit for a statement."""

    def __init__(self, url: str, limits: Limits, size: int, seconds: float) -> None:
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            max_queries=_QUERIES,
            connection_class=_Connection,
            init=_pin,
            **_session(limits, seconds),
        )
        self._wait_seconds = limits.wait_seconds
        self._active = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    async def run(self, begin: str, operation: Transaction[T], step: Statement | _Done[T]) -> T:
        """Run an operation whose first step is known, between ``begin`` and COMMIT or, when that is
        empty, without a transaction. On an error or cancellation the transaction is rolled back
        before the connection serves anybody else."""
        if isinstance(step, _Done):
            return step.value
        self._enter()
        try:
            connection = await self._acquire()
            try:
                if begin:
                    await connection.execute(begin)
                while isinstance(step, Statement):
                    step = _advance(operation, await _perform(connection, step))
                if begin and await connection.execute("COMMIT") != "COMMIT":
                    raise Unavailable("the catalog rolled the change back")
            finally:
                await self._pool.release(connection, timeout=_GRACE_SECONDS)
        except _DATABASE_ERRORS as error:
            raise translate(error) from error
        finally:
            self._leave()
        return step.value

    async def run_text(self, text: str) -> None:
        """Run one statement without parameters for its errors."""
        self._enter()
        try:
            connection = await self._acquire()
            try:
                await connection.execute(text)
            finally:
                await self._pool.release(connection, timeout=_GRACE_SECONDS)
        except _DATABASE_ERRORS as error:
            raise translate(error) from error
        finally:
            self._leave()

    async def close(self) -> None:
        """Refuse newcomers, let everybody inside finish, then disconnect."""
        self._closing = True
        await self._idle.wait()
        await self._pool.close()

    async def _acquire(self) -> Any:  # a proxy of the pool that has the methods of a connection
        await self._pool
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await self._pool.acquire()
        except TimeoutError as error:
            raise Busy("every connection to the catalog is in use") from error

    def _enter(self) -> None:
        if self._closing:
            raise Unavailable("the catalog is closed")
        self._active += 1
        self._idle.clear()

    def _leave(self) -> None:
        self._active -= 1
        if not self._active:
            self._idle.set()
