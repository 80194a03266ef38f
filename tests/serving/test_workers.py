"""What workers and their supervisor take from where they are started."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from pathlib import Path

from tests.server import Server
from tests.serving.processes import PROC, children
from tests.serving.raw import ask


def test_a_worker_may_open_as_many_files_as_the_system_lets_it(tmp_path: Path) -> None:
    """The soft limit of a shell is often no more than the connections alone may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = Server(tmp_path / "data")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
    try:
        server.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with server:
        (worker,) = children(server.pid)
        (line,) = [
            line
            for line in (PROC / str(worker) / "limits").read_text().splitlines()
            if line.startswith("Max open files")
        ]
        assert line.split()[3:5] == [str(hard), str(hard)]


def test_a_server_whose_greeting_nobody_reads_serves(tmp_path: Path) -> None:
    server = Server(tmp_path / "data")
    ours, theirs = os.pipe()
    os.close(ours)
    process = subprocess.Popen(server._command(), stdout=theirs, stderr=subprocess.DEVNULL, env=server.environment)
    os.close(theirs)
    try:
        deadline = time.monotonic() + 60
        while not server._is_healthy():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert ask(server, "PUT", "/bucket").status == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()


def test_a_worker_that_ends_while_it_starts_takes_no_other_with_it(tmp_path: Path) -> None:
    """The system may be short of memory for a moment."""
    with Server(tmp_path / "data", workers=2) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        await_greeting(server)
        first, kept = children(server.pid)
        os.kill(first, signal.SIGKILL)
        second = wait_for_another(server, {first, kept})
        os.kill(second, signal.SIGKILL)
        third = wait_for_another(server, {first, kept, second})
        assert sorted(children(server.pid)) == sorted([kept, third])
        assert ask(server, "GET", "/bucket").status == 200
        assert server.stop() == 0
        server.start()


def await_greeting(server: Server) -> None:
    """One worker is enough to be healthy. Before all of them are, the server gives up when it loses one."""
    deadline = time.monotonic() + 60
    while b"listens on" not in server.log.read_bytes():
        assert time.monotonic() < deadline, server.log_tail()
        time.sleep(0.01)


def wait_for_another(server: Server, known: set[int]) -> int:
    deadline = time.monotonic() + 60
    while not (found := set(children(server.pid)) - known):
        assert time.monotonic() < deadline, server.log_tail()
        time.sleep(0.001)
    return found.pop()
