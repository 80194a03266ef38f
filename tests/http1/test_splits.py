"""Streams of requests, good and bad, cut anywhere: the answers are those to the stream in one piece."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Sequence

import pytest

from entrepot.asgi import bounded
from entrepot.errors import BodyIncomplete
from entrepot.http1.connection import Connection
from entrepot.http1.service import Service
from entrepot.wire.http import Request, Response
from tests.http1.line import Line, until

HEADER_BYTES = 2048
TIMELY = re.compile(rb"date: [^\r]*\r\n|connection: close\r\n|HTTP/1.1 100 Continue\r\n\r\n")
"""Stands in an answer or not as what follows is late or there already."""

HEADS = [
    b"GET /a?x=%20 HTTP/1.1\r\nhost: a\r\n",
    b"HEAD /stream HTTP/1.1\r\nHost:a \r\n",
    b"GET /stream HTTP/1.1\r\nhost: a\r\nx:\r\ny: \t\r\nz: b  c \t\r\n",
    b"\r\n\r\nPUT /slow HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n",
    b"PUT /unread HTTP/1.1\r\nhost: a\r\n",
    b"PUT /unread HTTP/1.1\r\nhost: a\r\nExpect: 100-Continue \r\n",
    b"POST http://a/whole HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n",
    b"PUT /offer HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAM\r\n",
    b"GET /offer HTTP/1.1\r\nupgrade: websocket\r\nx: y\r\nconnection: Upgrade\r\nhost: a\r\n",
]
LAST_HEADS = [
    b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n",
    b"PUT /old HTTP/1.0\r\n",
    b"GET /stream HTTP/1.0\r\nconnection: keep-alive\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n",
    b"GET /large HTTP/1.1\r\nhost: a\r\nx: " + b"l" * 3000 + b"\r\n",
    b"GET /hostless HTTP/1.1\r\n",
    b"GET /twice HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n",
    b"GET /coded HTTP/1.1\r\nhost: a\r\ntransfer-encoding: gzip, chunked\r\n",
    b"nonsense\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n",
]
MISCHIEF = [b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"0", b"f", b";", b"x: y\r\n", b"0\r\n\r\n", b"\r\n\r\n", b"\xff"]


async def echo(request: Request) -> Response:
    """Tells all that arrived."""
    body = b""
    if request.raw_path != b"/unread":
        try:
            async for data in request.body:
                body += data
                if request.raw_path == b"/slow":
                    await asyncio.sleep(0)
        except BodyIncomplete:
            return Response(400, [], b"cut off behind " + body)
    fields = b"|".join(name + b"=" + value for name, value in request.headers.raw)
    said = b"%b %b %b %b %b" % (request.method.encode(), request.raw_path, request.raw_query, fields, body)
    return Response(200, [], pieces(said) if request.raw_path == b"/stream" else said)


async def pieces(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 7):
        await asyncio.sleep(0)
        yield data[at : at + 7]


async def refusing(request: Request) -> Response:
    return await bounded(echo, HEADER_BYTES)(request)


async def answers(parts: Sequence[bytes], pauses: random.Random) -> tuple[bytes, bool]:
    """What is written to a client that sends parts and an end; whether the connection breaks behind it."""
    service = Service(header_bytes=HEADER_BYTES)
    connection, line = Connection(service, refusing), Line()
    connection.connection_made(line)
    for part in parts:
        await until(lambda: line.reads or line.closed)
        if line.closed:
            break
        connection.data_received(part)
        for _ in range(pauses.choice((0, 0, 1, 5))):
            await asyncio.sleep(0)
    await until(lambda: line.reads or line.closed)
    if not line.closed and not connection.eof_received():
        line.close()
    await until(lambda: line.closed)
    connection.connection_lost(None)
    await until(lambda: not service.connections)
    return TIMELY.sub(b"", line.sent), line.aborted


def stream(choice: random.Random) -> bytes:
    """Some requests, the last of which may be one that ends the connection, and sometimes mischief."""
    requests = [message(choice, choice.choice(HEADS)) for _ in range(choice.randint(0, 4))]
    if choice.random() < 0.5:
        requests.append(message(choice, choice.choice(LAST_HEADS)))
        requests.append(message(choice, choice.choice(HEADS + LAST_HEADS)))
    data = b"".join(requests)
    if b"/large" in data:  # with a second fault in it either may be found first
        return data
    for _ in range(choice.choice((0, 0, 0, 1, 2))):
        at = choice.randrange(len(data) + 1)
        data = data[:at] + choice.choice([*MISCHIEF, b""]) + data[at + choice.randint(0, 2) :]
    return data if choice.random() < 0.8 else data[: choice.randrange(len(data) + 1)]


def message(choice: random.Random, start: bytes) -> bytes:
    body = choice.choice((b"hello", b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n", choice.randbytes(40), b"b" * 2500))
    if choice.random() < 0.5:
        return start + b"\r\n"
    if choice.random() < 0.5:
        return start + b"Content-Length: %d\r\n\r\n" % len(body) + body
    cut = choice.randrange(1, len(body))
    extension = choice.choice((b"", b"", b";a=b", b';a="b;c"'))
    chunks = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in (body[:cut], body[cut:])]
    trailer = choice.choice((b"", b"", b"x-late: yes\r\nhost: b\r\n", b"connection: close\r\n", b"upgrade: x\r\n"))
    return start + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"


def split(data: bytes, choice: random.Random) -> list[bytes]:
    cuts = sorted(choice.randrange(len(data) + 1) for _ in range(choice.randint(1, 12)))
    parts = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    return [part for part in parts if part]


async def compare(seeds: range) -> None:
    for seed in seeds:
        choice = random.Random(seed)
        data = stream(choice)
        expected = await answers([data] if data else [], choice)
        single = [data[at : at + 1] for at in range(len(data))]
        for parts in (single, *(split(data, choice) for _ in range(6))):
            found = await answers(parts, choice)
            assert found == expected, f"seed {seed}, in {len(parts)} parts: {data!r}"


def test_where_a_stream_is_cut_changes_no_answer() -> None:
    asyncio.run(compare(range(300)))


@pytest.mark.parametrize("cut", [1, 2, 3])
async def test_a_head_that_ends_with_the_first_bytes_of_a_large_body_is_not_large(cut: int) -> None:
    head, body = b"PUT /whole HTTP/1.1\r\nhost: a\r\ncontent-length: 3000\r\n\r\n", b"b" * 3000
    found, _ = await answers([head[:-cut], head[-cut:] + body], random.Random(0))
    assert found.startswith(b"HTTP/1.1 200 OK\r\n")
    assert found.endswith(body)


async def test_a_large_head_behind_the_end_of_another_is_refused() -> None:
    head = b"GET /whole HTTP/1.1\r\nhost: a\r\n\r\n"
    large = b"GET /large HTTP/1.1\r\nhost: a\r\nx: " + b"l" * 3000
    found, _ = await answers([head[:-2], head[-2:] + large, b"l" * 10, b"l" * 3000], random.Random(0))
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"200", b"431"]
