"""No statement reads a whole table, but for those that are here to do so.

The statements are planned over a catalog in which every table has thousands of rows (``filling``), with the engine's
statistics made, and with parameters that the planner does not know. A full walk over an index is a scan as well.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import apsw
import asyncpg
import pytest

import entrepot
from entrepot.catalog.database import Sql
from entrepot.catalog.operations.filters import BUCKETS, FILTERED, UPLOADS, VERSIONS, Filter, compile_filter
from entrepot.catalog.schema import migrate_postgres, migrate_sqlite
from entrepot.catalog.sqlite.connections import drive
from entrepot.rules import AnyOf, Begins, Equal, Field
from tests.catalog.filling import FILL, fill
from tests.catalog.test_statements import POSTGRES_ONLY, SQLITE_ONLY, STATEMENTS

if TYPE_CHECKING:
    from tests.postgres import Postgres

ALLOWED: Final = {
    r"consistency\..*": "the check reads everything, in the background",
    r"operations\.consistency\..*": "so do its other questions",
    r"operations\.upkeep\._COUNT_.*": "a dry run compares everything with everything, in the background",
    r"operations\.(blobs\._ANY|facts\._(BUCKET|PLACEMENT))": "ends at the first row, at start",
    r"operations\.events\._(NUMBER|UNNUMBERED|OLDEST)": "an index of what is not numbered yet; the first of one",
    r"operations\.keys\._LIST": "is asked for every key",
    r"operations\.keys\._FIND_ROOT": "keys are few, and this is asked at start",
    r"operations\.keys\._GRANTED": "the keys that have grants are few, and this is asked when a bucket is dropped",
    r"operations\.jobs\._(LIST|FORGET)": "jobs are few: what a server does by itself",
}
SMALL: Final = frozenset({"migrations", "numbering"})
"""Tables that have a row or two by their nature."""

MAKERS: Final = {"consistency.py::_rule", "filters.py::_filtered"}
"""Functions that make statements; all others stand in modules, where they are found."""


def planned() -> Iterator[tuple[str, Sql]]:
    """Every statement, and those that take a condition with one in it as well."""
    for name, sql in STATEMENTS.items():
        yield name, sql
        if FILTERED in sql.text:
            yield f"{name} filtered", condition_for(sql).of(sql)


def condition_for(sql: Sql) -> Filter:
    """Such as rules make it, of keys that begin alike and of an owner."""
    if "FROM buckets" in sql.text:
        return compile_filter(AnyOf((Equal(Field.BUCKET_OWNER, "owner1"), Equal(Field.BUCKET, "bucket"))), BUCKETS)
    columns = UPLOADS if "FROM uploads" in sql.text else VERSIONS
    return compile_filter(AnyOf((Begins(Field.KEY, "key1"), Equal(Field.OWNER, "owner"))), columns)


def allowed(name: str) -> bool:
    return any(re.fullmatch(pattern, name.removesuffix(" filtered")) for pattern in ALLOWED)


def aliases(text: str, tables: set[str]) -> dict[str, str]:
    """What a statement calls the tables that it reads."""
    found: dict[str, str] = {}
    for table, alias in re.findall(r"(?:FROM|JOIN|UPDATE|INTO)\s+(\w+)(?:\s+(?:AS\s+)?([a-z]\w*))?", text):
        if table in tables:
            found[table] = found[alias or table] = table
    return found


def explain_sqlite() -> dict[str, list[str]]:
    """The scans of every statement."""
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    drive(connection, fill())
    connection.execute("ANALYZE")
    rows: list[Any] = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    tables = {row[0] for row in rows} - SMALL
    scans: dict[str, list[str]] = {}
    for name, sql in planned():
        if name not in POSTGRES_ONLY:
            known = aliases(sql.text, tables)
            plan: list[Any] = connection.execute(f"EXPLAIN QUERY PLAN {sql.text}", dict.fromkeys(sql.names)).fetchall()
            lines = [row[3].split() for row in plan]
            scans[name] = [" ".join(words) for words in lines if words[0] == "SCAN" and words[1] in known]
    return scans


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


def scan_of(node: Mapping[str, Any]) -> str:
    """A node in words if it reads a whole table or index, else ''."""
    kind, table = node["Node Type"], node.get("Relation Name", "")
    full = kind == "Seq Scan" or (kind in ("Index Scan", "Index Only Scan") and "Index Cond" not in node)
    return f"{kind} {table} {node.get('Index Name', '')}" if full and table not in SMALL else ""


async def explain_postgres(url: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(url)
    await migrate_postgres(connection)
    for sql in FILL:
        await connection.execute(sql.numbered)
    await connection.execute("ANALYZE")
    await connection.execute("SET plan_cache_mode = force_generic_plan")
    scans: dict[str, list[str]] = {}
    for name, sql in planned():
        if name in SQLITE_ONLY:
            continue
        # An unknown limit it would take for a tenth of the table.
        known = Sql(sql.text.replace(":limit", "10"))
        await connection.execute(f"PREPARE planned AS {known.numbered}")
        values = f"({', '.join('NULL' for _ in known.names)})" if known.names else ""
        told = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE planned{values}")
        await connection.execute("DEALLOCATE planned")
        scans[name] = [found for node in nodes(json.loads(told)[0]["Plan"]) if (found := scan_of(node))]
    await connection.close()
    return scans


def check(scans: Mapping[str, list[str]]) -> None:
    assert {name: found for name, found in scans.items() if found and not allowed(name)} == {}


def test_sqlite_scans_nothing_that_it_need_not() -> None:
    check(explain_sqlite())


def test_postgresql_scans_nothing_that_it_need_not(postgres: Postgres) -> None:
    check(asyncio.run(explain_postgres(postgres.new_schema())))


def test_every_allowance_is_of_a_statement() -> None:
    unused = [pattern for pattern in ALLOWED if not any(re.fullmatch(pattern, name) for name in STATEMENTS)]
    assert unused == []


def test_a_scan_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statement that looked for versions by id once: no index of half of the table serves an unknown half."""
    monkeypatch.setitem(STATEMENTS, "planted", Sql("SELECT v.id FROM versions v WHERE v.key = :key AND v.live = :live"))
    assert explain_sqlite()["planted"] == ["SCAN v"]


def statements_made_within_functions() -> Iterator[str]:
    for path in sorted((Path(entrepot.__file__).parent / "catalog").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
                if any(isinstance(call, ast.Name) and call.id == "Sql" for call in calls):
                    yield f"{path.name}::{function.name}"


def test_statements_stand_where_they_are_found() -> None:
    assert set(statements_made_within_functions()) == MAKERS
