from __future__ import annotations

import pytest

from entrepot.blobs.kinds import stack
from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.store import BlobStore, digest, receive
from entrepot.errors import StoreFull
from entrepot.model import BlobId
from tests.contracts.blob_store import BlobStoreContract, sample


class Inside:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def plant(self, id: BlobId, data: bytes) -> None:
        self._store._blobs[id] = data

    async def peek(self, id: BlobId) -> bytes | None:
        return self._store._blobs.get(id)

    async def aside(self, id: BlobId) -> list[bytes]:
        return [self._store.quarantine[id]] if id in self._store.quarantine else []


class TestMemoryStore(BlobStoreContract):
    @pytest.fixture
    def memory(self) -> MemoryStore:
        return MemoryStore("memory")

    @pytest.fixture
    def store(self, memory: MemoryStore) -> BlobStore:
        return stack(memory)

    @pytest.fixture
    def backdoor(self, memory: MemoryStore) -> Inside:
        return Inside(memory)


async def test_the_limit_counts_what_is_there() -> None:
    store = stack(MemoryStore("small", limit=1000))
    first = await receive(store, sample(600, 1))
    with pytest.raises(StoreFull, match="small"):
        await receive(store, sample(401, 2))
    second = await receive(store, sample(400, 3))
    assert await store.put(first, sample(600, 1)) is False
    await store.remove([first, digest(b"absent")])
    third = await receive(store, sample(600, 4))
    assert [id async for id in store.list()] == sorted([second, third])


def test_it_says_that_it_forgets() -> None:
    assert MemoryStore("memory").capabilities.durable is False
