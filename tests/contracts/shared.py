"""What several openers of one catalog may rely on: other tasks, threads and processes, alive or killed."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.catalog.database import Sql, Transaction, all_, one
from entrepot.catalog.operations import objects
from entrepot.catalog.operations.blobs import claim
from entrepot.catalog.schema import known
from entrepot.errors import Incompatible, PreconditionFailed
from entrepot.model import NO_CHECKSUMS, Bucket, Bytes, Meta, Precondition, Versioning
from tests.catalog.engines import open_address, opened, write_elsewhere
from tests.contracts.acts import STORE, Acts, digest
from tests.contracts.database import COUNT, DatabaseContract, count, create, get, increment, keys_from, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from entrepot.catalog.database import Database
    from tests.catalog.engines import Engine

WORKERS = 3
MIGRATIONS = Sql("SELECT number FROM migrations ORDER BY number")


def spawn() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(WORKERS, multiprocessing.get_context("spawn"))


async def _in_parallel(address: str, work: Callable[[Database, int], Any], times: int) -> list[Any]:
    async with opened(address) as database:
        return list(await asyncio.gather(*(work(database, i) for i in range(times))))


def increment_many(address: str, times: int) -> list[int]:
    return asyncio.run(_in_parallel(address, lambda database, _: database.write(increment(b"n")), times))


def open_and_count(address: str) -> int:
    async def work() -> int:
        async with opened(address) as database:
            return len(await database.read(_migrations()))

    return asyncio.run(work())


def _migrations() -> Transaction[list[int]]:
    rows = yield all_(MIGRATIONS)
    return [row[0] for row in rows]


def write_and_die(address: str, number: int) -> None:
    """Killed the moment that a write is acknowledged."""

    async def work() -> None:
        database = await open_address(address)
        await asyncio.gather(*(database.write(put(b"%d/%d" % (number, i))) for i in range(20)))
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(work())


def die_in_the_middle(address: str) -> None:
    """Killed between the two statements of a write."""

    def operation() -> Transaction[None]:
        yield from put(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    async def work() -> None:
        database = await open_address(address)
        await database.write(operation())

    asyncio.run(work())


def version_of(bucket: Bucket, key: str, who: str) -> objects.NewVersion:
    data = who.encode()
    return objects.NewVersion(
        bucket.id,
        bucket.name,
        key,
        lambda: who,
        who,
        who,
        Bytes(len(data), digest(data), data=data),
        Meta(),
        NO_CHECKSUMS,
    )


def create_each(address: str, bucket: Bucket, who: str, keys: int) -> list[str]:
    """Try to be the first to create each key; the keys won."""
    absent = Precondition(if_none_match=("*",))

    async def attempt(database: Database, i: int) -> str:
        try:
            await database.write(objects.insert_version(version_of(bucket, f"k{i}", who), i, absent))
        except PreconditionFailed:
            return ""
        return f"k{i}"

    return [key for key in asyncio.run(_in_parallel(address, attempt, keys)) if key]


def count_up(address: str, bucket: Bucket, times: int) -> None:
    """Raise the number in an object so many times, by compare and swap."""

    async def work() -> None:
        async with opened(address) as database:
            for _ in range(times):
                await swap(database, bucket)

    asyncio.run(work())


async def swap(database: Database, bucket: Bucket) -> None:
    while True:
        _, version = await database.read(objects.look_up(bucket.name, "n"))
        assert version is not None
        new = version_of(bucket, "n", str(int(version.etag) + 1))
        try:
            await database.write(objects.insert_version(new, 1, Precondition(if_match=(version.etag,))))
        except PreconditionFailed:
            continue
        return


def claim_all(address: str, names: int) -> int:
    async def attempt(database: Database, i: int) -> bool:
        return await database.write(claim(STORE, digest(b"%d" % i), 1, i)) is not None

    return sum(asyncio.run(_in_parallel(address, attempt, names)))


def without_end(ended: threading.Event) -> Transaction[None]:
    """A read that goes on until it is told to end."""
    while not ended.is_set():
        yield one(COUNT)


class SharedContract(DatabaseContract):
    """For an engine that several processes can open."""

    @pytest.fixture
    def second(self, engine: Engine, database: Database, runner: asyncio.Runner) -> Iterator[Database]:
        """Another opener of the same catalog."""
        other = runner.run(engine.open())
        yield other
        runner.run(other.close())

    async def test_a_write_is_seen_by_everybody_at_once(self, database: Database, second: Database) -> None:
        for i in range(20):
            await database.write(put(b"%d" % i, i))
            assert await second.read(get(b"%d" % i)) == (i, None, None)
            assert await second.scan(get(b"%d" % i)) == (i, None, None)

    async def test_a_scan_sees_one_moment(self, engine: Engine, database: Database) -> None:
        await database.write(put(b"1"))
        address = engine.address

        def operation() -> Transaction[list[int]]:
            seen = []
            for i in (2, 3):
                row = yield one(COUNT)
                seen.append(int(row[0]))
                write_elsewhere(address, put(b"%d" % i))
            row = yield one(COUNT)
            return [*seen, int(row[0])]

        assert await database.scan(operation()) == [1, 1, 1]
        assert await database.scan(count()) == 3

    async def test_a_page_waits_for_nothing_in_the_background(self, engine: Engine, database: Database) -> None:
        """Two scans that have no end, of which one may wait for the other; and then the end of the catalog."""
        await database.write(put(b"1"))
        other = await engine.open()
        ended = threading.Event()
        scans = [asyncio.create_task(other.scan(without_end(ended), background=True)) for _ in range(2)]
        try:
            await asyncio.sleep(0.1)
            pages = asyncio.gather(*(other.scan(keys_from(b"")) for _ in range(8)))
            assert await asyncio.wait_for(pages, 30) == [[b"1"]] * 8
            async with other.alone("collect"), other.alone("another"), asyncio.timeout(30):
                assert await other.write(put(b"2"), heavy=True) == 1
            assert not any(scan.done() for scan in scans)
        finally:
            ended.set()
            await asyncio.gather(*scans)
            await other.close()

    async def test_nobody_sees_half_a_write(self, engine: Engine, database: Database, second: Database) -> None:
        def pair(i: int) -> Transaction[None]:
            yield from put(b"%d/a" % i)
            yield from put(b"%d/b" % i)

        async def write_all() -> None:
            for i in range(40):
                await database.write(pair(i))

        writing = asyncio.create_task(write_all())
        while not writing.done():
            assert await second.read(count()) % 2 == 0
            assert await second.scan(count()) % 2 == 0
        await writing
        assert await second.read(count()) == 80

    async def test_two_openers_lose_no_update(self, database: Database, second: Database) -> None:
        await database.write(put(b"n"))
        results = await asyncio.gather(
            *((database, second)[i % 2].write(increment(b"n"), heavy=i % 20 == 3) for i in range(100))
        )
        assert sorted(results) == list(range(1, 101))

    async def test_processes_lose_no_update(self, engine: Engine, database: Database) -> None:
        await database.write(put(b"n"))
        with spawn() as processes:
            done = [processes.submit(increment_many, engine.address, 50) for _ in range(WORKERS)]
            ours = await asyncio.gather(*(database.write(increment(b"n")) for _ in range(50)))
            theirs = [number for future in done for number in await asyncio.wrap_future(future)]
        assert sorted(ours + theirs) == list(range(1, 50 * (WORKERS + 1) + 1))

    async def test_processes_that_start_at_once_migrate_once(self, engine: Engine) -> None:
        with spawn() as processes:
            for _ in range(3):
                engine.renew()
                starts = [processes.submit(open_and_count, engine.address) for _ in range(WORKERS)]
                database = await engine.open()
                counts = [await asyncio.wrap_future(start) for start in starts]
                assert counts == [len(known("sqlite"))] * WORKERS
                assert await database.read(_migrations()) == list(range(1, counts[0] + 1))
                await database.close()

    async def test_a_newer_catalog_is_refused_and_left_alone(self, engine: Engine, database: Database) -> None:
        engine.plant("INSERT INTO migrations (number, name, applied_at) VALUES (4711, 'future', 1)")
        with pytest.raises(Incompatible, match="4711") as caught:
            await engine.open()
        assert (caught.value.found, caught.value.known) == (4711, known("sqlite")[-1].number)
        assert await database.read(_migrations()) == [*range(1, caught.value.known + 1), 4711]

    async def test_what_was_acknowledged_outlives_a_killed_process(self, engine: Engine, database: Database) -> None:
        for number in range(3):
            process = multiprocessing.get_context("spawn").Process(target=write_and_die, args=(engine.address, number))
            process.start()
            await asyncio.to_thread(process.join)
            assert process.exitcode == -signal.SIGKILL
            process.close()
            found = await database.read(keys_from(b"%d/" % number))
            assert found == sorted(b"%d/%d" % (number, i) for i in range(20))
        assert await database.write(put(b"alive")) == 1

    async def test_what_was_half_done_dies_with_its_process(self, engine: Engine, database: Database) -> None:
        process = multiprocessing.get_context("spawn").Process(target=die_in_the_middle, args=(engine.address,))
        process.start()
        await asyncio.to_thread(process.join)
        assert process.exitcode == -signal.SIGKILL
        process.close()
        assert await database.write(put(b"whole")) == 1
        assert await database.read(keys_from(b"")) == [b"whole"]

    async def test_a_catalog_that_was_closed_is_all_there(self, engine: Engine) -> None:
        engine.renew()
        for i in range(3):
            database = await engine.open()
            if i == 0:
                await database.write(create())
            await database.write(put(b"%d" % i))
            assert await database.read(count()) == i + 1
            await database.close()

    async def test_one_process_creates_each_object(self, engine: Engine, database: Database) -> None:
        acts = Acts(database)
        bucket = await acts.bucket(Versioning.ON)
        with spawn() as processes:
            tries = [processes.submit(create_each, engine.address, bucket, f"p{i}", 30) for i in range(WORKERS)]
            won = [await asyncio.wrap_future(each) for each in tries]
        assert sorted(key for keys in won for key in keys) == sorted(f"k{i}" for i in range(30))
        for i, keys in enumerate(won):
            for key in keys:
                version = await acts.live(bucket, key)
                assert version is not None
                assert version.etag == f"p{i}"

    async def test_processes_swap_without_losing_one(self, engine: Engine, database: Database) -> None:
        acts = Acts(database)
        bucket = await acts.bucket()
        await database.write(objects.insert_version(version_of(bucket, "n", "0"), 1))
        with spawn() as processes:
            for each in [processes.submit(count_up, engine.address, bucket, 15) for _ in range(WORKERS)]:
                await asyncio.wrap_future(each)
        assert await acts.data(bucket, "n") == b"%d" % (15 * WORKERS)

    async def test_processes_claim_the_same_blobs(self, engine: Engine, database: Database) -> None:
        with spawn() as processes:
            claims = [processes.submit(claim_all, engine.address, 40) for _ in range(WORKERS)]
            assert [await asyncio.wrap_future(each) for each in claims] == [40] * WORKERS
        assert await Acts(database).number("SELECT count(*) FROM placements") == 40
