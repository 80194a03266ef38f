"""A22: clients that are slow, many, or gone take no more than their share of the server."""

from __future__ import annotations

import contextlib
import os
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.processes import children, memory, most_memory, open_files
from tests.serving.raw import Wire, ask, head, signed

MIB = 1 << 20
MOST = 300 * MIB


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", environment={"ENTREPOT_LIMITS__STALL_SECONDS": "2"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data") as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.1)


def only_worker(server: Server) -> int:
    (worker,) = children(server.pid)
    return worker


@pytest.mark.parametrize("start", ["", "GET /health HTTP/1.1\r\nhost: a\r\nx: ", "P"])
def test_heads_that_do_not_end_are_given_up(server: Server, start: str) -> None:
    with Wire(server) as wire:
        wire.send(start.encode())
        wire.ended()
    with Wire(server) as wire:  # also behind a whole request
        wire.send(head("GET", "/health", [("host", "a")]) + start.encode())
        assert wire.answer().status == 200
        if start:
            wire.ended()


def test_a_head_that_trickles_is_given_up(server: Server) -> None:
    """Bytes that come one by one do not keep it alive."""
    with Wire(server) as wire, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        wire.send(b"GET /health HTTP/1.1\r\nhost: a\r\nx: ")
        for _ in range(400):
            wire.send(b"y")
            if not wire.silent(0.1):
                break
        else:
            pytest.fail("it was let go on")
    assert ask(server, "GET", "/bucket").status == 200


def test_many_idle_connections_leave_room_for_others(patient: Server) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(Wire(patient)).send(b"GET /health HTTP/1.1\r\n")
        for _ in range(10):
            assert ask(patient, "GET", "/bucket").status == 200


def test_slow_uploads_share_a_bounded_memory(patient: Server) -> None:
    """A hundred and twenty bodies of 5 MiB under way at once are more than the workers may hold."""
    body = os.urandom(5 * MIB)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(patient)) for _ in range(120)]
        for number, wire in enumerate(wires):
            wire.send(signed(patient, "PUT", f"/bucket/{number}", [("content-length", str(len(body)))]))
        for at in range(0, len(body) - MIB, MIB):
            for wire in wires:
                wire.send(body[at : at + MIB])
        for number, wire in enumerate(wires):
            if number % 3:  # each third one vanishes
                wire.send(body[-MIB:])
                assert wire.answer().status == 200
            else:
                wire.reset()
    for number in (0, 1, 2, 119):
        reply = ask(patient, "GET", f"/bucket/{number}")
        assert (reply.status, reply.body == body) == ((200, True) if number % 3 else (404, False))
    assert all(most_memory(worker) < MOST for worker in children(patient.pid))
    assert list((patient.data / "spool").iterdir()) == []


def test_slow_readers_share_a_bounded_memory(lone: Server) -> None:
    """A hundred and fifty readers, each of an object of its own: their blobs are more than a worker may hold, and
    so is what the worker would hold if it gave each of them a body of a MiB at once.
    """
    readers = 150

    def body(number: int) -> bytes:
        return random.Random(number).randbytes(5 * MIB if number % 2 else MIB)

    for number in range(readers):
        assert ask(lone, "PUT", f"/bucket/{number}", body(number)).status == 200
    worker = only_worker(lone)
    before = memory(worker)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(lone, receive_buffer=65_536)) for _ in range(readers)]
        for number, wire in enumerate(wires):
            wire.send(signed(lone, "GET", f"/bucket/{number}"))
        for wire in wires:
            assert wire.socket.recv(12) == b"HTTP/1.1 200"
        time.sleep(3)  # no end of a pause that a reader takes
        # Half of the budget, a slice for each, and the blobs that are being verified.
        assert memory(worker) - before < 48 * MIB + readers * MIB // 4 + 24 * MIB
        for number in range(0, readers, 7):
            wires[number]._came = b"HTTP/1.1 200"
            assert wires[number].answer().body == body(number)
    assert most_memory(worker) < MOST


def test_readers_that_vanish_leave_nothing_open(server: Server) -> None:
    assert ask(server, "PUT", "/bucket/big", os.urandom(MIB) * 24).status == 200
    worker = only_worker(server)
    before = open_files(worker)
    for end in (Wire.reset, Wire.shut):
        for _ in range(30):
            with Wire(server, receive_buffer=65_536) as wire:
                wire.send(signed(server, "GET", "/bucket/big"))
                assert wire.socket.recv(12) == b"HTTP/1.1 200"
                end(wire)
    wait_until("files are closed", lambda: open_files(worker) < before + 10)
    wait_until("every answer has ended", lambda: server.log.read_text().count('"operation":"GetObject"') == 60)


def test_uploads_that_vanish_leave_nothing_open(server: Server) -> None:
    worker = only_worker(server)
    before = open_files(worker)
    for _ in range(40):
        with Wire(server) as wire:
            wire.send(signed(server, "PUT", "/bucket/gone", [("content-length", str(9 * MIB))]) + bytes(5 * MIB))
            wire.reset()
    wait_until("files are closed", lambda: open_files(worker) < before + 10)
    assert list((server.data / "spool").iterdir()) == []
    assert ask(server, "HEAD", "/bucket/gone").status == 404
