"""Servers are started, measured and stopped for good."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from bench.processes import Process, tree

FAMILY = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.{answer})
child = subprocess.Popen([sys.executable, "-c", "import time\\nwhile True: sum(range(10_000))"])
print("ready", flush=True)
time.sleep(600)
"""


def start(tmp_path: Path, answer: str = "SIG_DFL") -> Process:
    process = Process([sys.executable, "-c", FAMILY.format(answer=answer)], tmp_path / "log", {}, tmp_path)
    deadline = time.monotonic() + 30
    while "ready" not in process.last_words() and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


@pytest.mark.parametrize("answer", ["SIG_DFL", "SIG_IGN"])
def test_stop_ends_the_whole_family(tmp_path: Path, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.processes.STOP_SECONDS", 0.5)
    process = start(tmp_path, answer)
    family = tree(process.pid)
    process.stop()

    assert len(family) == 2
    assert [pid for pid in family if alive(pid)] == []


def test_the_childs_work_counts_as_the_servers(tmp_path: Path) -> None:
    process = start(tmp_path)
    try:
        before = process.cpu_seconds()
        deadline = time.monotonic() + 30
        while process.cpu_seconds() - before < 0.2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert process.cpu_seconds() - before >= 0.2
        assert len(process.memory()) == 2
        assert all(each.peak > 1_000_000 for each in process.memory())
    finally:
        process.stop()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
