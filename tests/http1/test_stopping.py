"""What a server that stops waits for, on a loop and sockets of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from entrepot.http1.connection import Connection
from entrepot.http1.server import BoundListener, Server
from entrepot.http1.service import Service
from entrepot.wire.http import Request, Response

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


class Door:
    """A handler that answers when it is let."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()
        self.left = 0

    async def __call__(self, _: Request) -> Response:
        self.entered.set()
        try:
            await self.open.wait()
            await asyncio.sleep(0.05)  # as a transaction that is under way
        finally:
            self.left += 1
        return Response(200, [], b"here")


@asynccontextmanager
async def serving(
    service: Service, door: Door, seconds: float = 30
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None], int]]:
    listener = socket.create_server(("127.0.0.1", 0))
    stop, ready = asyncio.Event(), asyncio.Event()
    taking = [BoundListener(listener, door, None)]
    running = asyncio.create_task(Server(service, stop_seconds=seconds).run(taking, stop, ready.set))
    await ready.wait()
    try:
        yield stop, running, listener.getsockname()[1]
    finally:
        stop.set()
        await running


async def test_a_request_whose_client_has_gone_is_finished_too() -> None:
    """What it works with is closed behind the server."""
    door = Door()
    service = Service()
    async with serving(service, door) as (stop, running, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await door.entered.wait()
        (connection,) = service.connections
        client = writer.get_extra_info("socket")
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset, and not an end
        writer.transport.abort()
        await asyncio.sleep(0.1)
        assert connection.lost
        stop.set()
        await asyncio.sleep(0)
        door.open.set()
        await running
        assert door.left == 1


async def test_a_request_that_does_not_end_has_ended_when_the_server_has() -> None:
    door = Door()
    async with serving(Service(), door, seconds=0.05) as (stop, running, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET)
        await door.entered.wait()
        stop.set()
        await running
        assert door.left == 1
        assert await reader.read() == b""
        writer.close()


async def test_a_connection_that_is_made_while_the_server_stops_does_not_hold_it_up() -> None:
    service = Service()
    service.stopping = True
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.connect_accepted_socket(lambda: Connection(service, Door()), ours)
    await asyncio.wait_for(loop.sock_recv(theirs, 1), 10)
    assert not service.connections
    theirs.close()
