"""Where small content is better kept: in the catalog, or in a file of its own.

    python -m bench.inline_limit

prints, for each size and both places, durable puts and verified gets a second by sixteen tasks of
one process, the processor time of each, and what a put adds to the disk. It is what the default of
``inline_limit`` was chosen by.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

from entrepot.app import open_core
from entrepot.config import Config
from entrepot.core import Core
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.model import Meta, Principal

KIB: Final = 1024
SIZES: Final = tuple(size * KIB for size in (1, 4, 8, 16, 32, 64, 128, 256))
TASKS: Final = 16
ROOT: Final = Principal("root", root=True)


async def _body(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _timed(act: Callable[[int], Awaitable[object]], count: int) -> tuple[float, float]:
    """Acts a second and microseconds of processor time of each."""
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await act(number)

    begin, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(work() for _ in range(TASKS)))
    return count / (time.perf_counter() - begin), (time.process_time() - busy) / count * 1e6


async def measure(core: Core, data: Path, size: int) -> tuple[float, float, float, float, float]:
    """Puts/s, µs a put, gets/s, µs a get, bytes on disk a put."""
    count = max(300, min(2_000, 32 * KIB * KIB // size))
    bodies = [os.urandom(size) for _ in range(count)]
    before = _usage(data)

    async def put(number: int) -> None:
        intake = Intake(size=size, digests=("md5", "crc64nvme"))
        await core.objects.put(ROOT, "bench", f"{size}/{number}", _body(bodies[number]), Put(Meta(), intake))

    async def get(number: int) -> None:
        opened = await core.objects.open(ROOT, "bench", f"{size}/{number}")
        await opened.read()

    puts, put_cost = await _timed(put, count)
    added = (_usage(data) - before) / count
    gets, get_cost = await _timed(get, count)
    return puts, put_cost, gets, get_cost, added


def _usage(data: Path) -> int:
    """Bytes of disk below a directory."""
    return sum(path.stat().st_blocks * 512 for path in data.rglob("*") if path.is_file())


async def main() -> None:
    """Print the table."""
    print(f"{'size':>8} {'place':8} {'put/s':>8} {'µs/put':>8} {'get/s':>8} {'µs/get':>8} {'disk/size':>10}")
    for size in SIZES:
        for place, limit in (("catalog", 1 << 20), ("file", 0)):
            with tempfile.TemporaryDirectory(dir=Path.cwd()) as directory:
                config = Config(data=Path(directory), inline_limit=limit)
                async with open_core(config) as core:
                    await core.buckets.create(ROOT, "bench")
                    puts, put_cost, gets, get_cost, added = await measure(core, config.data, size)
            print(
                f"{size:>8} {place:8} {puts:>8.0f} {put_cost:>8.0f} {gets:>8.0f} {get_cost:>8.0f} {added / size:>10.2f}"
            )


if __name__ == "__main__":
    asyncio.run(main())
