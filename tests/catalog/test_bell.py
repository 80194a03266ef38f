"""The contract of bells on every kind, and what is each one's own."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.bell import MemoryBell
from entrepot.catalog.postgres import bell as listening
from entrepot.catalog.postgres.bell import ListeningBell
from entrepot.catalog.sqlite.bell import SocketBell
from tests.contracts.bell import SOON, Belfry, BellContract

if TYPE_CHECKING:
    from entrepot.catalog.bell import Bell
    from tests.postgres import Postgres


class Sockets:
    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bells"

    async def open(self) -> Bell:
        return SocketBell(self.folder)


class Listening:
    def __init__(self, url: str) -> None:
        self._url = url

    async def open(self) -> Bell:
        return ListeningBell(self._url)


class Here:
    def __init__(self) -> None:
        self._bell = MemoryBell()

    async def open(self) -> Bell:
        return self._bell


def hear_and_die(folder: Path) -> None:
    async def work() -> None:
        async with SocketBell(folder).hear("a"):
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(work())


class TestSockets(BellContract):
    @pytest.fixture
    def belfry(self, tmp_path: Path) -> Belfry:
        return Sockets(tmp_path / ("long" * 50))  # longer than an address of a socket may be

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        (tmp_path / ("long" * 50)).mkdir()

    async def test_sockets_of_the_dead_are_taken_away(self, tmp_path: Path) -> None:
        folder = tmp_path / "bells"
        process = multiprocessing.get_context("spawn").Process(target=hear_and_die, args=(folder,))
        process.start()
        await asyncio.to_thread(process.join)
        assert len(list(folder.iterdir())) == 1
        bell = SocketBell(folder)
        async with bell.hear("a") as ear:
            await bell.ring("a")
            assert await ear.wait(SOON)
            assert len(list(folder.iterdir())) == 1
        await bell.close()
        assert list(folder.iterdir()) == []


class TestMemory(BellContract):
    @pytest.fixture
    def belfry(self) -> Belfry:
        return Here()


class TestPostgreSQL(BellContract):
    @pytest.fixture
    def belfry(self, postgres: Postgres) -> Belfry:
        return Listening(postgres.new_schema())

    async def test_a_connection_that_was_lost_is_made_again(
        self, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(listening, "AGAIN_SECONDS", 0.05)
        url = postgres.new_schema()
        near, far = ListeningBell(url), ListeningBell(url)
        async with near.hear("a") as ear:
            postgres.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
            assert await ear.wait(SOON)
            await far.ring("a")
            assert await ear.wait(SOON)
        await near.close()
        await far.close()

    async def test_catalogs_in_one_database_do_not_hear_each_other(self, postgres: Postgres) -> None:
        near, far = ListeningBell(postgres.new_schema()), ListeningBell(postgres.new_schema())
        async with near.hear("a") as ear:
            await far.ring("a")
            await near.ring("b")
            assert not await ear.wait(0.3)
        await near.close()
        await far.close()
