"""What only PostgreSQL does: locks between processes, lost connections, limits of time, settings of the server."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest

from entrepot.catalog.database import Sql, Transaction, lock, one, run
from entrepot.catalog.operations.buckets import delete_bucket
from entrepot.catalog.operations.uploads import abort_upload, create_upload, put_part
from entrepot.catalog.postgres.engine import PostgreSQL
from entrepot.catalog.postgres.errors import DATABASE_ERRORS, translate
from entrepot.catalog.postgres.lanes import LaneBounds, lock_text
from entrepot.errors import Busy, ConfigInvalid, Corrupt, EntrepotError, StoreFull, Superseded, Unavailable
from entrepot.model import Bytes, Checksums, Meta, Part, Upload
from tests.catalog.engines import Server, write_once
from tests.contracts.acts import Acts, digest
from tests.contracts.database import count, create, get, increment, put

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from entrepot.catalog.database import Database
    from tests.catalog.engines import Engine
    from tests.postgres import Postgres

LIMITS = LaneBounds(readers=2, pages=1, writers=2, heavy=1, read_seconds=0.5, write_seconds=1.0, wait_seconds=0.3)
SLEEP = Sql("SELECT pg_sleep(30)")
TRY = Sql("SELECT 1")
IN_USE = Sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")


@pytest.fixture
def engine(postgres: Postgres) -> Engine:
    return Server(postgres, LIMITS)


@pytest.fixture
def own(postgres: Postgres) -> Postgres:
    if not postgres.own:
        pytest.skip("the server given by ENTREPOT_TEST_POSTGRES is not ours to configure")
    return postgres


@pytest.fixture(autouse=True)
def table(database: Database, runner: asyncio.Runner) -> None:
    runner.run(database.write(create()))


def under(name: bytes, *, shared: bool = False) -> Transaction[int]:
    yield lock(1, name, shared=shared)
    row = yield one(TRY)
    return int(row[0])


def single(sql: Sql) -> Transaction[object]:
    row = yield one(sql)
    return row[0]


def fail_with(state: str) -> Transaction[None]:
    yield run(Sql(f"DO $$ BEGIN RAISE EXCEPTION 'planned' USING ERRCODE = '{state}'; END $$"))


@asynccontextmanager
async def held(engine: Engine, name: bytes, *, shared: bool = False) -> AsyncIterator[None]:
    """Another process holds a name."""
    connection = await asyncpg.connect(engine.address)
    async with connection.transaction():
        await connection.execute(lock_text(next(under(name, shared=shared))))
        yield
    await connection.close()


@asynccontextmanager
async def configured(server: Postgres, name: str, value: str) -> AsyncIterator[None]:
    """The server's own configuration has a value that differs from its first, "on"."""
    connection = await asyncpg.connect(server.url)

    async def change(text: str, expected: str) -> None:
        await connection.execute(text)
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval("SELECT current_setting($1)", name) != expected:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)

    await change(f"ALTER SYSTEM SET {name} = {value}", value)
    try:
        yield
    finally:
        await change(f"ALTER SYSTEM RESET {name}", "on")
        await connection.close()


async def test_a_name_held_elsewhere_is_waited_for(database: Database, engine: Engine) -> None:
    async with held(engine, b"name"):
        waiting = asyncio.create_task(database.write(under(b"name")))
        assert await database.write(under(b"other")) == 1
        assert not waiting.done()
    assert await waiting == 1


async def test_shared_names_exclude_only_who_wants_them_alone(database: Database, engine: Engine) -> None:
    async with held(engine, b"name", shared=True):
        assert await database.write(under(b"name", shared=True)) == 1
        with pytest.raises(Busy):
            await database.write(under(b"name"))


async def test_a_space_has_its_own_names(database: Database, engine: Engine) -> None:
    texts = {lock_text(lock(space, name)) for space in (1, 2, 11) for name in (b"", b"1", b"/1", b"1/1")}
    assert len(texts) == 12


async def test_waiting_has_an_end_and_leaves_nothing_held(database: Database, engine: Engine) -> None:
    async with held(engine, b"n"):
        with pytest.raises(Busy):
            await database.write(under(b"n"))
    assert await database.read(single(IN_USE)) == 0


async def test_who_is_cancelled_while_waiting_holds_nothing(database: Database, engine: Engine) -> None:
    await database.write(put(b"n"))
    async with held(engine, b"n"):
        tasks = [asyncio.create_task(database.write(increment(b"n"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert sorted(await asyncio.gather(*(database.write(increment(b"n")) for _ in range(8)))) == list(range(1, 9))
    assert await database.read(single(IN_USE)) == 0


async def test_a_circle_of_waiters_is_broken(database: Database, engine: Engine) -> None:
    patient = await PostgreSQL.open(engine.address)

    def both(first: bytes, second: bytes, turn: asyncio.Event) -> Transaction[int]:
        yield lock(1, first)
        yield one(TRY)
        turn.set()
        yield one(Sql("SELECT pg_sleep(0.1)"))
        yield lock(1, second)
        row = yield one(TRY)
        return int(row[0])

    results = await asyncio.gather(
        patient.write(both(b"a", b"b", asyncio.Event())),
        patient.write(both(b"b", b"a", asyncio.Event())),
        return_exceptions=True,
    )
    await patient.close()
    assert [result for result in results if result == 1] == [1]
    assert [type(result) for result in results if result != 1] == [Busy]


WAITERS = Sql("SELECT count(*), pg_sleep(0.01) FROM pg_locks WHERE NOT granted")
ORPHANS = "SELECT count(*) FROM parts WHERE upload NOT IN (SELECT id FROM uploads)"


@pytest.mark.parametrize("end", ["delete_bucket", "abort_upload"])
async def test_a_part_does_not_outlive_its_upload(database: Database, engine: Engine, end: str) -> None:
    """Its row is written at the very moment when another process ends the upload, or drops the bucket."""
    bucket = await Acts(database).bucket()
    new = Upload(0, f"upload-of-{bucket.name}", bucket.id, "key", "owner", 1, Meta())
    upload = await database.write(create_upload(new, bucket.name))
    other = delete_bucket(bucket.name, "o", 2) if end == "delete_bucket" else abort_upload(upload.upload_id, "o", 2)

    def putting() -> Transaction[None]:
        operation = put_part(upload.upload_id, bucket.name, part, 2)
        result = None
        with suppress(StopIteration):
            while True:
                statement = operation.send(result)
                if statement.sql.text.startswith("INSERT INTO parts"):
                    elsewhere.start()
                    waiters = (0,)
                    while elsewhere.is_alive() and not waiters[0]:
                        waiters = yield one(WAITERS)
                result = yield statement

    part = Part(1, "etag", 0, Bytes(1, digest(b"1"), data=b"1"), Checksums())
    elsewhere = threading.Thread(target=lambda: asyncio.run(write_once(engine.address, other)))
    await database.write(putting())
    await asyncio.to_thread(elsewhere.join)
    assert await Acts(database).number("SELECT count(*) FROM uploads") == 0
    assert await Acts(database).number(ORPHANS) == 0


async def test_a_slow_read_is_ended_and_the_next_is_served(database: Database) -> None:
    with pytest.raises(Busy):
        await database.read(single(SLEEP))
    assert await database.read(single(TRY)) == 1


async def test_a_full_lane_is_busy_and_the_others_are_not(database: Database) -> None:
    slow = [asyncio.create_task(database.read(single(SLEEP))) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(Busy, match="in use"):
        await database.read(single(TRY))
    assert await database.write(put(b"x")) == 1
    assert await database.scan(count()) == 1
    for result in await asyncio.gather(*slow, return_exceptions=True):
        assert isinstance(result, Busy)
    assert await database.read(count()) == 1


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("53100", StoreFull), ("53200", Busy), ("53300", Busy), ("40001", Busy), ("40P01", Busy), ("55P03", Busy),
        ("57014", Busy), ("0A000", Busy), ("08006", Unavailable), ("57P01", Unavailable), ("57P03", Unavailable),
        ("58030", Unavailable), ("25006", Unavailable), ("28P01", Unavailable), ("3D000", Unavailable),
        ("XX001", Corrupt), ("XX002", Corrupt), ("23505", Superseded),
    ],
)  # fmt: skip
async def test_each_kind_of_trouble_has_its_word(database: Database, state: str, error: type[EntrepotError]) -> None:
    with pytest.raises(error) as caught:
        await database.write(fail_with(state))
    assert type(caught.value) is error
    assert isinstance(caught.value.__cause__, asyncpg.PostgresError)
    assert await database.write(put(b"after")) == 1


@pytest.mark.parametrize("state", ["22003", "42P01", "23502", "XX000", "P0001"])
async def test_what_has_no_word_is_a_defect(database: Database, state: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await database.write(fail_with(state))


def test_a_lost_connection_is_unavailable() -> None:
    for error in (ConnectionResetError("x"), TimeoutError("x"), asyncpg.InterfaceError("connection is closed")):
        assert isinstance(translate(error), Unavailable)
    defect = asyncpg.DataError("invalid input for query argument")
    assert translate(defect) is defect


async def test_writes_are_synchronous_whatever_the_server_says(engine: Engine, database: Database) -> None:
    name = Sql("SELECT current_setting('synchronous_commit')")
    connection = await asyncpg.connect(engine.address)
    for chosen, expected in (("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")):
        await connection.execute(f"ALTER ROLE CURRENT_USER SET synchronous_commit = '{chosen}'")
        other = await PostgreSQL.open(engine.address)
        for how in (other.read, other.scan, other.write):
            assert await how(single(name)) == expected
        assert await other.write(single(name), heavy=True) == expected
        await other.close()
    await connection.execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")
    await connection.close()


async def test_an_open_connection_stays_synchronous(own: Postgres, database: Database) -> None:
    name = Sql("SELECT current_setting('synchronous_commit')")
    assert await database.write(single(name)) == "on"
    async with configured(own, "synchronous_commit", "off"):
        assert await database.write(single(name)) == "on"


async def test_a_server_that_never_syncs_is_refused(own: Postgres, engine: Engine) -> None:
    async with configured(own, "fsync", "off"):
        with pytest.raises(ConfigInvalid, match="fsync"):
            await PostgreSQL.open(engine.address)


async def test_a_database_that_cannot_hold_every_text_is_refused(own: Postgres) -> None:
    connection = await asyncpg.connect(own.url)
    await connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(ConfigInvalid, match="UTF8"):
            await PostgreSQL.open(own.url.replace("/postgres?", "/latin?"))
    finally:
        await connection.execute("DROP DATABASE latin")
        await connection.close()


async def test_lost_connections_are_replaced(engine: Engine, database: Database) -> None:
    await database.write(put(b"x"))
    await database.read(count())
    busy = asyncio.create_task(database.scan(single(SLEEP)))
    await asyncio.sleep(0.1)
    connection = await asyncpg.connect(engine.address)
    ended = await connection.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'entrepot'"
    )
    await connection.close()
    assert ended == 3
    with pytest.raises(Unavailable):
        await busy
    # The news of a lost connection may come with the first request that uses it, not with the second.
    for attempt in (database.scan(count()), database.read(count()), database.write(put(b"y"))):
        with suppress(Unavailable):
            await attempt
    assert await database.scan(count()) in {1, 2}
    assert await database.read(count()) in {1, 2}
    assert await database.write(put(b"z")) == 1


async def test_a_name_that_was_lost_with_its_connection_is_told(engine: Engine, database: Database) -> None:
    connection = await asyncpg.connect(engine.address)
    holding = database.alone("collect")
    still = await holding.__aenter__()
    await still()
    await connection.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'entrepot'"
    )
    with pytest.raises(Unavailable):
        await still()
    with pytest.raises(Unavailable):
        await holding.__aexit__(None, None, None)
    await connection.close()


def test_the_servers_last_word_before_the_end_of_a_connection_is_a_loss() -> None:
    """A request that comes between the two meets a protocol in a state of its own."""
    error = asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress")
    assert isinstance(error, DATABASE_ERRORS)
    assert isinstance(translate(error), Unavailable)


async def test_closing_waits_for_no_end_that_may_never_come(engine: Engine) -> None:
    database = await PostgreSQL.open(engine.address, replace(LIMITS, write_seconds=60, close_seconds=0.2))
    holding = database.alone("collect")
    still = await holding.__aenter__()
    tasks = [
        asyncio.create_task(each)
        for each in (database.scan(single(SLEEP), background=True), database.write(single(SLEEP)))
    ]
    await asyncio.sleep(0.1)
    await asyncio.wait_for(database.close(), 20)
    for each in (*tasks, still(), holding.__aexit__(None, None, None), database.alone("other").__aenter__()):
        with pytest.raises(Unavailable):
            await asyncio.wait_for(each, 10)


async def test_a_server_that_was_restarted_is_used_again(own: Postgres, database: Database) -> None:
    await database.write(put(b"before"))
    busy = asyncio.create_task(database.scan(single(SLEEP)))
    await asyncio.sleep(0.1)
    await asyncio.to_thread(own.stop)
    with pytest.raises(Unavailable):
        await busy
    for attempt in (database.check(), database.read(count()), database.scan(count()), database.write(put(b"lost"))):
        with pytest.raises(Unavailable):
            await attempt
    with pytest.raises(Unavailable):
        await database.alone("collect").__aenter__()
    await asyncio.to_thread(own.start)
    await database.check()
    assert await database.write(put(b"after")) == 1
    assert await database.read(get(b"before")) == (0, None, None)
    assert await database.read(count()) == 2


async def test_a_server_that_is_not_there() -> None:
    for url in ("postgresql://nobody@127.0.0.1:1/x", "postgresql:///x?host=/nonexistent"):
        with pytest.raises(Unavailable):
            await PostgreSQL.open(url)


async def test_a_wrong_url_is_the_operators_error_and_keeps_its_secret(engine: Engine) -> None:
    for url in ("postgresql://u:hunter2@h:notaport/x", "postgresql://u:hunter2@h/x?sslmode=wrong"):
        assert urlsplit(url).password == "hunter2"
        with pytest.raises(ConfigInvalid) as caught:
            await PostgreSQL.open(url)
        assert "hunter2" not in str(caught.value)
    assert not isinstance(translate(ValueError("x")), EntrepotError)
