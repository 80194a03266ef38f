"""wrk as the load generator for small requests: the same pre-signed targets, read from a file, for every server."""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.servers.running import find_program

_SCRIPT = Path(__file__).with_name("wrk.lua")
_TIMEOUT = "30s"
_SALT = 6
_STAMP = _SALT + 1 + 9
"""Bytes of a body that the script makes: salt, thread, serial number."""
_RESULT = re.compile(r"^RESULT (.*)$", re.MULTILINE)


class WrkFailed(Exception):
    """wrk did not report a result; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Load:
    """One run's outcome. ``lost`` counts refused, broken and timed-out connections."""

    requests: int
    seconds: float
    received: int
    p50_ms: float
    p99_ms: float
    bad_status: int
    lost: int
    generator_cores: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def missing() -> str | None:
    return None if find_program("wrk") else "wrk is not on PATH (Debian and Ubuntu: package wrk)"


def threads_for(connections: int) -> int:
    """One generator thread keeps up with every server on two cores; more of them only take the server's time."""
    cores = os.cpu_count() or 1
    return max(1, min(connections, cores // 2))


class Generator:
    """Runs wrk against one host with targets written to files in ``directory``."""

    def __init__(self, port: int, directory: Path) -> None:
        self._host = f"127.0.0.1:{port}"
        self._directory = directory

    def get(self, targets: Sequence[str], connections: int, seconds: int) -> Load:
        return self._run("GET", targets, connections, seconds, ())

    def put(self, targets: Sequence[str], size: int, connections: int, seconds: int) -> Load:
        """Bodies of ``size`` random bytes, no two alike."""
        tail = self._directory / "tail"
        tail.write_bytes(secrets.token_bytes(size - _STAMP))
        return self._run("PUT", targets, connections, seconds, (str(tail), secrets.token_hex(_SALT // 2)))

    def _run(self, method: str, targets: Sequence[str], connections: int, duration: int, body: Sequence[str]) -> Load:
        listed = self._directory / "targets"
        listed.write_text("\n".join(targets) + "\n")
        threads = threads_for(connections)
        command = (
            *("wrk", f"-t{threads}", f"-c{connections}", f"-d{duration}s", "--timeout", _TIMEOUT),
            *("-s", str(_SCRIPT), f"http://{self._host}", "--"),
            *(method, self._host, str(listed), str(threads), *body),
        )
        before = os.times()
        with _child(command) as child:
            said, complaint = child.communicate()
        after = os.times()
        spent = after.children_user + after.children_system - before.children_user - before.children_system
        return parse(said, complaint, spent)


@contextmanager
def _child(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """wrk, ended with the block even when that is left by Ctrl-C."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            child.wait()


def parse(said: str, complaint: str, cpu_seconds: float) -> Load:
    """Read the script's summary line. Raises WrkFailed when there is none."""
    found = _RESULT.search(said)
    if found is None:
        raise WrkFailed((said + complaint).strip()[-500:])
    fields = {name: int(value) for name, value in (pair.split("=") for pair in found[1].split())}
    seconds = fields["microseconds"] / 1e6
    return Load(
        requests=fields["requests"],
        seconds=seconds,
        received=fields["bytes"],
        p50_ms=fields["p50"] / 1e3,
        p99_ms=fields["p99"] / 1e3,
        bad_status=fields["status"],
        lost=fields["lost"],
        generator_cores=cpu_seconds / seconds,
    )
