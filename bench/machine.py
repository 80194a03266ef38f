"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from statistics import mean

_SYNCS = 200


def facts(scratch: Path) -> dict[str, str]:
    """Machine, system, disk and present load, in words."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "disk": f"{_filesystem(scratch)}, fdatasync of 4 KiB takes {_sync_microseconds(scratch):.0f} µs (mean)",
        "load": f"{os.getloadavg()[0]:.1f} before the first round",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _filesystem(scratch: Path) -> str:
    """The type of the file system that holds ``scratch``: the longest mount point above it."""
    path, found = str(scratch.resolve()), ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split()
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(found[0]):
            found = (point, kind)
    return found[1]


def _sync_microseconds(scratch: Path) -> float:
    probe = scratch / "sync-probe"
    block = os.urandom(4096)
    taken: list[float] = []
    with probe.open("wb", buffering=0) as file:
        for _ in range(_SYNCS):
            begin = time.perf_counter()
            file.write(block)
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begin) * 1e6)
    probe.unlink()
    return mean(taken)
