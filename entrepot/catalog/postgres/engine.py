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
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, Self, cast

import asyncpg

from entrepot.catalog import schema
from entrepot.catalog.database import Sql, Statement, Still, T, Transaction, Want, one
from entrepot.errors import ArgumentInvalid, Busy, ConfigInvalid, Corrupt, StoreFull, Superseded, Unavailable

_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_SCAN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

# Without set_config a reload of the server's configuration would change open connections too.
_PIN: Final = """SELECT set_config('synchronous_commit',
    CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
    ELSE current_setting('synchronous_commit') END, false)"""
_INSPECT: Final = "SELECT current_setting('fsync') = 'on', current_setting('server_encoding') = 'UTF8'"

_PING: Final = Sql("SELECT 1 FROM migrations LIMIT 1")

_STATEMENTS: Final = 1_000
"""Prepared statements kept on a connection: more than there are in the program."""

_QUERIES: Final = 1_000_000
"""A connection is replaced after so many, so that the server's process does not grow for ever."""

_GRACE_SECONDS: Final = 5.0
"""How much longer than the server this side waits, before it takes the connection for lost."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process. Connections are made when they are needed; the three numbers of
    connections, times processes, must stay under the server's ``max_connections``.
    """

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


class PostgreSQL:
    """A :class:`~entrepot.catalog.database.Database` on a PostgreSQL server, 14 or later.

    A write whose connection is lost at its COMMIT raises Unavailable although it may have been
    made: callers who try again must be ready to find their own work.
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
            await _migrate(url, limits)
            return cls(
                await _Lane.open(url, limits, limits.readers, limits.read_seconds),
                await _Lane.open(url, limits, limits.writers, limits.write_seconds),
                await _Lane.open(url, limits, limits.long, limits.long_seconds),
            )
        except asyncpg.ClientConfigurationError as error:
            raise _unusable(str(error)) from error
        except ValueError:  # its text may hold a piece of the password
            raise _unusable("not a PostgreSQL URL: percent-encode special characters in it") from None
        except _DATABASE_ERRORS as error:
            raise translate(error) from error

    async def read(self, operation: Transaction[T], *, large: bool = False) -> T:
        return await self._readers.run("", operation, _advance(operation, None))

    async def scan(self, operation: Transaction[T]) -> T:
        return await self._long.run(_SCAN, operation, _advance(operation, None))

    async def write(self, operation: Transaction[T], *, heavy: bool = False, large: bool = False) -> T:
        begin = [_WRITE]
        step = _advance(operation, None)
        while isinstance(step, Statement) and step.want is Want.LOCK:
            begin.append(_lock_text(step))
            step = _advance(operation, None)
        lane = self._long if heavy else self._writers
        return await lane.run("; ".join(begin), operation, step)

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[Still]:
        async with self._long.session() as connection:

            async def still() -> None:
                with _translating():
                    await connection.fetchval("SELECT 1")

            number = _number(b"alone/" + name.encode())
            with _translating():
                free = await connection.fetchval("SELECT pg_try_advisory_lock($1)", number)
            if not free:
                raise Busy(f"another {name} is running on this catalog")
            try:
                yield still
            finally:
                with _translating():  # of a connection that was lost, and the name with it
                    await connection.execute("SELECT pg_advisory_unlock($1)", number)

    async def check(self) -> None:
        await self.read(_ping())

    async def close(self) -> None:
        await asyncio.gather(self._readers.close(), self._writers.close(), self._long.close())


class _Lane:
    """A bounded number of connections with one time limit for a statement."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record], wait_seconds: float) -> None:
        self._pool = pool
        self._wait_seconds = wait_seconds
        self._active = 0
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()

    @classmethod
    async def open(cls, url: str, limits: Limits, size: int, seconds: float) -> Self:
        """A lane that connects when it is first used."""
        pool = await asyncpg.create_pool(
            url,
            min_size=0,
            max_size=size,
            max_queries=_QUERIES,
            connection_class=_Connection,
            init=_pin,
            timeout=limits.connect_seconds,
            command_timeout=seconds + _GRACE_SECONDS,
            statement_cache_size=_STATEMENTS,
            max_cached_statement_lifetime=0,
            server_settings=_session(seconds),
        )
        return cls(pool, limits.wait_seconds)

    async def run(self, begin: str, operation: Transaction[T], step: Statement | _Done[T]) -> T:
        """Run an operation whose first step is known, between ``begin`` and COMMIT or, when that is
        empty, without a transaction.

        After an error or a cancellation an open transaction is rolled back before the connection
        serves anybody else; a connection that cannot do so is dropped.
        """
        if isinstance(step, _Done):
            return step.value
        if self._closing:
            raise Unavailable("the catalog is closed")
        self._active += 1
        self._idle.clear()
        try:
            connection = await self._acquire()
            try:
                return await _run(connection, begin, operation, step)
            finally:
                await self._pool.release(connection, timeout=_GRACE_SECONDS)
        except _DATABASE_ERRORS as error:
            raise translate(error) from error
        finally:
            self._active -= 1
            if not self._active:
                self._idle.set()

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[_Pooled]:
        """A connection of one's own; what it holds in the server is given back by the caller."""
        with _translating():
            connection = await self._acquire()
        try:
            yield connection
        finally:
            await self._pool.release(connection, timeout=_GRACE_SECONDS)

    async def _acquire(self) -> _Pooled:
        try:
            async with asyncio.timeout(self._wait_seconds) as patience:
                return await self._pool.acquire()
        except TimeoutError as error:
            if patience.expired():
                raise Busy("every connection to the catalog is in use") from error
            raise

    async def close(self) -> None:
        """Refuse newcomers, let everybody inside finish, then disconnect."""
        self._closing = True
        await self._idle.wait()
        await self._pool.close()


class _Done(Generic[T]):
    """An operation's last step: what it returned."""

    __slots__ = ("value",)

    def __init__(self, value: T) -> None:
        self.value = value


def _advance(operation: Transaction[T], result: object) -> Statement | _Done[T]:
    try:
        return operation.send(result)
    except StopIteration as stop:
        return _Done(stop.value)


async def _run(connection: _Pooled, begin: str, operation: Transaction[T], step: Statement | _Done[T]) -> T:
    if begin:
        await connection.execute(begin)
    while isinstance(step, Statement):
        step = _advance(operation, await _perform(connection, step))
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
        await connection.execute(_lock_text(statement))
    return None


def _lock_text(statement: Statement) -> str:
    """Advisory locks are 64-bit numbers. Two names that share one by chance wait for each other:
    slower, never wrong.
    """
    name = b"%d/%b" % (cast("int", statement.params["space"]), cast("bytes", statement.params["name"]))
    shared = "_shared" if statement.params["shared"] else ""
    return f"SELECT pg_advisory_xact_lock{shared}({_number(name)})"


def _number(name: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(name, digest_size=8).digest(), "big", signed=True)


def _ping() -> Transaction[None]:
    yield one(_PING)


def _session(seconds: float) -> dict[str, str]:
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


async def _pin(connection: _Plain) -> None:
    await connection.execute(_PIN)


async def _migrate(url: str, limits: Limits) -> None:
    connection = await asyncpg.connect(
        url, timeout=limits.connect_seconds, server_settings=_session(limits.long_seconds)
    )
    try:
        await _pin(connection)
        syncs, utf8 = await connection.fetchrow(_INSPECT) or (False, False)
        if not syncs:
            raise _unusable("the server runs with fsync = off: it would lose what it acknowledged")
        if not utf8:
            raise _unusable("the database must have the encoding UTF8")
        await schema.migrate_postgres(connection)
    finally:
        await connection.close(timeout=_GRACE_SECONDS)


def _unusable(hint: str) -> ConfigInvalid:
    # The URL holds a password: it is left out.
    return ConfigInvalid("catalog", "postgresql://…", hint)


_NO_PRIMARY: Final = asyncpg.TargetServerAttributeNotMatched
_DATABASE_ERRORS: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, _NO_PRIMARY, OSError)

_BUSY: Final = ("40", "53", "55P03", "57014", "25P03", "0A000")
"""Rolled back for another's sake, out of connections or memory, out of time; 0A000 is a statement
prepared before another process migrated the catalog."""

_UNAVAILABLE: Final = ("08", "28", "3D", "57P", "58", "25006")
"""Connection lost, refused, or to a database that is gone, going, or a standby."""


@contextlib.contextmanager
def _translating() -> Iterator[None]:
    try:
        yield
    except _DATABASE_ERRORS as error:
        raise translate(error) from error


def translate(error: Exception) -> Exception:
    """PostgreSQL's errors in our words; what has no word is a defect and comes back as it is."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Superseded(error.constraint_name)
    if state == "22021":  # NUL, which SQLite takes; no text that is kept has one
        return ArgumentInvalid("text", "", "must not hold NUL")
    if state == "53100":
        return StoreFull("the disk that holds the catalog is full")
    if state in {"XX001", "XX002"}:
        return Corrupt(f"the catalog is damaged: {error}")
    if state.startswith(_BUSY):
        return Busy(f"the catalog is busy: {error}")
    lost = isinstance(error, OSError | _NO_PRIMARY) or type(error) is asyncpg.InterfaceError
    if lost or state.startswith(_UNAVAILABLE):
        return Unavailable(f"the catalog does not answer: {getattr(error, 'strerror', None) or error}")
    return error
