"""A client that sends many long requests ahead has them answered one by one, and others in between."""

from __future__ import annotations

import asyncio
import time

from entrepot.http1.connection import Connection
from entrepot.http1.service import Service
from entrepot.wire.http import Handler, Request, Response
from tests.http1.line import Line, until

PAGES = 40
PAGE_SECONDS = 0.02
TURNS = 25
"""Of the loop, that the other client's request takes: one for each slice of a large object, say."""


class Pages:
    """A handler of which each answer takes the loop for a while."""

    def __init__(self) -> None:
        self.answered = 0

    async def __call__(self, _: Request) -> Response:
        time.sleep(PAGE_SECONDS)  # noqa: ASYNC251 - this is what it is about
        self.answered += 1
        return Response(200)


async def turns(_: Request) -> Response:
    for _turn in range(TURNS):
        await asyncio.sleep(0)
    return Response(200)


def opened(handler: Handler) -> tuple[Connection, Line]:
    connection, line = Connection(Service(), handler), Line()
    connection.connection_made(line)
    return connection, line


async def test_pages_sent_ahead_do_not_hold_up_another_connection() -> None:
    pages = Pages()
    heavy, _ = opened(pages)
    light, line = opened(turns)
    heavy.data_received(b"GET /pages HTTP/1.1\r\nhost: a\r\n\r\n" * PAGES)
    light.data_received(b"GET /there HTTP/1.1\r\nhost: a\r\n\r\n")
    await until(lambda: bool(line.sent))
    assert pages.answered < 5
    heavy.connection_lost(None)
    light.connection_lost(None)


async def test_short_requests_sent_ahead_follow_each_other_at_once() -> None:
    connection, line = opened(turns)
    begin = asyncio.get_running_loop().time()
    connection.data_received(b"GET /there HTTP/1.1\r\nhost: a\r\n\r\n" * 50)
    await until(lambda: line.sent.count(b"HTTP/1.1 200") == 50)
    assert asyncio.get_running_loop().time() - begin < 10
    connection.connection_lost(None)


async def test_a_client_that_goes_away_in_a_pause_leaves_nothing() -> None:
    pages = Pages()
    connection, line = opened(pages)
    connection.data_received(b"GET /pages HTTP/1.1\r\nhost: a\r\n\r\n" * 3)
    await until(lambda: bool(line.sent))
    connection.connection_lost(None)
    await asyncio.sleep(3 * PAGE_SECONDS)
    assert pages.answered == 1
