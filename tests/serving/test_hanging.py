"""A worker that does nothing any more, and what becomes of those who wait for it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.processes import children, is_running
from tests.serving.raw import Closed, Wire, ask, head, signed

HEALTH = head("GET", "/health", [("host", "a")])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2, environment={"ENTREPOT_HANG_SECONDS": "2"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        wait_until("all take connections", lambda: " listens on " in server.log.read_text())
        yield server


def wait_until(what: str, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.05)


def test_who_waits_for_a_worker_that_hangs_is_answered_by_the_next_one(server: Server) -> None:
    """The kernel goes on giving it its share of the connections."""
    hung, well = children(server.pid)
    os.kill(hung, signal.SIGSTOP)
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server)) for _ in range(24)]
        for wire in wires:
            wire.send(HEALTH)
        assert [wire.answer().status for wire in wires] == [200] * 24
    wait_until("it is killed, not waking up", lambda: not is_running(hung))
    assert len(children(server.pid)) == 2
    assert well in children(server.pid)
    assert ask(server, "GET", "/bucket").status == 200
    assert server.log.read_text().count("a worker hangs and is replaced") == 1
    assert server.stop() == 0
    server.start()


def test_a_worker_that_comes_to_itself_finishes_what_it_had_begun(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_HANG_SECONDS": "4"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        wait_until("it takes connections", lambda: " listens on " in server.log.read_text())
        with Wire(server) as upload:
            upload.send(signed(server, "PUT", "/bucket/slow", [("content-length", "10")]) + b"01234")
            assert upload.silent(0.2)
            (hung,) = children(server.pid)
            os.kill(hung, signal.SIGSTOP)
            wait_until("another takes its place", lambda: len(children(server.pid)) == 2)
            os.kill(hung, signal.SIGCONT)
            upload.send(b"56789")
            assert upload.answer().status == 200
        wait_until("it has ended", lambda: not is_running(hung))
        assert ask(server, "GET", "/bucket/slow").body == b"0123456789"


def test_a_server_that_was_stopped_as_a_whole_goes_on(server: Server) -> None:
    """Ctrl-Z, and fg."""
    before = children(server.pid)
    os.killpg(server.pid, signal.SIGSTOP)
    time.sleep(5)
    os.killpg(server.pid, signal.SIGCONT)
    time.sleep(1)
    assert ask(server, "GET", "/bucket").status == 200
    assert children(server.pid) == before


def test_connections_that_wait_for_a_worker_that_ends_are_taken_by_the_next_one(server: Server) -> None:
    first, _ = children(server.pid)
    os.kill(first, signal.SIGSTOP)  # so that some are waiting for it when it ends
    with contextlib.ExitStack() as stack:
        wires = [stack.enter_context(Wire(server)) for _ in range(24)]
        os.kill(first, signal.SIGKILL)
        for wire in wires:
            wire.send(HEALTH)
        assert [wire.answer().status for wire in wires] == [200] * 24


@pytest.mark.parametrize(("number", "why"), [(signal.SIGINT, "SIGINT"), (signal.SIGTERM, "SIGTERM")])
def test_a_stop_says_so(server: Server, number: signal.Signals, why: str) -> None:
    process = server._running()
    os.kill(server.pid, number)
    assert process.wait(60) == 0
    (line,) = [line for line in server.log.read_text().splitlines() if '"stopping"' in line]
    assert f'"why":"{why}"' in line
    server.kill9()
    server.start()


@pytest.mark.parametrize("before", [[], ["nohup"]])
def test_a_terminal_that_hangs_up_ends_the_server_and_a_signal_alone_does_not(
    tmp_path: Path, before: list[str]
) -> None:
    server = Server(tmp_path / "data")
    command = [*before, *server._command()]
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        os.chdir(tmp_path)
        os.execvpe(command[0], command, server.environment)  # noqa: S606 - the child of the fork
    try:
        wait_until("it serves", server._is_healthy)
        os.kill(pid, signal.SIGHUP)
        time.sleep(1)
        assert server._is_healthy()
        os.close(terminal)
        if before:
            time.sleep(2)
            assert server._is_healthy()
            os.kill(pid, signal.SIGTERM)
        wait_until("it has ended", lambda: os.waitpid(pid, os.WNOHANG)[0] == pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    with (
        pytest.raises((ConnectionRefusedError, ConnectionResetError, Closed)),
        socket.create_connection((server.host, server.port)),
    ):
        pass
