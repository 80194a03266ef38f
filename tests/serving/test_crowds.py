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
from tests.serving.raw import Closed, Wire, ask, head, signed

HEALTH = head("GET", "/health", [("host", "a")])


def test_new_connections_are_refused_before_old_ones(tmp_path: Path) -> None:
    """A crowd of idle connections takes nothing from those that were there."""
    with Server(tmp_path / "data", environment={"ENTREPOT_LIMITS__CONNECTIONS": "16"}) as server:
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(Wire(server)) for _ in range(16)]
            for wire in wires:
                wire.send(HEALTH)
                assert wire.answer().status == 200
            with Wire(server) as more:
                assert more.answer().status == 503
                assert more.ended()
            wires[0].send(HEALTH)
            assert wires[0].answer().status == 200
        assert ask(server, "PUT", "/bucket").status == 200


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


def test_a_handshake_that_is_under_way_counts_as_a_connection(tmp_path: Path) -> None:
    few = {"ENTREPOT_LIMITS__CONNECTIONS": "16"}
    with Server(tmp_path / "data", tls=make_certificate(tmp_path / "tls"), workers=1, environment=few) as server:
        with contextlib.ExitStack() as stack:
            for _ in range(16):  # a hello of TLS that never goes on
                client = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
                client.sendall(b"\x16\x03\x01\x02\x00")
            with socket.create_connection(("127.0.0.1", server.port), 10) as more:
                assert more.recv(1) == b""
        # What is no TLS, or goes away, leaves room.
        for _ in range(40):
            with socket.create_connection(("127.0.0.1", server.port), 10) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    while client.recv(4096):
                        pass
        with Wire(server, ssl.create_default_context(cafile=server.ca)) as wire:
            wire.send(HEALTH)
            assert wire.answer().status == 200
