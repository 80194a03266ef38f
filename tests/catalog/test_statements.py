"""Every statement of the program is one that both engines understand, with the same types."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING

import apsw
import asyncpg
import pytest

import entrepot.catalog
from entrepot.catalog.database import LOCK, Sql
from entrepot.catalog.operations.consistency import RULES
from entrepot.catalog.postgres.engine import PostgreSQL
from entrepot.catalog.schema import migrate_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.postgres import Postgres


def statements() -> Iterator[tuple[str, Sql]]:
    for module in pkgutil.walk_packages(entrepot.catalog.__path__, "entrepot.catalog."):
        for name, value in inspect.getmembers(importlib.import_module(module.name)):
            if isinstance(value, Sql) and value is not LOCK:
                yield f"{module.name.removeprefix('entrepot.catalog.')}.{name}", value
    for rule in RULES:
        yield f"consistency.{rule.noun} {rule.broken}", rule.sql


STATEMENTS = dict(statements())
POSTGRES_ONLY = {"operations.facts._DURABILITY"}
SQLITE_ONLY = {"operations.facts._SPARE"}


@pytest.fixture(scope="module")
def sqlite() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    return connection


@pytest.fixture(scope="module")
def parameters(postgres: Postgres) -> dict[str, list[str] | str]:
    """The types that PostgreSQL sees in each statement's parameters, or why it refuses the statement."""

    async def prepare() -> dict[str, list[str] | str]:
        url = postgres.new_schema()
        await (await PostgreSQL.open(url)).close()
        found: dict[str, list[str] | str] = {}
        connection = await asyncpg.connect(url)
        for name, sql in STATEMENTS.items():
            try:
                found[name] = [each.name for each in (await connection.prepare(sql.numbered)).get_parameters()]
            except asyncpg.PostgresError as error:
                found[name] = str(error)
        await connection.close()
        return found

    return asyncio.run(prepare())


def test_there_are_statements() -> None:
    assert len(STATEMENTS) > 60


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - POSTGRES_ONLY))
def test_sqlite_understands(name: str, sqlite: apsw.Connection) -> None:
    sql = STATEMENTS[name]
    sqlite.execute(f"EXPLAIN {sql.text}", dict.fromkeys(sql.names))


@pytest.mark.parametrize("name", sorted(STATEMENTS.keys() - SQLITE_ONLY))
def test_postgresql_understands(name: str, parameters: dict[str, list[str] | str]) -> None:
    """A parameter that it takes for a 32-bit integer would refuse sizes and times."""
    types = parameters[name]
    assert isinstance(types, list), types
    assert len(types) == len(STATEMENTS[name].names)
    assert set(types) <= {"int8", "text", "bytea"}
