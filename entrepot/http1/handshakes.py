"""Connections over TLS, of which the handshakes under way count as well.

An event loop tells of such a connection when its handshake is over. Until then it costs tens of kilobytes and
belongs to nobody, so a crowd that never gets on with it would have no bound.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final

import structlog

from entrepot.http1.connection import Connection
from entrepot.http1.service import Admission, Service
from entrepot.wire.http import Handler

PAUSE_SECONDS: Final = 0.1
"""Before the next attempt to take a connection when the system had no room for one."""


class Handshake:
    """One that is under way. It has a place of the service's until it is over."""

    def __init__(self, service: Service, task: asyncio.Task[None]) -> None:
        self._task = task
        self._since = time.monotonic()
        service.handshakes.add(self)
        task.add_done_callback(lambda _: service.handshakes.discard(self))

    @property
    def waits_since(self) -> float | None:
        return None if self._task.cancelling() or self._task.done() else self._since

    def make_way(self) -> None:
        self._task.cancel()


class Handshakes:
    """Takes connections from a listening socket. One too many is closed before a word of TLS is said: an
    answer would cost what it is refused for. Each handshake asks for ``tls`` anew, as certificates change.
    """

    def __init__(self, service: Service, handler: Handler, tls: Callable[[], ssl.SSLContext], seconds: float) -> None:
        self._service = service
        self._handler = handler
        self._tls = tls
        self._seconds = seconds
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self, listener: socket.socket) -> None:
        """Take connections until cancelled; handshakes under way end with it. The listener is closed then."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    client, _ = await loop.sock_accept(listener)
                except OSError as error:  # no descriptor or memory left, which others may give back; or the client went
                    structlog.get_logger().warning("accept", error=str(error))
                    await asyncio.sleep(PAUSE_SECONDS)
                    continue
                place = self._service.find_place()
                if place is Admission.NONE:
                    client.close()
                    continue
                task = loop.create_task(self._greet(client, place))
                self._under_way.add(task)
                task.add_done_callback(self._under_way.discard)
                Handshake(self._service, task)
        finally:
            listener.close()
            for task in self._under_way:
                task.cancel()

    async def _greet(self, client: socket.socket, place: Admission) -> None:
        with contextlib.suppress(OSError):  # not TLS, too slow, or gone: nobody is there to be told
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: Connection(self._service, self._handler, place), client, ssl=self._tls(),
                ssl_handshake_timeout=self._seconds,
            )  # fmt: skip
