"""How the server ends: gracefully, at once, worker by worker, or with its parent."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.processes import children, is_running
from tests.serving.raw import Wire, ask, head, signed

BIG = os.urandom(1 << 20) * 24
"""More than the sockets of both sides hold, so that a download is under way until it is read."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        # One that answers may be ahead of the other, and who ends before it was ready is not replaced.
        wait_until("all take connections", lambda: " listens on " in server.log.read_text())
        yield server


def workers(server: Server) -> list[int]:
    return [pid for pid in children(server.pid) if is_running(pid)]


def wait_until(what: str, condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def refuses(server: Server) -> bool:
    try:
        Wire(server).socket.close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        return False
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_under_way_are_finished(server: Server, number: signal.Signals) -> None:
    assert ask(server, "PUT", "/bucket/big", BIG).status == 200
    with Wire(server) as upload, Wire(server, receive_buffer=65_536) as download, Wire(server) as idle:
        idle.send(head("GET", "/health", [("host", "a")]))
        assert idle.answer().status == 200
        upload.send(signed(server, "PUT", "/bucket/slow", [("content-length", "10")]) + b"01234")
        download.send(signed(server, "GET", "/bucket/big"))
        started = download.socket.recv(1)
        wait_until("the upload has begun", lambda: upload.silent(0.2))
        os.kill(server.pid, number)
        wait_until("new connections are refused", lambda: refuses(server))
        upload.send(b"56789")
        assert upload.answer().status == 200
        download._came = started
        assert download.answer().body == BIG
        assert idle.ended()
    assert server.stop() == 0
    server.start()
    assert ask(server, "GET", "/bucket/slow").body == b"0123456789"


def test_a_signal_to_the_whole_group_is_one_signal(server: Server) -> None:
    """Ctrl-C on a terminal."""
    process = server._running()
    os.killpg(server.pid, signal.SIGINT)
    assert process.wait(60) == 0
    server.kill9()
    server.start()


def test_a_second_signal_ends_everything_at_once(server: Server) -> None:
    process = server._running()
    gone = workers(server)
    with Wire(server) as upload:
        upload.send(signed(server, "PUT", "/bucket/slow", [("content-length", "10")]) + b"01234")
        assert upload.silent(0.2)
        os.kill(server.pid, signal.SIGTERM)
        wait_until("new connections are refused", lambda: refuses(server))
        assert process.poll() is None
        os.kill(server.pid, signal.SIGTERM)
        assert process.wait(30) == 1
        assert upload.ended()
    wait_until("no worker is left", lambda: not any(is_running(worker) for worker in gone))
    server.kill9()
    server.start()
    assert ask(server, "HEAD", "/bucket/slow").status == 404


def test_requests_that_do_not_end_are_ended(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_STOP_SECONDS": "1"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        with Wire(server) as upload:
            upload.send(signed(server, "PUT", "/bucket/slow", [("content-length", "10")]) + b"01234")
            assert upload.silent(0.2)
            server.stop()
            upload.ended()
        server.start()
        assert ask(server, "HEAD", "/bucket/slow").status == 404


def test_a_worker_that_was_killed_is_replaced(server: Server) -> None:
    before = workers(server)
    assert len(before) == 2
    os.kill(before[0], signal.SIGKILL)
    wait_until("there are two again", lambda: len(set(workers(server)) - {before[0]}) == 2)
    for _ in range(40):  # connections meet both of them, and wait for the one that is still starting
        assert ask(server, "GET", "/bucket").status == 200
    assert server.stop() == 0
    server.start()


def test_workers_end_with_their_parent(server: Server) -> None:
    left = workers(server)
    with Wire(server) as wire:
        wire.send(head("GET", "/health", [("host", "a")]))
        assert wire.answer().status == 200
        os.kill(server.pid, signal.SIGKILL)
        wait_until("the workers have ended", lambda: not any(is_running(worker) for worker in left))
    server.kill9()
    server.start()
    assert ask(server, "GET", "/bucket").status == 200
