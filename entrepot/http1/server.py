"""A worker's connections: listening, sweeping up what does not get on, stopping gracefully."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, NamedTuple

from entrepot.http1.connection import Connection
from entrepot.http1.handshakes import Handshakes
from entrepot.http1.patience import Patience
from entrepot.http1.service import Service
from entrepot.wire.http import Handler

BACKLOG: Final = 2048
"""Connections that the kernel holds for a worker that is busy."""

SWEEP_SECONDS: Final = 5
"""How often connections that do not get on are looked for."""


class BoundListener(NamedTuple):
    """A bound socket, the handler of what comes in by it, and the TLS of the next handshake if it speaks TLS."""

    socket: socket.socket
    handler: Handler
    tls: Callable[[], ssl.SSLContext] | None


class Server:
    """Connections over one service. Clients that do not get on are given up after ``patience``; after
    ``stop_seconds`` so is what a stopping server still has under way.
    """

    def __init__(self, service: Service, patience: Patience | None = None, *, stop_seconds: float = 30) -> None:
        self._service = service
        self._patience = patience or Patience()
        self._stop_seconds = stop_seconds

    async def run(self, listeners: Sequence[BoundListener], stop: asyncio.Event, ready: Callable[[], None]) -> None:
        """Serve until ``stop`` is set and requests in flight have been answered. ``ready`` is called when
        connections are taken. Raises OSError when an address cannot be listened on.
        """
        sweeper = asyncio.create_task(self._sweep())
        try:
            async with contextlib.AsyncExitStack() as stack:
                for listener in listeners:
                    await stack.enter_async_context(self._taking(listener))
                ready()
                await stop.wait()
        finally:
            await self._finish()
            sweeper.cancel()

    @contextlib.asynccontextmanager
    async def _taking(self, listener: BoundListener) -> AsyncIterator[None]:
        """Take connections inside. Raises OSError."""
        loop = asyncio.get_running_loop()
        sock, handler, tls = listener
        if tls is None:
            make = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
            server = await make(lambda: Connection(self._service, handler), sock=sock, backlog=BACKLOG)
            try:
                yield
            finally:
                server.close()
        else:
            sock.listen(BACKLOG)
            sock.setblocking(False)
            taking = loop.create_task(Handshakes(self._service, handler, tls, self._patience.head).run(sock))
            try:
                yield
            finally:
                taking.cancel()
                await asyncio.wait([taking])

    async def _finish(self) -> None:
        service = self._service
        service.stopping = True
        for connection in list(service.connections):
            connection.stop()
        with contextlib.suppress(TimeoutError):
            await self._until_empty(self._stop_seconds)
        for connection in list(service.connections):
            connection.drop()
        await self._until_empty(None)

    async def _until_empty(self, seconds: float | None) -> None:
        """Raises TimeoutError."""
        self._service.emptied.clear()
        if self._service.connections:
            async with asyncio.timeout(seconds):
                await self._service.emptied.wait()

    async def _sweep(self) -> None:
        patience = self._patience
        while True:
            await asyncio.sleep(min(SWEEP_SECONDS, patience.stall / 2))
            now = time.monotonic()
            for connection in list(self._service.connections):
                connection.sweep(now, patience)
