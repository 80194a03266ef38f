from __future__ import annotations

from pathlib import Path

import pytest

from entrepot.blobs.disk import DiskStore
from entrepot.blobs.kinds import stack
from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.probe import Space, probe
from entrepot.blobs.store import Capabilities
from entrepot.errors import Unavailable


async def test_the_room_of_a_disk(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs", "disk")
    room = await probe(stack(store))
    assert isinstance(room, Space)
    assert 0 < room.free <= room.total
    assert [id async for id in store.list()] == []
    store.close()


async def test_a_store_without_a_directory() -> None:
    assert await probe(stack(MemoryStore("memory"))) is None


async def test_a_disk_that_went_away(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "blobs", "disk")
    (tmp_path / "blobs").rename(tmp_path / "away")
    with pytest.raises(Unavailable, match="disk"):
        await probe(stack(store))
    store.close()


async def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    class Elsewhere(MemoryStore):
        capabilities = Capabilities(path=tmp_path / "file")

    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="not writable"):
        await probe(stack(Elsewhere("elsewhere")))
    (tmp_path / "file").unlink()
    with pytest.raises(Unavailable, match="No such file"):
        await probe(stack(Elsewhere("elsewhere")))
