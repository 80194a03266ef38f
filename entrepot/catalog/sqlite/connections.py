"""Connections to SQLite: how they are set, how an operation runs on one, and what their errors mean."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import apsw

from entrepot.catalog.database import T, Transaction, Want
from entrepot.errors import Corrupt, StoreFull, Superseded, Unavailable

CACHE_KIB: Final = 16 * 1024
"""Page cache of a connection."""


def drive(connection: apsw.Connection, operation: Transaction[T]) -> T:
    """Run an operation to its end on a connection, within whatever transaction is open."""
    execute = connection.execute
    result: Any = None
    try:
        while True:
            statement = operation.send(result)
            want = statement.want
            if want is Want.ONE:
                result = execute(statement.sql.text, statement.params).fetchone()
            elif want is Want.ALL:
                result = execute(statement.sql.text, statement.params).fetchall()
            elif want is Want.COUNT:
                execute(statement.sql.text, statement.params)
                result = connection.changes()
            elif want is Want.ID:
                execute(statement.sql.text, statement.params)
                result = connection.last_insert_rowid() if connection.changes() else None
            else:  # LOCK asks for nothing here: the write transaction is already alone
                result = None
                if want is Want.MANY:
                    connection.executemany(statement.sql.text, statement.many)
    except StopIteration as stop:
        value: T = stop.value
        return value


def connect(path: Path | None, vfs: str | None = None, *, make: bool = True) -> apsw.Connection:
    """A connection as each of a catalog is; the file is made if need be, where ``make`` says so. Raises apsw.Error."""
    name = ":memory:" if path is None else str(path)
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if make else 0)
    connection = apsw.Connection(name, flags, vfs) if vfs else apsw.Connection(name, flags)
    connection.set_busy_timeout(5_000)
    # Without it a join is planned anew each time its parameters change: 30 µs instead of 7.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    connection.execute("PRAGMA synchronous = FULL")
    if path is not None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
    return connection


def translate(error: apsw.Error) -> Exception:
    """SQLite's errors in our words; what has no word is a defect and comes back as it is."""
    match error:
        case apsw.FullError():
            return StoreFull("the disk that holds the catalog is full")
        case apsw.ConstraintError():
            return Superseded(str(error))
        case apsw.CorruptError() | apsw.NotADBError():
            return Corrupt(f"the catalog is damaged: {error}")
        case apsw.ConnectionClosedError() | apsw.InterruptError():
            return Unavailable("the catalog is closed")
        case apsw.IOError() | apsw.BusyError() | apsw.LockedError() | apsw.CantOpenError() | apsw.ReadOnlyError():
            return Unavailable(f"the catalog does not answer: {error}")
    return error
