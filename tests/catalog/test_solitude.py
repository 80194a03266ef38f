"""Where commits are made: on the event loop for who is alone, in a thread for everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest
import uvloop

from entrepot.catalog.operations import buckets
from entrepot.catalog.sqlite import solitude
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.errors import BucketExists

LOOPS: list[Callable[[], asyncio.AbstractEventLoop]] = [asyncio.new_event_loop, uvloop.new_event_loop]
MANY = 2 * solitude.SURE


class Watched:
    """A catalog that tells which of its commits were made on the loop."""

    def __init__(self, database: SQLite) -> None:
        self.database = database
        self.on_loop: list[bool] = []
        self.during: Callable[[], object] = bool
        self._count = 0
        database._writer.set_wal_hook(self._committed)

    def _committed(self, _connection: apsw.Connection, _name: str, _pages: int) -> int:
        self.during()
        self.on_loop.append(threading.current_thread() is threading.main_thread())
        return apsw.SQLITE_OK

    async def write(self) -> None:
        self._count += 1
        await self.database.write(buckets.create_bucket(f"bucket-{self._count}", "ann", "main", 1))

    async def settle(self) -> None:
        """Write alone until commits are made on the loop."""
        for _ in range(MANY):
            await self.write()
            await asyncio.sleep(0.001)
        assert self.on_loop[-1]
        self.on_loop.clear()


@contextlib.asynccontextmanager
async def watched(folder: Path) -> AsyncIterator[Watched]:
    database = await SQLite.open(folder / "catalog.sqlite")
    try:
        yield Watched(database)
    finally:
        await database.close()


@pytest.fixture(autouse=True)
def _any_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk may be slow here."""
    monkeypatch.setattr(solitude, "SHORT", 60)


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[..., object]:
    def run(main: Callable[[], object]) -> object:
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(main())  # type: ignore[arg-type]  # any awaitable does; the stub wants a coroutine

    return run


def test_a_lone_writer_needs_no_thread(run: Callable[..., object], tmp_path: Path) -> None:
    async def main() -> None:
        async with watched(tmp_path) as catalog:
            await catalog.settle()

    run(main)


def test_writers_who_come_together_share_commits_of_the_thread(run: Callable[..., object], tmp_path: Path) -> None:
    async def main() -> None:
        async with watched(tmp_path) as catalog:
            await catalog.settle()
            for _ in range(MANY):
                await asyncio.gather(*[catalog.write() for _ in range(4)])
            assert len(catalog.on_loop) < 4 * MANY
            assert not any(catalog.on_loop[-MANY // 2 :])

    run(main)


def test_who_waits_for_the_loop_is_not_held_up(run: Callable[..., object], tmp_path: Path) -> None:
    """A request that has arrived sends the commit to the thread; one that arrives meanwhile, the next ones."""

    async def main() -> None:
        here, there = socket.socketpair()
        here.setblocking(False)
        asyncio.get_running_loop().add_reader(here, lambda: here.recv(1))
        async with watched(tmp_path) as catalog:
            await catalog.settle()
            there.send(b"a")
            await catalog.write()
            assert catalog.on_loop == [False]
            await catalog.settle()
            catalog.during = lambda: there.send(b"b")
            await catalog.write()
            await asyncio.sleep(0.001)
            catalog.during = bool
            await catalog.write()
            assert catalog.on_loop == [True, False]
        asyncio.get_running_loop().remove_reader(here)
        here.close()
        there.close()

    run(main)


def test_reads_beside_a_commit_are_company(run: Callable[..., object], tmp_path: Path) -> None:
    async def main() -> None:
        async with watched(tmp_path) as catalog:
            for _ in range(MANY):
                write = asyncio.ensure_future(catalog.write())
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                await catalog.database.read(buckets.find_bucket("bucket-1"))
                await write
            assert not any(catalog.on_loop)

    run(main)


def test_writes_in_a_row_let_the_loop_turn(run: Callable[..., object], tmp_path: Path) -> None:
    async def main() -> None:
        async with watched(tmp_path) as catalog:
            await catalog.settle()
            await catalog.write()
            await catalog.write()
            assert catalog.on_loop == [True, False]

    run(main)


def test_a_write_that_fails_on_the_loop_leaves_nothing(run: Callable[..., object], tmp_path: Path) -> None:
    async def main() -> None:
        async with watched(tmp_path) as catalog:
            await catalog.settle()
            with pytest.raises(BucketExists):
                await catalog.database.write(buckets.create_bucket("bucket-1", "bob", "main", 2))
            await asyncio.sleep(0.001)
            await catalog.write()
            assert catalog.on_loop == [True]
            found = await catalog.database.read(buckets.get_bucket("bucket-1"))
            assert found.owner == "ann"

    run(main)


def test_a_slow_disk_is_left_to_the_thread(
    run: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(solitude, "SHORT", 0)

    async def main() -> None:
        async with watched(tmp_path) as catalog:
            for _ in range(MANY):
                await catalog.write()
                await asyncio.sleep(0.001)
            assert not any(catalog.on_loop)

    run(main)
