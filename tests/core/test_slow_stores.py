"""A store that is slow holds up its own puts, and nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.store import Capabilities, Sound
from entrepot.core.budget import Budget
from entrepot.core.content import Intake
from entrepot.model import BlobId, Buffer
from tests.core.services import STORE, open_services, pieces

NINE = 9


class SlowStore(MemoryStore):
    """Keeps a blob when it is let; counts those that wait for that."""

    def __init__(self, concurrency: int) -> None:
        super().__init__("slow")
        self.go = asyncio.Event()
        self.full = asyncio.Event()
        self.waiting = self.most = 0
        self._able = Capabilities(concurrency=concurrency, durable=False)

    @property
    def capabilities(self) -> Capabilities:
        return self._able

    async def put(self, id: BlobId, data: Buffer, sound: Sound) -> bool:
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        if self.waiting == self._able.concurrency:
            self.full.set()
        await self.go.wait()
        self.waiting -= 1
        return await super().put(id, data, sound)


def bodies(count: int, size: int) -> list[bytes]:
    return [bytes([number]) * size for number in range(count)]


@pytest.mark.parametrize("size", [100, 3000], ids=["of one blob", "of several"])
@pytest.mark.parametrize("room", [1 << 30, 1], ids=["in memory", "spooled"])
async def test_uploads_to_a_slow_store_hold_up_no_other(size: int, room: int, tmp_path: Path) -> None:
    slow = SlowStore(4)
    budget = Budget(room, tmp_path)
    async with open_services(blob_size=1000, others={"slow": slow}, budget=budget) as services:

        async def take(store: str, data: bytes) -> bytes:
            return (await services.content.take(store, pieces([data]), Intake(size=size))).place.hash

        held = [asyncio.create_task(take("slow", data)) for data in bodies(NINE, size)]
        await slow.full.wait()
        assert len({await take(STORE, data) for data in bodies(3, size)}) == 3
        assert not any(task.done() for task in held)
        slow.go.set()
        assert len(set(await asyncio.gather(*held))) == NINE
        assert slow.most == 4
    assert budget.used == 0
