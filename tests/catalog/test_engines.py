"""The database contract on every engine."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.database import Sql, Transaction, one
from entrepot.errors import Unavailable
from tests.catalog.engines import Engine
from tests.contracts.database import DatabaseContract
from tests.contracts.shared import SharedContract

if TYPE_CHECKING:
    from entrepot.catalog.database import Database


class TestFile(SharedContract):
    @pytest.fixture
    def engine(self, file_engine: Engine) -> Engine:
        return file_engine

    async def test_closing_ends_what_runs_in_the_background(self, database: Database, engine: Engine) -> None:
        other = await engine.open()
        scans = [asyncio.create_task(other.scan(_count_for_ever(), background=True)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await other.close()
        for scan in scans:
            with pytest.raises(Unavailable):
                await scan


def _count_for_ever() -> Transaction[None]:
    yield one(Sql("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"))


class TestMemory(DatabaseContract):
    @pytest.fixture
    def engine(self, memory_engine: Engine) -> Engine:
        return memory_engine


class TestPostgreSQL(SharedContract):
    @pytest.fixture
    def engine(self, postgres_engine: Engine) -> Engine:
        return postgres_engine
