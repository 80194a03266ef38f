"""A client lost in the middle of a body, in every framing: nothing of it is ever visible."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from entrepot.app import open_core
from entrepot.config import load
from tests.crash.signed import EMPTY, UNSIGNED, Client, sign
from tests.server import ROOT_KEYS, Server

OLD = b"what was there before"
SIZES = {"inline": 3_000, "blob": 300_000, "blobs": 5_000_000}
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
PATHS = ("/bucket/old", "/bucket/new")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Every test of the module leaves it as it was; in the end the catalog and the store agree."""
    with Server(tmp_path_factory.mktemp("broken") / "data", workers=2) as running:
        client = Client(running.endpoint, running.keys)
        assert client.ask("PUT", "/bucket").status == 200
        assert client.ask("PUT", PATHS[0], OLD).status == 200
        client.close()
        yield running
    config = load({"data": str(running.data)}, running.environment).config

    async def look() -> list[str]:
        async with open_core(config) as core:
            await core.upkeep.collect(0)
            assert list(core.objects.content.stores) == ["main"]
            assert [blob async for blob in core.objects.content.stores["main"].list()] == []
            return [str(finding) async for finding in core.upkeep.check(deep=True)]

    assert asyncio.run(look()) == []


def head(server: Server, path: str, headers: dict[str, str], payload: str) -> bytes:
    """The beginning of a signed PUT."""
    host = urlsplit(server.endpoint).netloc
    framing = {
        name: headers.pop(name) for name in ("content-length", "transfer-encoding", "connection") if name in headers
    }
    sent = sign(ROOT_KEYS, "PUT", host, path, {}, headers, payload) | framing
    return f"PUT {path} HTTP/1.1\r\n".encode() + b"".join(f"{k}: {v}\r\n".encode() for k, v in sent.items()) + b"\r\n"


def send(server: Server, data: bytes, *, abort: bool) -> bytes:
    """Send so much and hang up, with a reset if ``abort``; else with an ear open for an answer."""
    return exchange(server, data, abort=abort, hang_up=True)


def exchange(server: Server, data: bytes, *, abort: bool = False, hang_up: bool = False) -> bytes:
    """Send, and hear the server out if it is told to close."""
    with closing(socket.create_connection((server.host, server.port), timeout=20)) as connection:
        connection.sendall(data)
        if abort:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            return b""
        if hang_up:
            connection.shutdown(socket.SHUT_WR)
        return receive(connection)


def receive(connection: socket.socket) -> bytes:
    found = b""
    try:
        while data := connection.recv(65536):
            found += data
    except (TimeoutError, ConnectionError):
        pass
    return found


def unchanged(server: Server) -> None:
    """The object of before is there, the other is not; and the server has had time to do wrong."""
    client = Client(server.endpoint, server.keys)
    for _ in range(2):
        assert client.ask("GET", PATHS[0]).body == OLD
        assert client.ask("GET", PATHS[1]).status == 404
        time.sleep(0.05)
    client.close()


def chunks(data: bytes, step: int = 64 * 1024) -> bytes:
    """HTTP's own chunks, without the last."""
    parts = [data[start : start + step] for start in range(0, len(data), step)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)


@pytest.mark.parametrize("abort", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("part", [0.0, 0.5, 1.0], ids=["none", "half", "all but one"])
def test_content_length(part: float, path: str, size: int, *, abort: bool, server: Server) -> None:
    body = b"x" * min(int(size * part), size - 1)
    start = head(server, path, {"content-length": str(size)}, UNSIGNED)
    assert not send(server, start + body, abort=abort).startswith(b"HTTP/1.1 2")
    unchanged(server)


@pytest.mark.parametrize("abort", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("cut", [0, 2, 5, 100], ids=["last chunk absent", "line end absent", "in the line", "in data"])
def test_chunked(cut: int, path: str, size: int, *, abort: bool, server: Server) -> None:
    """All but the end, which alone says that the body is whole."""
    start = head(server, path, {"transfer-encoding": "chunked"}, UNSIGNED)
    body = chunks(b"x" * size)
    ends = {0: body, 2: body + b"0\r\n", 5: body + b"0"}
    assert not send(server, start + ends.get(cut, body[:-cut]), abort=abort).startswith(b"HTTP/1.1 2")
    unchanged(server)


@pytest.mark.parametrize("bad", [b"xyz\r\nabc\r\n", b"-1\r\n", b"5\nhello\n", b"5\r\nhello!\r\n0\r\n\r\n", b"\r\n\r\n"])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_malformed_chunks(bad: bytes, size: int, server: Server) -> None:
    start = head(server, PATHS[1], {"transfer-encoding": "chunked"}, UNSIGNED)
    got = send(server, start + chunks(b"x" * size) + bad + b"0\r\n\r\n", abort=False)
    assert not got.startswith(b"HTTP/1.1 2")
    unchanged(server)


def aws_chunked(start: bytes, data: bytes, mode: str, step: int = 128 * 1024) -> bytes:
    """A body in AWS's own framing, whole."""
    parts = [data[at : at + step] for at in range(0, len(data), step)] + [b""]
    if mode == TRAILER:
        return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts[:-1]) + b"0\r\n\r\n"
    text = start.decode("latin-1").lower()
    stamp = text.partition("x-amz-date: ")[2].partition("\r\n")[0].upper()
    previous = text.partition("signature=")[2].partition("\r\n")[0]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    key = f"AWS4{ROOT_KEYS.secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    body = b""
    for part in parts:
        lines = ["AWS4-HMAC-SHA256-PAYLOAD", stamp, scope, previous, EMPTY, hashlib.sha256(part).hexdigest()]
        previous = hmac.new(key, "\n".join(lines).encode(), "sha256").hexdigest()
        body += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(part), previous.encode(), part)
    return body


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("mode", [TRAILER, SIGNED])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("cut", [1, 40, 2_000])
def test_aws_chunked_with_the_client_lost(cut: int, size: int, mode: str, framing: str, server: Server) -> None:
    start, inner = framed(server, b"x" * size, mode, framing)
    outer = inner[:-cut] if framing == "length" else chunks(inner[:-cut])
    assert not send(server, start + outer, abort=False).startswith(b"HTTP/1.1 2")
    unchanged(server)


@pytest.mark.parametrize("framing", ["length", "chunked"])
@pytest.mark.parametrize("mode", [TRAILER, SIGNED])
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("cut", [5, 100, 2_000])
def test_aws_chunked_cut_within_a_whole_body(cut: int, size: int, mode: str, framing: str, server: Server) -> None:
    """HTTP says that all has come; the framing inside of it knows better."""
    start, inner = framed(server, b"x" * size, mode, framing, short=cut)
    outer = inner[:-cut] if framing == "length" else chunks(inner[:-cut]) + b"0\r\n\r\n"
    got = exchange(server, start + outer)
    assert got.startswith(b"HTTP/1.1 400"), got
    assert b"<Code>IncompleteBody</Code>" in got
    unchanged(server)


def framed(server: Server, data: bytes, mode: str, framing: str, short: int = 0) -> tuple[bytes, bytes]:
    """The head of a request and its body in AWS's framing, announced as ``short`` bytes less."""
    headers = {"content-encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data))}
    length = len(aws_chunked(head(server, PATHS[1], dict(headers), mode), data, mode)) - short
    outside = {"content-length": str(length)} if framing == "length" else {"transfer-encoding": "chunked"}
    start = head(server, PATHS[1], {**headers, **outside, "connection": "close"}, mode)
    return start, aws_chunked(start, data, mode)


@pytest.mark.parametrize("mode", [TRAILER, SIGNED])
def test_the_same_bodies_whole_are_taken(mode: str, server: Server) -> None:
    """What the tests above cut would have been stored."""
    data = b"y" * 300_000
    start, inner = framed(server, data, mode, "length")
    assert exchange(server, start + inner).startswith(b"HTTP/1.1 200")
    plain = head(server, PATHS[1], {"transfer-encoding": "chunked", "connection": "close"}, UNSIGNED)
    assert exchange(server, plain + chunks(data) + b"0\r\n\r\n").startswith(b"HTTP/1.1 200")
    client = Client(server.endpoint, server.keys)
    assert client.ask("GET", PATHS[1]).body == data
    assert client.ask("DELETE", PATHS[1]).status == 204
    client.close()
