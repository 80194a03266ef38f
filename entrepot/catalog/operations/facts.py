"""What a catalog says of itself, for whoever looks after it."""

from __future__ import annotations

from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, all_, one
from entrepot.catalog.schema import APPLIED

_MIGRATIONS: Final = Sql(APPLIED)
_DURABILITY: Final = Sql("SELECT current_setting('synchronous_commit')")

_SPARE: Final = Sql("SELECT f.freelist_count * p.page_size FROM pragma_freelist_count f, pragma_page_size p")
_BUCKET: Final = Sql("SELECT 1 FROM buckets LIMIT 1")
_PLACEMENT: Final = Sql("SELECT 1 FROM placements LIMIT 1")


def is_empty() -> Transaction[bool]:
    """Whether the catalog names nothing: no bucket, and no blob in any store."""
    return (yield one(_BUCKET)) is None and (yield one(_PLACEMENT)) is None


def spare_bytes() -> Transaction[int]:
    """What SQLite's file has free in itself, for rows that are yet to come. PostgreSQL has no such word."""
    row: Row = yield one(_SPARE)
    return int(row[0])


def list_migrations() -> Transaction[list[int]]:
    """The numbers of the migrations that were applied, in order."""
    rows: list[Row] = yield all_(_MIGRATIONS)
    return [row[0] for row in rows]


def durability() -> Transaction[str]:
    """PostgreSQL's ``synchronous_commit``, as it is on our connections. SQLite has no such word."""
    row: Row = yield one(_DURABILITY)
    return str(row[0])
