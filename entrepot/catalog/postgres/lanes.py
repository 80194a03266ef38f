"""Lanes of connections to PostgreSQL: each a bounded number of them with one limit of time."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, cast

import asyncpg

from entrepot.catalog.database import Statement, T, Transaction, Want
from entrepot.catalog.postgres.errors import DATABASE_ERRORS, translate
from entrepot.errors import Busy, Corrupt, Unavailable

# Without set_config a reload of the server's configuration would change open connections too.
_PIN: Final = """SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false)"""

_STATEMENTS: Final = 1_000
"""Prepared statements kept on a connection: more than there are in the program."""

_QUERIES: Final = 1_000_000
"""A connection is replaced after so many, so that the server's process does not grow for ever."""

GRACE_SECONDS: Final = 5.0
"""How much longer than the server this side waits, before it takes the connection for lost."""


@dataclass(frozen=True, slots=True)
class LaneBounds:
    """Bounds of one process. Connections are made when they are needed; the five numbers of
    connections, times processes, must stay under the server's ``max_connections``.
    """

    readers: int = 4
    pages: int = 2
    writers: int = 8
    heavy: int = 2
    background: int = 1
    read_seconds: float = 5.0
    page_seconds: float = 30.0
    write_seconds: float = 30.0
    heavy_seconds: float = 600.0
    background_seconds: float = 3600.0
    wait_seconds: float = 10.0
    """How long a caller waits for a connection before it is told Busy; in the background nobody is."""
    connect_seconds: float = 10.0
    close_seconds: float = 30.0
    """How long what is under way may take when the catalog is closed."""


DEFAULT_LIMITS: Final = LaneBounds()


if TYPE_CHECKING:
    _Plain = asyncpg.Connection[asyncpg.Record]
    _Pooled = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
else:  # generic in its type information alone
    _Plain = asyncpg.Connection


class _Connection(_Plain):
    """A connection whose session state is set once: giving it back costs no round trip."""

    async def reset(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the pool calls it so
        if self.is_in_transaction():
            await self.execute("ROLLBACK", timeout=timeout)


class ConnectionLane:
    """A bounded number of connections with one time limit for a statement."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], wait_seconds: float | None) -> None:
        self._pool = pool
        self._wait_seconds = wait_seconds
        self.damage = ""
        """What the server has said of damaged data, to the end of this process."""
        self._active = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(cls, url: str, limits: LaneBounds, size: int, seconds: float, *, patient: bool = False) -> Self:
        """A lane that connects when it is first used. In a ``patient`` one nobody is told Busy."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            max_queries=_QUERIES,
            connection_class=_Connection,
            init=pin,
            timeout=limits.connect_seconds,
            command_timeout=seconds + GRACE_SECONDS,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings=session(seconds),
        )
        return cls(pool, None if patient else limits.wait_seconds)

    async def run(self, begin: str, operation: Transaction[T], step: Statement | Done[T]) -> T:
        """Run an operation whose first step is known, between ``begin`` and COMMIT or, when that is
        empty, without a transaction.

        After an error or a cancellation an open transaction is rolled back before the connection
        serves anybody else; a connection that cannot do so is dropped.
        """
        if isinstance(step, Done):
            return step.value
        if self._closing:
            raise Unavailable("the catalog is closed")
        self._active += 1
        self._idle.clear()
        try:
            connection = await self._acquire()
            try:
                return await _run(connection, begin, operation, step)
            except asyncpg.InternalClientError:
                connection.terminate()  # it may be in no state to serve anybody else
                raise
            finally:
                await self._pool.release(connection, timeout=GRACE_SECONDS)
        except DATABASE_ERRORS as error:
            told = translate(error)
            if isinstance(told, Corrupt):
                self.damage = str(told)
            raise told from error
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    async def _acquire(self) -> _Pooled:
        try:
            async with asyncio.timeout(self._wait_seconds) as patience:
                return await self._pool.acquire()
        except TimeoutError as error:
            if patience.expired():
                raise Busy("every connection to the catalog is in use") from error
            raise

    async def close(self, patience: float) -> None:
        """Refuse newcomers, let everybody inside finish for so many seconds, then disconnect whoever is left."""
        self._closing = True
        for seconds in (patience, GRACE_SECONDS):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
                    await self._pool.close()
                    return
            self._pool.terminate()


class Done(Generic[T]):
    """An operation's last step: what it returned."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def advance(operation: Transaction[T], result: object) -> Statement | Done[T]:
    """An operation's next step, given what the one before returned."""
    try:
        return operation.send(result)
    except StopIteration as stop:
        return Done(stop.value)


async def _run(connection: _Pooled, begin: str, operation: Transaction[T], step: Statement | Done[T]) -> T:
    if begin:
        await connection.execute(begin)
    while isinstance(step, Statement):
        step = advance(operation, await _perform(connection, step))
    if begin and await connection.execute("COMMIT") != "COMMIT":
        raise Unavailable("the catalog rolled the change back")
    return step.value


async def _perform(connection: _Pooled, statement: Statement) -> object:
    want, sql, params = statement.want, statement.sql, statement.params
    if want is Want.ONE:
        return await connection.fetchrow(sql.numbered, *[params[name] for name in sql.names])
    if want is Want.ALL:
        return await connection.fetch(sql.numbered, *[params[name] for name in sql.names])
    if want is Want.COUNT:
        status = await connection.execute(sql.numbered, *[params[name] for name in sql.names])
        return int(status.rpartition(" ")[2])  # "UPDATE 3", "INSERT 0 1"
    if want is Want.ID:
        return await connection.fetchval(f"{sql.numbered} RETURNING id", *[params[name] for name in sql.names])
    if want is Want.MANY:
        await connection.executemany(sql.numbered, [[row[name] for name in sql.names] for row in statement.many])
    else:
        await connection.execute(lock_text(statement))
    return None


def lock_text(statement: Statement) -> str:
    """SQL that takes the lock of ``Want.LOCK``. Advisory locks are 64-bit numbers: two names that share one by
    chance wait for each other, which is slower, never wrong.
    """
    name = b"%d/%b" % (cast("int", statement.params["space"]), cast("bytes", statement.params["name"]))
    shared = "_shared" if statement.params["shared"] else ""
    return f"SELECT pg_advisory_xact_lock{shared}({number(name)})"


def number(name: bytes) -> int:
    """The number of an advisory lock, of 64 bits."""
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


def session(seconds: float) -> dict[str, str]:
    """Settings that a connection starts with. The last one frees the locks of a process that stands
    still in the middle of a transaction.
    """
    milliseconds = str(int(seconds * 1000))
    return {
        "application_name": "entrepot",
        "jit": "off",
        "statement_timeout": milliseconds,
        "idle_in_transaction_session_timeout": milliseconds,
    }


async def pin(connection: _Plain) -> None:
    """Have a connection's commits be durable, whatever the server's configuration becomes."""
    await connection.execute(_PIN)
