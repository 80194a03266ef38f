"""The services on every kind of catalog; tests that are coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from entrepot.blobs.kinds import stack
from entrepot.blobs.memory import MemoryStore
from entrepot.catalog.database import Database
from entrepot.catalog.postgres.engine import PostgreSQL
from entrepot.catalog.sqlite.engine import SQLite
from tests.coroutines import pytest_pyfunc_call, runner
from tests.postgres import Postgres
from tests.upkeep.house import ROOT, House, opened

__all__ = ["pytest_pyfunc_call", "runner"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "memory", "postgres"])
def house(request: pytest.FixtureRequest, tmp_path: Path, runner: asyncio.Runner) -> Iterator[House]:
    until = AsyncExitStack()
    schema = request.getfixturevalue("postgres").new_schema() if request.param == "postgres" else ""

    async def enter() -> House:
        database: Database
        if schema:
            database = await PostgreSQL.open(schema)
        else:
            database = await SQLite.open(None if request.param == "memory" else tmp_path / "catalog.sqlite")
        until.push_async_callback(database.close)
        store = stack(MemoryStore("main")) if request.param == "memory" else None
        entered = await until.enter_async_context(opened(tmp_path, database, store))
        await entered.buckets.create(ROOT, "bucket")
        return entered

    yield runner.run(enter())
    runner.run(until.aclose())
