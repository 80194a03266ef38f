"""Reads in threads of their own, each on a connection of its own, away from the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import apsw

from entrepot.catalog.database import T, Transaction
from entrepot.catalog.sqlite.connections import drive
from entrepot.errors import Unavailable

LOOK: Final = 1_000_000
"""Steps of SQLite's machine, some ten milliseconds, after which a long statement asks whether it is still wanted."""


class ThreadLane:
    """So many reads at once; the others wait for their turn. Connections are made when they are needed."""

    def __init__(
        self, name: str, threads: int, connect: Callable[[], apsw.Connection], told: Callable[[apsw.Error], Exception]
    ) -> None:
        """``told`` puts an error in our words."""
        self._connect = connect
        self._told = told
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._own = threading.local()
        self._connections: list[apsw.Connection] = []
        self._stopped = False

    async def run(self, operation: Transaction[T]) -> T:
        """Run a read on one snapshot. Raises Unavailable when the lane was stopped."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._run, operation)

    def _run(self, operation: Transaction[T]) -> T:
        if self._stopped:
            raise Unavailable("the catalog is closed")
        try:
            connection = self._connection()
            connection.execute("BEGIN")
            try:
                return drive(connection, operation)
            finally:
                if not connection.get_autocommit():  # an I/O error has ended the snapshot already
                    connection.execute("COMMIT")
        except apsw.Error as error:
            raise self._told(error) from error

    def _connection(self) -> apsw.Connection:
        connection: apsw.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = self._connect()
            connection.set_progress_handler(lambda: self._stopped, LOOK)
            self._connections.append(connection)
        return connection

    def stop(self) -> None:
        """End what is under way, and what waits: nobody needs it any more."""
        self._stopped = True

    def close(self) -> None:
        """Wait for what is under way or waits, unless it was stopped; then let go of the connections."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()
