"""Data of earlier programs reads as it did: every byte, every field, every listing, on both engines."""

from __future__ import annotations

import asyncio
import json
import lzma
import sqlite3
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from entrepot import app
from entrepot.catalog.schema import RECORD, TABLE, known
from tests.catalog.fixtures.tell import open_door, tell
from tests.doors.s3.door import Door, Keys

if TYPE_CHECKING:
    from tests.postgres import Postgres

FIXTURES = Path(__file__).parent / "fixtures"
_NEXT_ID = "SELECT setval(pg_get_serial_sequence('{0}', 'id'), coalesce(max(id), 1)) FROM {0}"
EARLIER = sorted(path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name.isdigit())


def unpack(name: str, data: Path) -> Path:
    """A data directory of a fixture; its catalog."""
    data.mkdir()
    with tarfile.open(FIXTURES / name / "data.tar.xz") as tar:
        tar.extractall(data)  # noqa: S202 - it was made here
    connection = sqlite3.connect(data / "catalog.sqlite")
    connection.executescript(lzma.decompress((FIXTURES / name / "catalog.sql.xz").read_bytes()).decode())
    connection.close()
    return data / "catalog.sqlite"


async def move_to_postgres(catalog: Path, last: int, url: str) -> None:
    """The same rows in a PostgreSQL catalog of the same schema."""
    rows = sqlite3.connect(catalog)
    names = [row[0] for row in rows.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    connection = await asyncpg.connect(url)
    await connection.execute(TABLE)
    for migration in known("postgres")[:last]:
        await connection.execute(migration.script)
        await connection.execute(RECORD, migration.number, migration.name, 0)
    for name in sorted(set(names) - {"migrations", "sqlite_sequence"}):
        found = rows.execute(f"SELECT * FROM {name}")  # noqa: S608 - names of tables
        columns = [column[0] for column in found.description]
        places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
        insert = f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 - as above
        await connection.executemany(insert, found.fetchall())
        if "id" in columns:
            await connection.execute(_NEXT_ID.format(name))
    await connection.close()
    rows.close()
    catalog.unlink()


def missing(now: Any, then: Any, where: str = "") -> list[str]:
    """Where what is told now is not what was told then. More may be told than was."""
    if isinstance(then, dict) and isinstance(now, dict):
        return [fault for key in then for fault in missing(now.get(key), then[key], f"{where}/{key}")]
    if isinstance(then, list) and isinstance(now, list) and len(now) == len(then):
        return [fault for at, each in enumerate(then) for fault in missing(now[at], each, f"{where}/{at}")]
    return [] if now == then else [f"{where}: {now!r} instead of {then!r}"]


def check_same(door: Door, told: dict[str, Any]) -> None:
    keys = {name: Keys(**each) for name, each in told["keys"].items()}
    assert missing(tell(door, keys), told["state"]) == []


async def find_faults(door: Door) -> list[str]:
    async with app.open_core(door.config) as core:
        return [str(finding) async for finding in core.upkeep.check(deep=True)]


@pytest.mark.parametrize("name", EARLIER)
@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_data_of_earlier_programs_reads_as_it_did(name: str, engine: str, tmp_path: Path, postgres: Postgres) -> None:
    told = json.loads((FIXTURES / name / "told.json").read_text("utf-8"))
    data = tmp_path / "data"
    catalog = unpack(name, data)
    url = ""
    if engine == "postgres":
        url = postgres.new_schema()
        asyncio.run(move_to_postgres(catalog, int(name), url))
    with open_door(data, catalog=url) as door:
        check_same(door, told)
        door.ask("PUT", "/plain/new", body=b"after the upgrade").ok()
        door.ask("DELETE", "/plain/new").ok(204)
        check_same(door, told)
        assert [fault for fault in asyncio.run(find_faults(door)) if "damaged" not in fault] == []
