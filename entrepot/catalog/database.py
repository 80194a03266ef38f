"""The seam between the catalog's operations and a database engine. It lies *under* the SQL.

An operation is a generator: it yields :class:`Statement` values and is sent what they returned,
so one text serves SQLite (driven without leaving the thread, inside a group commit) and
PostgreSQL (each statement awaited). Operations are pure but for their statements: an engine may
run one again from the start by calling its factory, never by resuming a used generator.

SQL is the portable subset with ``:name`` parameters, in SQLite's spelling where the two differ
(see ``SPELLINGS``). Values are ``bytes``, ``str``, ``int`` and
None; truth is 0 or 1. Keys are bytes, so both engines order them as UTF-8 does.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeVar

Value = bytes | str | int | None
Row = Sequence[Any]
T = TypeVar("T")


class Want(enum.Enum):
    """What a statement returns to its operation."""

    ONE = "one"  # the first row or None
    ALL = "all"  # every row
    COUNT = "count"  # the number of rows changed
    ID = "id"  # the id of the row inserted, or None
    MANY = "many"  # nothing; runs once for each set of parameters
    LOCK = "lock"  # nothing; waits until no other transaction holds the name


SPELLINGS: Final = {"instr(": "pg_catalog.position(", " AS BLOB)": " AS BYTEA)"}
"""What PostgreSQL calls otherwise than SQLite does; the arguments are the same."""


class Sql:
    """A statement's text, prepared at import: ``names`` are its parameters in order of first use,
    ``numbered`` is the text for PostgreSQL, with ``$n`` in their place.
    """

    __slots__ = ("names", "numbered", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        names: list[str] = []

        def number(match: re.Match[str]) -> str:
            name = match[1]
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"

        self.numbered = re.sub(r"(?<!:):([a-z_]+)", number, text)
        for here, there in SPELLINGS.items():
            self.numbered = self.numbered.replace(here, there)
        self.names = tuple(names)


class Statement:
    """One step of an operation."""

    __slots__ = ("many", "params", "sql", "want")

    def __init__(
        self,
        want: Want,
        sql: Sql,
        params: Mapping[str, Value],
        many: Sequence[Mapping[str, Value]] = (),
    ) -> None:
        self.want = want
        self.sql = sql
        self.params = params
        self.many = many


Transaction = Generator[Statement, Any, T]


def one(sql: Sql, /, **params: Value) -> Statement:
    """Yield it for the first row, or None."""
    return Statement(Want.ONE, sql, params)


def all_(sql: Sql, /, **params: Value) -> Statement:
    """Yield it for a list of every row."""
    return Statement(Want.ALL, sql, params)


def run(sql: Sql, /, **params: Value) -> Statement:
    """Yield it for the number of rows that it changed."""
    return Statement(Want.COUNT, sql, params)


def insert(sql: Sql, /, **params: Value) -> Statement:
    """Yield it for the ``id`` of the one row that it inserted, or None when it met a row that is there
    (ON CONFLICT DO NOTHING). RETURNING says the same, but SQLite fills a temporary table for it.
    """
    return Statement(Want.ID, sql, params)


def run_many(sql: Sql, many: Sequence[Mapping[str, Value]]) -> Statement:
    """Yield it to run one text for many sets of parameters."""
    return Statement(Want.MANY, sql, {}, many)


LOCK = Sql("")


def lock(space: int, name: bytes, *, shared: bool = False) -> Statement:
    """Hold a name until the transaction ends, against every other writer of the same catalog.

    SQLite has one writer at a time, so there it costs nothing. An operation takes its locks before
    it reads what it decides on, bucket before key, so that no two can wait for one another.
    """
    return Statement(Want.LOCK, LOCK, {"space": space, "name": name, "shared": int(shared)})


Still = Callable[[], Awaitable[None]]
"""Raises Unavailable when the name that somebody holds is not theirs any more."""


class Database(Protocol):
    """A catalog database. Safe for any number of tasks of the event loop that opened it, and
    beside other processes on the same data.
    """

    async def read(self, operation: Transaction[T], *, large: bool = False) -> T:
        """Run a short read: a point query or two. Each statement sees what is committed. ``large``
        says that it fetches many bytes, which must not hold up the event loop.
        """
        ...

    async def scan(self, operation: Transaction[T], *, background: bool = False) -> T:
        """Run a bounded read of many rows, such as a page of a list, on one snapshot and out of the way of the
        short ones. One that grows with what is stored, and that no client waits for, goes to the ``background``:
        there it is in nobody's way, may wait long for its turn, and ends with Unavailable when the catalog is closed.
        """
        ...

    async def write(self, operation: Transaction[T], *, heavy: bool = False, large: bool = False) -> T:
        """Run a change; durable on return. ``heavy`` says that it touches many rows, ``large`` that
        it carries many bytes.

        An exception raised by the operation undoes what it did and nothing else. When the caller
        is cancelled the change may have been made or not. Raises StoreFull, Busy, Unavailable.
        """
        ...

    def alone(self, name: str) -> AbstractAsyncContextManager[Still]:
        """Hold a name against everybody else on this catalog, other processes too, for as long as
        the context lasts; it falls with the process. Raises Busy at once when somebody holds it, and
        Unavailable where the database is elsewhere and was lost meanwhile, and the name with it: in the
        end, and when asked before something that only one may do.
        """
        ...

    async def check(self) -> None:
        """Raise Unavailable when the database does not answer, or its file was removed or replaced; Corrupt when
        damage was met since this process began.
        """
        ...

    async def close(self) -> None:
        """Finish what is queued, but for the background, then let go of every resource. An end is certain."""
        ...
