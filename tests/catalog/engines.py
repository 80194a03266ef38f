"""The places where a catalog can live, as the contracts see them."""

from __future__ import annotations

import asyncio
import itertools
import threading
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import apsw

from entrepot.catalog.database import Database, Transaction
from entrepot.catalog.postgres.engine import PostgreSQL
from entrepot.catalog.postgres.lanes import DEFAULT_LIMITS, LaneBounds
from entrepot.catalog.sqlite.engine import SQLite

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.postgres import Postgres


class Engine(Protocol):
    """One catalog at a time: every `open()` of a shared one is another door to the same data."""

    @property
    def address(self) -> str:
        """What another process passes to `open_address`; empty when there can be none."""
        ...

    async def open(self) -> Database: ...

    def renew(self) -> None:
        """Go on with an empty catalog."""
        ...

    def plant(self, text: str) -> None:
        """Run SQL behind the program's back."""
        ...


class File:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers = itertools.count(1)
        self.renew()

    @property
    def address(self) -> str:
        return str(self._path)

    async def open(self) -> Database:
        return await SQLite.open(self._path)

    def renew(self) -> None:
        self._path = self._folder / f"catalog{next(self._numbers)}.db"

    def plant(self, text: str) -> None:
        connection = apsw.Connection(str(self._path))
        connection.execute(text)
        connection.close()


class Memory:
    address = ""

    async def open(self) -> Database:
        return await SQLite.open(None)

    def renew(self) -> None:
        return None

    def plant(self, text: str) -> None:
        raise NotImplementedError("what is in memory is reached by its own connection alone")


class Server:
    def __init__(self, postgres: Postgres, limits: LaneBounds = DEFAULT_LIMITS) -> None:
        self._postgres = postgres
        self._limits = limits
        self.renew()

    @property
    def address(self) -> str:
        return self._url

    async def open(self) -> Database:
        return await PostgreSQL.open(self._url, self._limits)

    def renew(self) -> None:
        self._url = self._postgres.new_schema()

    def plant(self, text: str) -> None:
        self._postgres.execute(text, url=self._url)


async def open_address(address: str) -> Database:
    if address.startswith("postgresql:"):
        return await PostgreSQL.open(address)
    return await SQLite.open(Path(address))


@asynccontextmanager
async def opened(address: str) -> AsyncIterator[Database]:
    database = await open_address(address)
    try:
        yield database
    finally:
        await database.close()


async def write_once(address: str, operation: Transaction[Any]) -> Any:
    async with opened(address) as database:
        return await database.write(operation)


def write_elsewhere(address: str, operation: Transaction[Any]) -> None:
    """Write through an opener of its own on another thread, and wait for it."""
    thread = threading.Thread(target=lambda: asyncio.run(write_once(address, operation)))
    thread.start()
    thread.join()
