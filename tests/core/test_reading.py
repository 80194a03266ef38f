"""Content on its way out: what readers hold of memory, and that it is given back."""

from __future__ import annotations

import asyncio
import gc
import random
import weakref
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.store import Found, Sound
from entrepot.core.budget import Budget
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.core.reading import AT_ONCE, PART, SLICE, TAIL
from entrepot.errors import BlobCorrupt, BlobMissing
from entrepot.model import BlobId, Buffer, Meta, Span
from tests.core.services import ROOT, STORE, Services, joined, open_services, pieces

BLOB = 1 << 20
READERS = 40


class Lent(bytearray):
    """Bytes that can be watched."""


class LendingStore(MemoryStore):
    """Gives out copies, as a store does that has its blobs elsewhere. ``asked`` is how long each was, ``held`` what
    is still in use of them.
    """

    def __init__(self) -> None:
        super().__init__(STORE)
        self.asked: list[int] = []
        self._lent: list[weakref.ref[Lent]] = []

    async def read(self, id: BlobId, span: Span | None, sound: Sound, stamp: Hashable | None = None) -> Found:
        found = await super().read(id, span, sound)
        lent = Lent(found.cut(span))
        self.asked.append(len(lent))
        self._lent.append(weakref.ref(lent))
        await asyncio.sleep(0)
        return Found(memoryview(lent), 0 if span is None else span.start, found.size)

    @property
    def held(self) -> int:
        return sum(len(lent) for lent in (each() for each in self._lent) if lent is not None)


@dataclass(frozen=True, slots=True)
class Library:
    """Objects with blobs of their own: ``whole`` is all their content, ``budget`` for all readers and writers."""

    services: Services
    store: LendingStore
    budget: Budget

    async def put(self, key: str, size: int) -> bytes:
        data = random.Random(key).randbytes(size)
        await self.services.objects.put(ROOT, "bucket", key, pieces([data]), Put(Meta(), Intake()))
        return data

    async def read(self, key: str, span: Span | None = None) -> Buffer | AsyncIterator[Buffer]:
        opened = await self.services.objects.open(ROOT, "bucket", key)
        return await opened.read(span)

    async def stream(self, key: str) -> AsyncIterator[Buffer]:
        body = await self.read(key)
        assert not isinstance(body, bytes | bytearray | memoryview)
        return body

    async def copy(self, key: str, to: list[bytes]) -> None:
        async for part in await self.stream(key):
            to.append(bytes(part))  # noqa: PERF401 - what came before an error counts


@pytest.fixture(params=[0, 3 * BLOB, 200 * BLOB], ids=["no room", "little room", "room"])
def budget(request: pytest.FixtureRequest) -> Budget:
    limit: int = request.param
    return Budget(limit, None)


@asynccontextmanager
async def library(budget: Budget) -> AsyncIterator[Library]:
    store = LendingStore()
    async with open_services(blob_size=BLOB, store=store, budget=budget) as services:
        await services.buckets.create(ROOT, "bucket")
        yield Library(services, store, budget)


def test_what_is_read_is_what_was_put(budget: Budget) -> None:
    async def story() -> None:
        async with library(budget) as house:
            data = await house.put("key", 3 * BLOB + 17)
            small = await house.put("small", AT_ONCE)
            one = await house.put("one", AT_ONCE + 1)
            assert await house.read("small") == small
            assert await joined(await house.stream("one")) == one
            edges = [0, 1, SLICE, BLOB - 1, BLOB, BLOB + 1, 2 * BLOB - SLICE, 3 * BLOB, 3 * BLOB + 17]
            for start in edges:
                for end in (edge for edge in edges if edge >= start):
                    assert await joined(await house.read("key", Span(start, end))) == data[start:end]
            assert budget.used == 0

    asyncio.run(story())


def test_readers_that_wait_hold_little(budget: Budget) -> None:
    async def story() -> None:
        async with library(budget) as house:
            datas = [await house.put(f"{number}", 2 * BLOB) for number in range(READERS)]
            gc.collect()
            streams = [await house.stream(f"{number}") for number in range(READERS)]
            assert house.store.held <= budget.limit // 2 + READERS * SLICE
            begun = [bytes(await anext(stream)) for stream in streams]
            for _ in range(20):
                await asyncio.sleep(0)  # what is read ahead arrives
            assert house.store.held <= budget.limit // 2 + READERS * SLICE
            assert budget.used <= budget.limit // 2
            for data, begin, stream in zip(datas, begun, streams, strict=True):
                assert begin + await joined(stream) == data
            assert (budget.used, house.store.held) == (0, 0)

    asyncio.run(story())


def test_the_last_of_a_blob_does_not_keep_it() -> None:
    """A transport may have it still, when the blob after it is on its way."""

    async def story() -> None:
        async with library(Budget(200 * BLOB, None)) as house:
            await house.put("key", 3 * BLOB)
            stream, taken = await house.stream("key"), 0
            while taken < BLOB:
                last = await anext(stream)
                taken += len(last)
            assert len(last) <= TAIL
            assert len(await anext(stream)) == PART
            for _ in range(20):
                await asyncio.sleep(0)
            assert house.store.held == 2 * BLOB
            await stream.aclose()  # type: ignore[attr-defined]  # it is a generator

    asyncio.run(story())


def test_one_reader_finds_room_for_each_blob_though_not_for_the_next() -> None:
    async def story() -> None:
        async with library(Budget(3 * BLOB, None)) as house:
            await house.put("key", 3 * BLOB)
            async for _ in await house.stream("key"):
                await asyncio.sleep(0)
            assert house.store.asked == [BLOB] * 3

    asyncio.run(story())


@pytest.mark.parametrize("taken", [0, 1, 2])
def test_a_reader_that_leaves_gives_everything_back(budget: Budget, taken: int) -> None:
    async def story() -> None:
        async with library(budget) as house:
            await house.put("key", 3 * BLOB)
            closed = await house.stream("key")
            for _ in range(taken):
                await anext(closed)
            await closed.aclose()  # type: ignore[attr-defined]  # it is a generator
            assert (budget.used, house.store.held) == (0, 0)
            dropped = await house.stream("key")
            for _ in range(taken):
                await anext(dropped)
            del dropped
            for _ in range(20):
                await asyncio.sleep(0)
            assert (budget.used, house.store.held) == (0, 0)

    asyncio.run(story())


def test_a_reader_that_is_cancelled_gives_everything_back(budget: Budget) -> None:
    async def story() -> None:
        async with library(budget) as house:
            await house.put("key", 3 * BLOB)
            for steps in range(1, 40):
                task = asyncio.create_task(house.copy("key", []))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                del task
                for _ in range(20):
                    await asyncio.sleep(0)
                assert (budget.used, house.store.held) == (0, 0)

    asyncio.run(story())


def test_nothing_of_a_bad_blob_is_served(budget: Budget) -> None:
    async def story() -> None:
        async with library(budget) as house:
            data = await house.put("key", 3 * BLOB)
            opened = await house.services.objects.open(ROOT, "bucket", "key")
            assert opened.version.bytes.manifest is not None
            for number in (2, 0):
                blobs = house.store._blobs
                [bad] = [id for id, blob in blobs.items() if blob == data[number * BLOB : (number + 1) * BLOB]]
                blobs[bad] = blobs[bad][:-1] + bytes([blobs[bad][-1] ^ 1])
                got: list[bytes] = []
                with pytest.raises(BlobCorrupt):
                    await house.copy("key", got)
                assert b"".join(got) == data[: number * BLOB]
            with pytest.raises(BlobMissing):
                await house.stream("key")
            assert budget.used == 0

    asyncio.run(story())
