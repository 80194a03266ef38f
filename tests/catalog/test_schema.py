"""Migrations: planned alike for both engines, applied once, never half, never backwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, get_args

import apsw
import asyncpg
import pytest

from entrepot.catalog import schema
from entrepot.catalog.schema import Engine, Migration, known, migrate_postgres, migrate_sqlite, pending
from entrepot.errors import Incompatible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.postgres import Postgres

ENGINES: tuple[Engine, ...] = get_args(Engine)
BROKEN = Migration(9000, "broken", "CREATE TABLE half (id BIGINT); INSERT INTO nowhere VALUES (1);")


@pytest.mark.parametrize("engine", ENGINES)
class TestPlan:
    def test_numbers_have_no_gaps(self, engine: Engine) -> None:
        assert [migration.number for migration in known(engine)] == list(range(1, len(known(engine)) + 1))

    def test_a_new_catalog_gets_all_of_them(self, engine: Engine) -> None:
        assert pending([], engine) == list(known(engine))

    def test_only_what_is_missing(self, engine: Engine) -> None:
        numbers = [migration.number for migration in known(engine)]
        assert pending(numbers, engine) == []
        assert pending(numbers[:-1], engine) == [known(engine)[-1]]

    def test_a_newer_catalog_is_refused(self, engine: Engine) -> None:
        newest = known(engine)[-1].number
        with pytest.raises(Incompatible, match=f"schema {newest + 3}, this program knows up to {newest}") as caught:
            pending([*range(1, newest + 1), newest + 3], engine)
        assert (caught.value.found, caught.value.known) == (newest + 3, newest)


def plan_broken(applied: Sequence[int], engine: Engine) -> list[Migration]:
    return [] if BROKEN.number in applied else [BROKEN]


def test_engines_have_the_same_migrations() -> None:
    names = [[(migration.number, migration.name) for migration in known(engine)] for engine in ENGINES]
    assert names[0] == names[1]


def test_sqlite_keeps_nothing_of_a_failed_script(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    monkeypatch.setattr(schema, "pending", plan_broken)
    with pytest.raises(apsw.SQLError, match="nowhere"):
        migrate_sqlite(connection)
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'half'").fetchall() == []
    assert connection.execute("SELECT count(*) FROM migrations").fetchone() == (len(known("sqlite")),)


def test_postgresql_keeps_nothing_of_a_failed_script(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check() -> None:
        connection = await asyncpg.connect(postgres.new_schema())
        await migrate_postgres(connection)
        with monkeypatch.context() as patch:
            patch.setattr(schema, "pending", plan_broken)
            with pytest.raises(asyncpg.UndefinedTableError, match="nowhere"):
                await migrate_postgres(connection)
        assert await connection.fetchval("SELECT to_regclass('half')") is None
        assert await connection.fetchval("SELECT count(*) FROM migrations") == len(known("postgres"))
        await connection.close()

    asyncio.run(check())


def sqlite_columns() -> dict[tuple[str, str], tuple[str, bool]]:
    """Type and obligation of every column, in the words of PostgreSQL."""
    types = {"INTEGER": "bigint", "BIGINT": "bigint", "TEXT": "text", "BLOB": "bytea"}
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    rows: list[Any] = connection.execute(
        'SELECT t.name, c.name, c.type, c."notnull" OR c.pk FROM pragma_table_list t '
        "JOIN pragma_table_info(t.name) c WHERE t.name NOT LIKE 'sqlite%'"
    ).fetchall()
    return {(table, column): (types[type_], bool(required)) for table, column, type_, required in rows}


def sqlite_indexes() -> set[tuple[str, bool]]:
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    rows: list[Any] = connection.execute(
        "SELECT i.name, i.\"unique\" FROM pragma_table_list t JOIN pragma_index_list(t.name) i WHERE i.origin = 'c'"
    ).fetchall()
    return {(name, bool(unique)) for name, unique in rows}


async def fetch(url: str, query: str) -> list[Any]:
    connection = await asyncpg.connect(url)
    await migrate_postgres(connection)
    rows: list[Any] = await connection.fetch(query)
    await connection.close()
    return rows


def test_engines_have_the_same_columns(postgres: Postgres) -> None:
    rows = asyncio.run(
        fetch(
            postgres.new_schema(),
            "SELECT table_name, column_name, data_type, is_nullable = 'NO' FROM information_schema.columns "
            "WHERE table_schema = current_schema()",
        )
    )
    assert {(row[0], row[1]): (row[2], row[3]) for row in rows} == sqlite_columns()


def test_engines_have_the_same_indexes(postgres: Postgres) -> None:
    rows = asyncio.run(
        fetch(
            postgres.new_schema(),
            "SELECT c.relname, i.indisunique FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE c.relnamespace = current_schema()::regnamespace AND NOT i.indisprimary AND NOT EXISTS "
            "(SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)",
        )
    )
    assert {(row[0], row[1]) for row in rows} == sqlite_indexes()


def test_text_is_ordered_as_bytes_whatever_the_servers_language(postgres: Postgres) -> None:
    rows = asyncio.run(
        fetch(
            postgres.new_schema(),
            "SELECT table_name, column_name, collation_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type = 'text' AND table_name != 'migrations'",
        )
    )
    assert rows
    assert [tuple(row) for row in rows if row[2] != "C"] == []
