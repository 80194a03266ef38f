"""More connections than there may be, and clients that take no answer."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.server import Server, make_certificate
from tests.serving.raw import Closed, Wire, ask, head, presigned, signed

HEALTH = head("GET", "/health", [("host", "a")])


FEW = {"ENTREPOT_LIMITS__CONNECTIONS": "16"}


def is_served(wire: Wire, request: bytes) -> bool:
    try:
        wire.send(request)
        return wire.answer().status == 200
    except (Closed, BrokenPipeError, ConnectionResetError):
        return False


def test_who_has_waited_longest_makes_way(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment=FEW) as server, contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server)) for _ in range(16)]
        for wire in [*wires, *wires[:4]]:  # the first four come last again
            assert is_served(wire, HEALTH)
        more = [stack.enter_context(Wire(server)) for _ in range(4)]
        assert all(is_served(wire, HEALTH) for wire in more)
        assert [number for number, wire in enumerate(wires) if not is_served(wire, HEALTH)] == [4, 5, 6, 7]


@pytest.mark.parametrize("sent", ["", "GET /health HTTP/1.1\r\n", "PUT /bucket/a HTTP/1.1\r\nhost: a\r\n"])
def test_a_crowd_takes_nothing_from_a_client_who_signed(tmp_path: Path, sent: str) -> None:
    with Server(tmp_path / "data", environment=FEW) as server, contextlib.ExitStack() as stack:
        assert ask(server, "PUT", "/bucket").status == 200
        known = stack.enter_context(Wire(server))
        assert is_served(known, signed(server, "GET", "/bucket"))
        slow = stack.enter_context(Wire(server))
        slow.send(signed(server, "PUT", "/bucket/slow", [("content-length", "5")]) + b"he")
        for _ in range(60):
            stack.enter_context(Wire(server)).send(sent.encode())
        assert ask(server, "GET", "/bucket").status == 200
        assert is_served(known, signed(server, "GET", "/bucket"))
        assert is_served(slow, b"llo")


def test_a_presigned_address_is_no_proof(tmp_path: Path) -> None:
    """Who has one may have it from anybody."""
    with Server(tmp_path / "data", environment=FEW) as server, contextlib.ExitStack() as stack:
        assert ask(server, "PUT", "/bucket").status == 200
        wire = stack.enter_context(Wire(server))
        host = f"{server.host}:{server.port}"
        get = head("GET", presigned(server, "GET", "/bucket"), [("host", host)])
        assert is_served(wire, get)
        for _ in range(16):
            assert is_served(stack.enter_context(Wire(server)), HEALTH)
        assert not is_served(wire, get)


def test_places_are_left_for_who_watches(tmp_path: Path) -> None:
    """All others are taken by clients who stay."""
    with Server(tmp_path / "data", environment=FEW) as server, contextlib.ExitStack() as stack:
        assert ask(server, "PUT", "/bucket").status == 200
        for _ in range(16):
            assert is_served(stack.enter_context(Wire(server)), signed(server, "GET", "/bucket"))
        watching = stack.enter_context(Wire(server))
        assert is_served(watching, HEALTH)
        assert is_served(watching, head("GET", "/metrics", [("host", "a")]))
        for _ in range(2):
            with Wire(server) as other:
                other.send(signed(server, "GET", "/bucket"))
                reply = other.answer()
                assert (reply.status, reply.get("connection")) == (503, "close")
        assert is_served(watching, HEALTH)


def test_an_answer_that_nobody_takes_is_given_up(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_LIMITS__STALL_SECONDS": "1"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/big", os.urandom(1 << 20) * 24).status == 200
        with Wire(server, receive_buffer=65_536) as wire:
            wire.send(signed(server, "GET", "/bucket/big"))
            deadline = time.monotonic() + 60
            while '"operation":"GetObject"' not in server.log.read_text():  # it is told once it has ended
                assert time.monotonic() < deadline, "the answer is still under way"
                time.sleep(0.1)
            with pytest.raises(Closed):
                wire.answer()


def test_a_handshake_that_is_under_way_has_a_place(tmp_path: Path) -> None:
    with Server(tmp_path / "data", tls=make_certificate(tmp_path / "tls"), workers=1, environment=FEW) as server:
        trust = ssl.create_default_context(cafile=server.ca)
        with contextlib.ExitStack() as stack:
            clients = []
            for _ in range(16):  # a hello of TLS that never goes on
                clients.append(stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10)))
                clients[-1].sendall(b"\x16\x03\x01\x02\x00")
            time.sleep(0.2)
            assert is_served(stack.enter_context(Wire(server, trust)), HEALTH)
            assert clients[0].recv(1) == b""  # the first one made way
            clients[15].settimeout(0.2)
            with pytest.raises(TimeoutError):
                clients[15].recv(1)
        # What is no TLS, or goes away, leaves room.
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", server.port), 10) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    while client.recv(4096):
                        pass
        with Wire(server, trust) as wire:
            assert is_served(wire, HEALTH)
