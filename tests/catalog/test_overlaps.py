"""Events of transactions that overlap, which only PostgreSQL has: a follower misses none."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncpg
import pytest

from entrepot.catalog.operations.events import record
from entrepot.core.outbox import Outbox
from tests.contracts.events import happened

if TYPE_CHECKING:
    from entrepot.catalog.database import Database
    from tests.catalog.engines import Engine


@pytest.fixture
def engine(postgres_engine: Engine) -> Engine:
    return postgres_engine


async def begin(engine: Engine, number: int) -> asyncpg.Connection[asyncpg.Record]:
    """A writer that has written its event down and not committed."""
    connection = await asyncpg.connect(engine.address)
    statement = next(record(happened(number)))
    await connection.execute("BEGIN")
    await connection.execute(statement.sql.numbered, *[statement.params[name] for name in statement.sql.names])
    return connection


async def commit(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    await connection.execute("COMMIT")
    await connection.close()


async def test_who_began_first_and_commits_last_is_not_missed(engine: Engine, database: Database) -> None:
    outbox = Outbox(database)
    first, second, third = [await begin(engine, number) for number in (1, 2, 3)]
    await commit(third)
    feed = await outbox.read(0)
    assert [(event.sequence, event.happened_at) for event in feed.events] == [(1, 3)]
    await commit(first)
    feed = await outbox.read(feed.cursor)
    assert [(event.sequence, event.happened_at) for event in feed.events] == [(2, 1)]
    await second.execute("ROLLBACK")
    await second.close()
    feed = await outbox.read(feed.cursor)
    assert (list(feed.events), feed.cursor) == ([], 2)


async def test_nobody_waits_for_a_writer_that_is_slow(engine: Engine, database: Database) -> None:
    slow = await begin(engine, 1)
    async with asyncio.timeout(10):
        await asyncio.gather(*(database.write(record(happened(number))) for number in range(2, 12)))
        assert len((await Outbox(database).read(0)).events) == 10
    await commit(slow)
    assert [event.happened_at for event in (await Outbox(database).read(10)).events] == [1]
