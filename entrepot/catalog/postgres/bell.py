"""The bell of a catalog in PostgreSQL: ``LISTEN`` and ``NOTIFY``, on a connection of their own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg

from entrepot.catalog.bell import Ear, MemoryBell
from entrepot.catalog.postgres.errors import DATABASE_ERRORS
from entrepot.catalog.postgres.lanes import session

ASK_SECONDS: Final = 10.0
"""How long the server may take to answer."""

AGAIN_SECONDS: Final = 5.0
"""How long to wait with connecting anew."""

_WHERE: Final = "SELECT current_schema()"
_RING: Final = "SELECT pg_notify($1, $2)"


class ListeningBell:
    """A :class:`~entrepot.catalog.bell.Bell`. A connection that is lost is made again, and everybody in this process
    is woken then: something may have been missed.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._here = MemoryBell()
        self._connection: asyncpg.Connection[Any] | None = None
        self._channel = ""
        self._one = asyncio.Lock()
        self._listening: asyncio.Task[None] | None = None
        self._lost = asyncio.Event()

    async def ring(self, name: str) -> None:
        self._here.sound(name)
        with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # a hint that is lost
            async with self._one:
                connection = await self._connected()
                await connection.execute(_RING, self._channel, name, timeout=ASK_SECONDS)

    @contextlib.asynccontextmanager
    async def hear(self, name: str) -> AsyncIterator[Ear]:
        if self._listening is None:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # the task tries again
                await self._listen()
            self._listening = asyncio.create_task(self._keep_listening())
        async with self._here.hear(name) as ear:
            yield ear

    async def _keep_listening(self) -> None:
        while True:
            if self._connection is not None and not self._connection.is_closed():
                await self._lost.wait()
            await asyncio.sleep(AGAIN_SECONDS)
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # another try follows
                await self._listen()
                self._here.sound_all()

    async def _listen(self) -> None:
        async with self._one:
            connection = await self._connected()
            self._lost.clear()
            await connection.add_listener(self._channel, self._hear)

    def _hear(self, connection: object, pid: int, channel: str, name: object) -> None:
        self._here.sound(str(name))

    async def _connected(self) -> asyncpg.Connection[Any]:
        if self._connection is None or self._connection.is_closed():
            connection = await asyncpg.connect(
                self._url, timeout=ASK_SECONDS, command_timeout=ASK_SECONDS, server_settings=session(ASK_SECONDS)
            )
            schema = await connection.fetchval(_WHERE)
            self._channel = "entrepot_" + hashlib.blake2b(str(schema).encode(), digest_size=8).hexdigest()
            connection.add_termination_listener(lambda _: self._lost.set())
            self._connection = connection
        return self._connection

    async def close(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listening
        if self._connection is not None:
            with contextlib.suppress(*DATABASE_ERRORS, TimeoutError):  # it is lost already
                await self._connection.close(timeout=ASK_SECONDS)
