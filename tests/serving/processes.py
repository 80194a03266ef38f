"""What Linux tells of the processes of a started server."""

from __future__ import annotations

from pathlib import Path

PROC = Path("/proc")


def children(pid: int) -> list[int]:
    return [int(child) for child in (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()]


def is_running(pid: int) -> bool:
    """Whether there is such a process, and not only its exit status."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def memory(pid: int) -> int:
    """Bytes of RSS."""
    return _status(pid, "VmRSS")


def most_memory(pid: int) -> int:
    """Bytes of RSS at their highest."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> int:
    status = (PROC / str(pid) / "status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) * 1024


def open_files(pid: int) -> int:
    return len(list((PROC / str(pid) / "fd").iterdir()))
