"""One connection and what is sent on it: order, refusals, ends."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.raw import Closed, Wire, ask, head, signed

BIG = os.urandom(1 << 20) * 24
"""More than the sockets of both sides hold."""

HEALTH = head("GET", "/health", [("host", "a")])


@pytest.mark.parametrize("sent", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000])
def test_what_is_refused_before_it_is_a_request_has_an_id_and_a_line_in_the_log(tmp_path: Path, sent: bytes) -> None:
    with Server(tmp_path / "data") as server, Wire(server) as wire:
        wire.send(sent)
        refused = wire.answer()
        assert refused.get("connection") == "close"
        assert wire.ended()
        server.stop()
        lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
        server.start()
    (line,) = [line for line in lines if line.get("id") == refused.get("x-request-id")]
    assert (line["status"], line["client"]) == (refused.status, "127.0.0.1")
    assert refused.status in (400, 431)


def test_a_refusal_comes_behind_the_answers_before_it(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(signed(server, "GET", "/bucket/there") + HEALTH + b"nonsense\r\n\r\n" + HEALTH)
        assert [wire.answer().status for _ in range(3)] == [200, 200, 400]
        assert wire.ended()


def test_a_client_that_sends_no_more_is_answered(server: Server) -> None:
    """It says so by closing its half, as netcat does."""
    assert ask(server, "PUT", "/bucket/big", BIG).status == 200
    with Wire(server) as wire:
        wire.send(signed(server, "GET", "/bucket/big") + HEALTH)
        wire.shut()
        assert wire.answer().body == BIG
        assert wire.answer().status == 200
        assert wire.ended()


def test_requests_are_not_piled_up_without_bound(server: Server) -> None:
    """Those that were taken are answered, in order; then the connection ends."""
    with Wire(server) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(signed(server, "GET", "/bucket/there") + HEALTH * 3000)
        assert wire.answer().body == b"what is there"
        statuses = []
        with contextlib.suppress(Closed):
            while True:
                statuses.append(wire.answer().status)
    assert set(statuses) <= {200, 503}
    assert statuses.count(503) <= 1
    assert ask(server, "GET", "/bucket/there").status == 200


def test_two_hundred_requests_in_a_row(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(HEALTH * 200)
        assert [wire.answer().status for _ in range(200)] == [200] * 200


def test_a_target_of_another_host_is_refused(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(head("GET", "http://evil.example/health", [("host", "a")]))
        assert wire.answer().status == 400
    with Wire(server) as wire:
        wire.send(head("GET", "http://a/health", [("host", "a")]))
        assert wire.answer().status == 200


@pytest.mark.parametrize("target", ["*", "health", "ftp://a/health", "http://", "http://a?x", "/\xe4"])
def test_targets_of_other_forms(server: Server, target: str) -> None:
    with Wire(server) as wire:
        wire.send(head("GET", target, [("host", "a")]))
        assert wire.answer().status == 400
        assert wire.ended()


def test_half_a_request_behind_a_long_answer_ends_nothing_early(server: Server) -> None:
    """The clock of a head runs while nothing else is under way; the server of this test has 3 seconds."""
    assert ask(server, "PUT", "/bucket/big", BIG).status == 200
    with Wire(server, receive_buffer=65_536) as wire:
        wire.send(signed(server, "GET", "/bucket/big") + HEALTH[:-2])
        begin, came = time.monotonic(), b""
        while time.monotonic() - begin < 5:
            came += wire.socket.recv(65_536)
            time.sleep(0.05)
        wire._came = came
        assert wire.answer().body == BIG
        wire.send(HEALTH[-2:])
        assert wire.answer().status == 200


def test_expect_of_an_old_client_is_passed_over(server: Server) -> None:
    """RFC 9110 §10.1.1: HTTP/1.0 has no interim answers."""
    fields = [("content-length", "5")]
    start = signed(server, "PUT", "/bucket/old", fields, extra=[("expect", "100-continue")], version="1.0")
    with Wire(server) as wire:
        wire.send(start)
        assert wire.silent(0.3)
        wire.send(b"hello")
        assert wire.interim().status == 200
