"""The schema as numbered migrations: ``migrations/<engine>/NNNN_name.sql``, kept as package data.

What was applied stands in the table ``migrations`` of the catalog itself. A script runs in one
transaction with the row that records it, under the engine's own lock, so any number of processes
may start at once and each script runs exactly once. There is no way back to an older schema:
a catalog from a newer program is refused before anything is read from it.
"""

from __future__ import annotations

import functools
import importlib.resources
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from entrepot.errors import Incompatible

if TYPE_CHECKING:
    import apsw
    import asyncpg

Engine = Literal["sqlite", "postgres"]

TABLE: Final = """CREATE TABLE IF NOT EXISTS migrations (
    number BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    applied_at BIGINT NOT NULL
)"""
APPLIED: Final = "SELECT number FROM migrations ORDER BY number"
RECORD: Final = "INSERT INTO migrations (number, name, applied_at) VALUES ($1, $2, $3)"

# Two-argument advisory locks have a space of their own, apart from the 64-bit locks on names.
LOCK: Final = "SELECT pg_advisory_xact_lock(1164866674, 1)"

_FILE: Final = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")


@dataclass(frozen=True, slots=True)
class Migration:
    """One script. ``number`` counts from 1 without gaps; the same number has the same name and
    meaning on each engine.
    """

    number: int
    name: str
    script: str


@functools.cache
def known(engine: Engine) -> tuple[Migration, ...]:
    """Every migration that this program has for an engine, oldest first."""
    folder = importlib.resources.files("entrepot.catalog").joinpath("migrations", engine)
    found = [
        Migration(int(match[1]), match[2], entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    return tuple(sorted(found, key=lambda migration: migration.number))


def pending(applied: Sequence[int], engine: Engine) -> list[Migration]:
    """The migrations that a catalog still needs, in the order in which to run them.

    Raises Incompatible when the catalog has one that this program does not know.
    """
    scripts = known(engine)
    newest = max(applied, default=0)
    if newest > scripts[-1].number:
        raise Incompatible(newest, scripts[-1].number)
    done = frozenset(applied)
    return [migration for migration in scripts if migration.number not in done]


def migrate_sqlite(connection: apsw.Connection) -> None:
    """Bring the catalog up to date in one immediate transaction, which it begins and commits.
    Waits for any other process that is doing so. Raises Incompatible.
    """
    connection.create_scalar_function("unpacked", _unpacked, 1, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(TABLE)
        rows: list[Any] = connection.execute(APPLIED).fetchall()
        for migration in pending([row[0] for row in rows], "sqlite"):
            connection.execute(migration.script)
            connection.execute(RECORD, _row(migration))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.create_scalar_function("unpacked", None)


def _unpacked(*packed: Any) -> str | None:  # noqa: ANN401 - as apsw calls it
    """Text by name, MessagePack until migration 5, as JSON. (PostgreSQL's script says it in its own words.)"""
    return None if packed[0] is None else msgspec.json.encode(msgspec.msgpack.decode(packed[0])).decode()


async def migrate_postgres(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Bring the catalog up to date in one transaction, which it begins and commits.
    Waits for any other process that is doing so. Raises Incompatible.
    """
    async with connection.transaction():
        await connection.execute(LOCK)
        await connection.execute(TABLE)
        rows = await connection.fetch(APPLIED)
        for migration in pending([row[0] for row in rows], "postgres"):
            await connection.execute(migration.script)
            await connection.execute(RECORD, *_row(migration))


def _row(migration: Migration) -> tuple[int, str, int]:
    return migration.number, migration.name, time.time_ns() // 1000
