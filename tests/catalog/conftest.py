"""Engines for the contracts, and tests that are coroutines."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.catalog.engines import Engine, File, Memory, Server
from tests.coroutines import pytest_pyfunc_call, runner
from tests.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from entrepot.catalog.database import Database

pytest.register_assert_rewrite("tests.contracts")

__all__ = ["pytest_pyfunc_call", "runner"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture
def file_engine(tmp_path: Path) -> Engine:
    return File(tmp_path)


@pytest.fixture
def memory_engine() -> Engine:
    return Memory()


@pytest.fixture
def postgres_engine(postgres: Postgres) -> Engine:
    return Server(postgres)


@pytest.fixture
def database(engine: Engine, runner: asyncio.Runner) -> Iterator[Database]:
    opened = runner.run(engine.open())
    yield opened
    runner.run(opened.close())
