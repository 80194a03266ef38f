"""A22: crowds that hold connections and send next to nothing on them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.raw import Closed, Wire, ask, head, signed

CONNECTIONS = 128
CROWD = 290
"""As many to one as the 2,300 of the attack that was made were to the places of two workers, and a few more."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    few = {"ENTREPOT_LIMITS__CONNECTIONS": str(CONNECTIONS)}
    with Server(tmp_path / "data", environment=few) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/there", b"what is there").status == 200
        yield server


class Crowd:
    """Clients that begin something and send a byte of it now and then; who is sent away comes again."""

    def __init__(self, server: Server, start: bytes) -> None:
        self._address = (server.host, server.port)
        self._start = start
        self._sockets: list[socket.socket] = []

    def drip(self) -> None:
        self._sockets = [client for client in self._sockets if _sent(client, b"x")]
        while len(self._sockets) < CROWD:
            client = socket.create_connection(self._address, 30)
            self._sockets.append(client)
            _sent(client, self._start)

    def leave(self) -> None:
        for client in self._sockets:
            client.close()


def _sent(client: socket.socket, data: bytes) -> bool:
    try:
        client.sendall(data)
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while client.recv(4096):
                pass
            raise ConnectionResetError
        client.setblocking(True)
    except OSError:
        client.close()
        return False
    return True


def refused(server: Server) -> bytes:
    return head("PUT", "/bucket/refused", [("host", "a"), ("content-length", "1000000")])


def begun(server: Server) -> bytes:
    return b"GET /bucket/there HTTP/1.1\r\nx: "


def silent(server: Server) -> bytes:
    return b""


def is_served(server: Server, data: bytes) -> bool:
    try:
        with Wire(server) as wire:
            wire.send(data)
            return wire.answer().status == 200
    except (Closed, OSError):
        return False


@pytest.mark.parametrize("start", [refused, begun, silent])
def test_a_crowd_that_drips_leaves_everybody_else_served(server: Server, start: Callable[[Server], bytes]) -> None:
    crowd = Crowd(server, start(server))
    served = []
    with Wire(server) as known:
        known.send(signed(server, "GET", "/bucket/there"))
        assert known.answer().status == 200
        try:
            for _ in range(5):
                crowd.drip()
                for _ in range(20):
                    served.append(is_served(server, head("GET", "/health", [("host", "a")])))
                    served.append(is_served(server, signed(server, "GET", "/bucket/there")))
                    known.send(signed(server, "GET", "/bucket/there"))
                    served.append(known.answer().body == b"what is there")
        finally:
            crowd.leave()
    assert served.count(False) <= len(served) / 100
