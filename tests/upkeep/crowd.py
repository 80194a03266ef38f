"""A process that puts, copies and deletes the same few contents over and over, for the race with the collector."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path

from entrepot.errors import BlobMissing, Busy, ObjectMissing, Superseded
from tests.upkeep.house import BLOB, House, opened

SIZES = (40, 90, BLOB - 1, BLOB, 2 * BLOB + 7, 3 * BLOB + 1)


def content(number: int) -> bytes:
    """The same in every process, so that each meets the others' garbage."""
    return random.Random(number).randbytes(SIZES[number % len(SIZES)])


async def one(house: House, name: str, chance: random.Random, until: float) -> dict[str, bytes]:
    """Ask until the time is over; returns what must be there then."""
    there: dict[str, bytes] = {}
    while time.monotonic() < until:
        key = f"{name}-{chance.randrange(4)}"
        act = chance.randrange(5)
        try:
            if act < 2:
                data = content(chance.randrange(12))
                await house.put(key, data)
                there[key] = data
            elif act == 2 and there:
                source = chance.choice(sorted(there))
                await house.copy(source, key)
                there[key] = there[source]
            elif act == 3:
                await house.delete(key)
                there.pop(key, None)
            elif key in there:
                assert await house.get(key) == there[key], key
        except (Superseded, Busy):  # the collector took it between claim and name: the client tries again
            continue
        await asyncio.sleep(chance.random() * 0.002)
    return there


async def crowd(folder: Path, name: str, seconds: float) -> int:
    until = time.monotonic() + seconds
    async with opened(folder) as house:
        tasks = [one(house, f"{name}{number}", random.Random(f"{name}{number}"), until) for number in range(4)]
        count = 0
        for there in await asyncio.gather(*tasks):
            for key, data in there.items():
                try:
                    assert await house.get(key) == data, key
                except (ObjectMissing, BlobMissing) as error:
                    raise AssertionError(f"{key} is lost") from error
                count += 1
        return count


if __name__ == "__main__":
    print(asyncio.run(crowd(Path(sys.argv[1]), sys.argv[2], float(sys.argv[3]))))  # noqa: T201 - the parent reads it
