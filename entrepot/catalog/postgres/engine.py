"""PostgreSQL as the catalog: for several processes on several hosts.

Five lanes of connections keep work of different length apart: short reads, pages, writes, heavy writes, and
what runs in the background. A lane that is full makes its callers wait, never the others. Whoever holds a name
alone has a connection besides.

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
from collections.abc import AsyncIterator, Sequence
from typing import Final, Self

import asyncpg

from entrepot.catalog import schema
from entrepot.catalog.database import Sql, Statement, Still, T, Transaction, Want, one
from entrepot.catalog.postgres.errors import DATABASE_ERRORS, translate, translating
from entrepot.catalog.postgres.lanes import (
    DEFAULT_LIMITS,
    GRACE_SECONDS,
    ConnectionLane,
    LaneBounds,
    advance,
    lock_text,
    number,
    pin,
    session,
)  # fmt: skip
from entrepot.errors import Busy, ConfigInvalid, Corrupt, Unavailable

_WRITE: Final = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
_SCAN: Final = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

_INSPECT: Final = "SELECT current_setting('fsync') = 'on', current_setting('server_encoding') = 'UTF8'"

_PING: Final = Sql("SELECT 1 FROM migrations LIMIT 1")


class PostgreSQL:
    """A :class:`~entrepot.catalog.database.Database` on a PostgreSQL server, 14 or later.

    A write whose connection is lost at its COMMIT raises Unavailable although it may have been
    made: callers who try again must be ready to find their own work.
    """

    def __init__(self, url: str, limits: LaneBounds, lanes: Sequence[ConnectionLane]) -> None:
        self._url = url
        self._limits = limits
        self._lanes = lanes
        self._readers, self._pages, self._writers, self._heavy, self._background = lanes
        self._names: set[asyncpg.Connection[asyncpg.Record]] = set()
        self._closed = False

    @classmethod
    async def open(cls, url: str, limits: LaneBounds = DEFAULT_LIMITS) -> Self:
        """Connect and migrate. ``url`` is a libpq URL; parameters that are not libpq's own, such as
        ``search_path``, become settings of the session.

        Raises ConfigInvalid for a URL or a server that cannot serve, Incompatible for a catalog of
        a newer program, Unavailable when the server does not answer.
        """
        try:
            await _migrate(url, limits)
            lanes = (
                await ConnectionLane.open(url, limits, limits.readers, limits.read_seconds),
                await ConnectionLane.open(url, limits, limits.pages, limits.page_seconds),
                await ConnectionLane.open(url, limits, limits.writers, limits.write_seconds),
                await ConnectionLane.open(url, limits, limits.heavy, limits.heavy_seconds),
                await ConnectionLane.open(url, limits, limits.background, limits.background_seconds, patient=True),
            )
            return cls(url, limits, lanes)
        except asyncpg.ClientConfigurationError as error:
            raise _unusable(str(error)) from error
        except ValueError:  # its text may hold a piece of the password
            raise _unusable("not a PostgreSQL URL: percent-encode special characters in it") from None
        except DATABASE_ERRORS as error:
            raise translate(error) from error

    async def read(self, operation: Transaction[T], *, large: bool = False) -> T:
        return await self._readers.run("", operation, advance(operation, None))

    async def scan(self, operation: Transaction[T], *, background: bool = False) -> T:
        lane = self._background if background else self._pages
        return await lane.run(_SCAN, operation, advance(operation, None))

    async def write(self, operation: Transaction[T], *, heavy: bool = False, large: bool = False) -> T:
        begin = [_WRITE]
        step = advance(operation, None)
        while isinstance(step, Statement) and step.want is Want.LOCK:
            begin.append(lock_text(step))
            step = advance(operation, None)
        lane = self._heavy if heavy else self._writers
        return await lane.run("; ".join(begin), operation, step)

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[Still]:
        key = number(b"alone/" + name.encode())
        async with self._connection() as connection:

            async def still() -> None:
                with translating():
                    await connection.fetchval("SELECT 1")

            with translating():
                free = await connection.fetchval("SELECT pg_try_advisory_lock($1)", key)
            if not free:
                raise Busy(f"another {name} is running on this catalog")
            try:
                yield still
            finally:
                with translating():  # of a connection that was lost, and the name with it
                    await connection.execute("SELECT pg_advisory_unlock($1)", key)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection of one's own, in no lane. What it holds in the server is given back by the caller."""
        if self._closed:
            raise Unavailable("the catalog is closed")
        limits = self._limits
        with translating():
            connection = await asyncpg.connect(
                self._url, timeout=limits.connect_seconds, command_timeout=limits.read_seconds + GRACE_SECONDS,
                server_settings=session(limits.read_seconds),
            )  # fmt: skip
        self._names.add(connection)
        try:
            yield connection
        finally:
            self._names.discard(connection)
            connection.terminate()

    async def check(self) -> None:
        await self.read(_ping())
        for lane in self._lanes:
            if lane.damage:
                raise Corrupt(lane.damage)

    async def close(self) -> None:
        self._closed = True
        for connection in list(self._names):
            connection.terminate()
        lanes = (self._readers, self._pages, self._writers, self._heavy)
        await asyncio.gather(self._background.close(0), *(lane.close(self._limits.close_seconds) for lane in lanes))


def _ping() -> Transaction[None]:
    yield one(_PING)


async def _migrate(url: str, limits: LaneBounds) -> None:
    connection = await asyncpg.connect(
        url, timeout=limits.connect_seconds, server_settings=session(limits.heavy_seconds)
    )
    try:
        await pin(connection)
        syncs, utf8 = await connection.fetchrow(_INSPECT) or (False, False)
        if not syncs:
            raise _unusable("the server runs with fsync = off: it would lose what it acknowledged")
        if not utf8:
            raise _unusable("the database must have the encoding UTF8")
        await schema.migrate_postgres(connection)
    finally:
        await connection.close(timeout=GRACE_SECONDS)


def _unusable(hint: str) -> ConfigInvalid:
    # The URL holds a password: it is left out.
    return ConfigInvalid("catalog", "postgresql://…", hint)
