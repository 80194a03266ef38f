"""Engines for the contracts, and tests that are coroutines."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING

import pytest

from tests.catalog.engines import Engine, File, Memory, Server
from tests.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from entrepot.catalog.database import Database

pytest.register_assert_rewrite("tests.contracts")


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


@pytest.fixture(autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of one test: of its database and of the test itself when that is a coroutine."""
    with asyncio.Runner() as loop:
        yield loop


@pytest.fixture
def database(engine: Engine, runner: asyncio.Runner) -> Iterator[Database]:
    opened = runner.run(engine.open())
    yield opened
    runner.run(opened.close())


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    loop = pyfuncitem.funcargs["runner"]
    assert isinstance(loop, asyncio.Runner)
    loop.run(pyfuncitem.obj(**arguments))
    return True
