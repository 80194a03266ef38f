"""What every catalog engine promises. A test class subclasses the contract and gives the fixture `engine`."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.catalog.database import Database, Sql, Transaction, all_, lock, one, run, run_many
from entrepot.errors import Superseded, Unavailable

if TYPE_CHECKING:
    from tests.catalog.engines import Engine

# SQLite takes any type name and keeps bytes as bytes, so one text serves.
TABLE = Sql("CREATE TABLE things (id BYTEA PRIMARY KEY, number BIGINT, text TEXT, data BYTEA)")
PUT = Sql("INSERT INTO things (id, number, text, data) VALUES (:id, :number, :text, :data)")
GET = Sql("SELECT number, text, data FROM things WHERE id = :id")
FROM = Sql("SELECT id FROM things WHERE id >= :start ORDER BY id LIMIT :limit")
COUNT = Sql("SELECT count(*) FROM things")
SET = Sql("UPDATE things SET number = :number WHERE id = :id")
SET_ALL = Sql("UPDATE things SET number = :number")
DROP = Sql("DELETE FROM things WHERE id = :id RETURNING number")

AWKWARD_KEYS = sorted(
    {
        b"", b"\x00", b"\x00\x00", b"\x00\xff", b"a", b"a\x00", b"a\x00b", b"a/", b"a0", b"A", b"B", b"aa", b"b",
        b"\x7f", b"\x80", b"\xff", b"\xff\xff", b"a" * 1024, b"\xff" * 1024, b"\x00" * 1024, b"%_\\'\"$1:id",
        "é".encode(), "e\u0301".encode(), b"z", "ß".encode(), "\U0001f980".encode(), "\uffff".encode(),
        "\ue000".encode(), "ä/ö".encode(), b"Z", b"\r\n", b" ", b"\xc3\x28",
    }
)  # fmt: skip


def create() -> Transaction[None]:
    yield one(TABLE)


def put(id: bytes, number: int | None = 0, text: str | None = None, data: bytes | None = None) -> Transaction[int]:
    changed: int = yield run(PUT, id=id, number=number, text=text, data=data)
    return changed


def get(id: bytes) -> Transaction[tuple[Any, ...] | None]:
    row = yield one(GET, id=id)
    return None if row is None else tuple(row)


def count() -> Transaction[int]:
    row = yield one(COUNT)
    number: int = row[0]
    return number


def keys_from(start: bytes, limit: int = 1_000) -> Transaction[list[bytes]]:
    rows = yield all_(FROM, start=start, limit=limit)
    return [row[0] for row in rows]


def put_then_fail(id: bytes, error: Exception) -> Transaction[None]:
    yield run(PUT, id=id, number=1, text=None, data=None)
    raise error


def increment(id: bytes) -> Transaction[int]:
    """Read, then write what was read plus one: loses updates unless the lock excludes."""
    yield lock(1, id)
    row = yield one(GET, id=id)
    number = int(row[0]) + 1
    yield run(SET, id=id, number=number)
    return number


class Refused(Exception):
    pass


class DatabaseContract:
    """For an engine that lives in one process."""

    @pytest.fixture
    def engine(self) -> Engine:
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def table(self, database: Database, runner: asyncio.Runner) -> None:
        runner.run(database.write(create()))

    async def test_what_each_statement_returns(self, database: Database) -> None:
        seen: list[Any] = []

        def operation() -> Transaction[str]:
            seen.append((yield one(GET, id=b"1")))
            seen.append((yield all_(FROM, start=b"", limit=9)))
            seen.append((yield run(PUT, id=b"1", number=1, text="x", data=None)))
            row = yield one(GET, id=b"1")
            seen.append(tuple(row))
            rows = [{"id": b"%d" % i, "number": i, "text": None, "data": None} for i in range(2, 6)]
            seen.append((yield run_many(PUT, rows)))
            seen.append((yield run_many(PUT, [])))
            seen.append((yield run(SET_ALL, number=7)))
            seen.append((yield run(SET, id=b"none", number=7)))
            seen.append([tuple(row) for row in (yield all_(FROM, start=b"2", limit=2))])
            row = yield one(DROP, id=b"3")
            seen.append(tuple(row))
            seen.append((yield one(DROP, id=b"3")))
            seen.append((yield lock(1, b"name")))
            return "returned"

        assert await database.write(operation()) == "returned"
        assert seen == [None, [], 1, (1, "x", None), None, None, 5, 0, [(b"2",), (b"3",)], (7,), None, None]

    @pytest.mark.parametrize("heavy", [False, True])
    async def test_values_come_back_as_they_went(self, database: Database, heavy: bool) -> None:  # noqa: FBT001 - a parameter of the test
        values = [
            (0, "", b""),
            (2**63 - 1, "x" * 100_000, bytes(range(256)) * 4096),
            (-(2**63), "é \U0001f980 '\"\\ %s :id $1", b"\x00"),
            (None, None, None),
        ]
        for i, (number, text, data) in enumerate(values):
            await database.write(put(b"%d" % i, number, text, data), heavy=heavy)
        for i, expected in enumerate(values):
            assert await database.read(get(b"%d" % i)) == expected
            assert await database.scan(get(b"%d" % i)) == expected

    async def test_keys_are_ordered_as_bytes(self, database: Database) -> None:
        shuffled = random.Random(1).sample(AWKWARD_KEYS, len(AWKWARD_KEYS))
        for key in shuffled:
            await database.write(put(key))
        assert await database.read(keys_from(b"")) == AWKWARD_KEYS
        for i, key in enumerate(AWKWARD_KEYS):
            assert await database.read(keys_from(key, 2)) == AWKWARD_KEYS[i : i + 2]
            assert await database.read(keys_from(key + b"\x00", 1)) == AWKWARD_KEYS[i + 1 : i + 2] or (
                key + b"\x00" in AWKWARD_KEYS
            )

    async def test_an_exception_undoes_only_its_operation(self, database: Database) -> None:
        writes = [
            database.write(put_then_fail(b"%d" % i, Refused(i)) if i % 3 == 0 else put(b"%d" % i)) for i in range(60)
        ]
        results = await asyncio.gather(*writes, return_exceptions=True)
        for i, result in enumerate(results):
            if i % 3 == 0:
                assert isinstance(result, Refused)
                assert result.args == (i,)
            else:
                assert result == 1
        kept = sorted(b"%d" % i for i in range(60) if i % 3)
        assert await database.read(keys_from(b"")) == kept

    async def test_a_taken_name_is_superseded_and_harms_no_neighbour(self, database: Database) -> None:
        writes = [database.write(put(b"same" if i % 2 else b"%d" % i)) for i in range(20)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        assert sum(result == 1 for result in results) == 11
        assert sum(isinstance(result, Superseded) for result in results) == 9
        assert await database.read(count()) == 11

    async def test_a_superseded_operation_leaves_nothing(self, database: Database) -> None:
        await database.write(put(b"b"))

        def operation() -> Transaction[None]:
            yield run(PUT, id=b"a", number=1, text=None, data=None)
            yield run(PUT, id=b"b", number=1, text=None, data=None)

        with pytest.raises(Superseded):
            await database.write(operation())
        assert await database.read(keys_from(b"")) == [b"b"]

    async def test_concurrent_changes_of_one_row_all_count(self, database: Database) -> None:
        await database.write(put(b"n"))
        results = await asyncio.gather(*(database.write(increment(b"n"), heavy=i % 50 == 7) for i in range(200)))
        assert sorted(results) == list(range(1, 201))
        assert await database.read(get(b"n")) == (200, None, None)

    async def test_an_operation_that_needs_no_statement(self, database: Database) -> None:
        def nothing() -> Transaction[int]:
            yield from ()
            return 5

        def only_a_lock() -> Transaction[int]:
            yield lock(1, b"x")
            return 6

        assert await database.read(nothing()) == 5
        assert await database.scan(nothing()) == 5
        assert await database.write(nothing()) == 5
        assert await database.write(only_a_lock()) == 6

    async def test_an_exception_in_a_read_is_the_callers(self, database: Database) -> None:
        def operation() -> Transaction[None]:
            yield one(COUNT)
            raise Refused

        for how in (database.read, database.scan):
            with pytest.raises(Refused):
                await how(operation())
        assert await database.scan(count()) == 0

    async def test_wrong_sql_is_nobodys_error_but_ours(self, database: Database) -> None:
        def operation() -> Transaction[None]:
            yield one(Sql("SELECT nonsense"))

        for how in (database.read, database.scan, database.write):
            with pytest.raises(Exception, match="nonsense") as caught:
                await how(operation())
            assert not type(caught.value).__module__.startswith("entrepot")
        assert await database.write(put(b"after")) == 1

    async def test_cancelled_callers_lose_nobody_elses_work(self, database: Database) -> None:
        rng = random.Random(2)
        for round_ in range(20):
            tasks = [asyncio.create_task(database.write(put(b"%d/%d" % (round_, i)))) for i in range(20)]
            for _ in range(rng.randrange(12)):
                await asyncio.sleep(0)
            given_up = rng.sample(range(20), 10)
            for i in given_up:
                tasks[i].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            kept = [b"%d/%d" % (round_, i) for i, result in enumerate(results) if result == 1]
            assert len(kept) >= 10
            there = set(await database.read(keys_from(b"")))
            assert there.issuperset(kept)
        assert await asyncio.gather(*(database.write(put(b"after%d" % i)) for i in range(20))) == [1] * 20

    async def test_a_cancelled_reader_harms_nobody(self, database: Database) -> None:
        await database.write(put(b"x", 1))
        for how in (database.read, database.scan):
            tasks = [asyncio.create_task(how(get(b"x"))) for _ in range(30)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert results[1::2] == [(1, None, None)] * 15
            assert await how(get(b"x")) == (1, None, None)

    async def test_check_answers(self, database: Database) -> None:
        await database.check()

    async def test_close_finishes_what_is_queued(self, engine: Engine) -> None:
        database = await engine.open()
        if not engine.address:
            await database.write(create())
        tasks = [asyncio.create_task(database.write(put(b"%d" % i))) for i in range(40)]
        await asyncio.sleep(0)
        await database.close()
        assert await asyncio.gather(*tasks) == [1] * 40

    async def test_nothing_is_taken_after_close(self, engine: Engine) -> None:
        database = await engine.open()
        await database.close()
        for attempt in (database.read(count()), database.scan(count()), database.write(put(b"x")), database.check()):
            with pytest.raises(Unavailable):
                await asyncio.wait_for(attempt, 10)
