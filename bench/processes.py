"""Server processes: started in a session of their own, measured through ``/proc``, stopped by their ids."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 4.0


def free_ports(count: int) -> list[int]:
    """Loopback ports that were free a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _stat(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The command name may hold blanks and brackets; the fields start after its last bracket.
    return text[text.rindex(")") + 2 :].split()


def tree(root: int) -> list[int]:
    """``root`` and all its living descendants."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        fields = _stat(int(entry.name))
        if fields is not None and fields[0] != "Z":
            parents[int(entry.name)] = int(fields[1])
    found = [root] if root in parents else []
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


@dataclass(frozen=True, slots=True)
class Memory:
    """Peak resident memory of one process, bytes."""

    pid: int
    peak: int


class Process:
    """A server, its descendants included."""

    def __init__(self, command: Sequence[str], log: Path, environment: Mapping[str, str], directory: Path) -> None:
        self.log = log
        with log.open("wb") as sink:
            # A session of its own: Ctrl-C reaches this program alone, which then stops the servers in order.
            self._child = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **environment},
                cwd=directory,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def cpu_seconds(self) -> float:
        """User and system time of the tree so far, ended and reaped descendants included."""
        ticks = 0
        for pid in tree(self.pid):
            fields = _stat(pid)
            if fields is not None:
                ticks += sum(int(field) for field in fields[11:15])
        return ticks / TICKS

    def reset_peaks(self) -> None:
        """Start the peaks of resident memory anew; where the kernel refuses, peaks count from the start."""
        for pid in tree(self.pid):
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def memory(self) -> list[Memory]:
        """Every process of the tree, the largest first."""
        found: list[Memory] = []
        for pid in tree(self.pid):
            with suppress(FileNotFoundError, ProcessLookupError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                sizes = {name: int(rest.split()[0]) * 1024 for name, rest in _sizes(lines)}
                found.append(Memory(pid, sizes.get("VmHWM", 0)))
        return sorted(found, key=lambda each: each.peak, reverse=True)

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-2_000:]

    def stop(self) -> None:
        """Ask the server to end, then end whatever is left of its tree."""
        family = tree(self.pid)
        if self.running:
            self._child.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(STOP_SECONDS)
        family += [pid for pid in tree(self.pid) if pid not in family]
        for pid in family:
            if _session(pid) == self.pid:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._child.wait()
        deadline = time.monotonic() + STOP_SECONDS
        while time.monotonic() < deadline and any(_session(pid) == self.pid for pid in family):
            time.sleep(0.02)


def _session(pid: int) -> int | None:
    """The session of a process: a recycled process id does not bear ours."""
    fields = _stat(pid)
    return int(fields[3]) if fields is not None and fields[0] != "Z" else None


def _sizes(lines: Sequence[str]) -> list[tuple[str, str]]:
    pairs = (line.split(":", 1) for line in lines if line.endswith("kB"))
    return [(name, rest) for name, rest in pairs]
