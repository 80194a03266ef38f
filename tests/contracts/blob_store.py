"""What every blob store does, whatever it is made of.

A subclass gives two fixtures: ``store``, and ``backdoor``, which reaches the stored bytes without
the store.
"""

from __future__ import annotations

import asyncio
import random
from typing import Protocol

import pytest

from entrepot.blobs.store import BlobStore, digest, receive
from entrepot.errors import BlobCorrupt, BlobMissing, RangeInvalid, TooLarge
from entrepot.model import BlobId, Buffer, Span


class Backdoor(Protocol):
    async def plant(self, id: BlobId, data: bytes) -> None:
        """Make ``data`` what is stored under ``id``, in the place of whatever is."""
        ...

    async def peek(self, id: BlobId) -> bytes | None:
        """What is stored under ``id``, damaged or not."""
        ...

    async def aside(self, id: BlobId) -> list[bytes]:
        """What was set aside as a damaged ``id``."""
        ...


def sample(size: int, seed: int = 0) -> bytes:
    return random.Random(seed).randbytes(size)


def damaged(data: bytes) -> dict[str, bytes]:
    return {
        "one bit": bytes([data[0] ^ 1]) + data[1:],
        "last bit": data[:-1] + bytes([data[-1] ^ 128]),
        "cut short": data[:-1],
        "one byte more": data + b"\0",
        "nothing": b"",
        "zeros": bytes(len(data)),
        "another blob": sample(len(data), 99),
    }


DAMAGES = list(damaged(b"12"))


async def listed(store: BlobStore, after: BlobId | None = None) -> list[BlobId]:
    return [id async for id in store.list(after)]


async def fill(store: BlobStore, count: int, seed: int = 1) -> list[BlobId]:
    """Put ``count`` small blobs; their ids in ascending order."""
    blobs = [b"%d/%d" % (seed, number) for number in range(count)]
    return sorted(await asyncio.gather(*(receive(store, data) for data in blobs)))


class BlobStoreContract:
    @pytest.fixture
    def store(self) -> BlobStore:
        raise NotImplementedError

    @pytest.fixture
    def backdoor(self) -> Backdoor:
        raise NotImplementedError

    # put

    async def test_what_is_put_is_there(self, store: BlobStore, backdoor: Backdoor) -> None:
        data = sample(100_000)
        id = digest(data)
        assert await store.put(id, data) is True
        assert bytes(await store.get(id)) == data
        assert await store.stat([id]) == {id: 100_000}
        assert await listed(store) == [id]
        assert await backdoor.peek(id) == data

    async def test_a_second_put_changes_nothing(self, store: BlobStore, backdoor: Backdoor) -> None:
        data = sample(10_000)
        id = digest(data)
        assert await store.put(id, data) is True
        assert await store.put(id, data) is False
        assert await store.put(id, bytearray(data)) is False
        assert await listed(store) == [id]
        assert await backdoor.peek(id) == data
        assert await backdoor.aside(id) == []

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
    async def test_any_buffer_is_taken_and_copied(self, store: BlobStore, kind: type[bytes | bytearray]) -> None:
        data = bytearray(sample(50_000))
        before = bytes(data)
        buffer: Buffer = kind(data)
        id = await receive(store, buffer)
        data[:] = bytes(len(data))
        assert bytes(await store.get(id)) == before

    async def test_a_slice_of_a_larger_buffer(self, store: BlobStore) -> None:
        whole = sample(50_000)
        id = await receive(store, memoryview(whole)[1234:41_234])
        assert id == digest(whole[1234:41_234])
        assert bytes(await store.get(id)) == whole[1234:41_234]

    async def test_the_blob_of_no_bytes(self, store: BlobStore) -> None:
        if not store.capabilities.empty:
            pytest.skip("the store says that it keeps no empty blob")
        id = await receive(store, b"")
        assert await store.put(id, b"") is False
        assert bytes(await store.get(id)) == b""
        assert bytes(await store.get(id, Span(0, 0))) == b""
        assert await store.stat([id]) == {id: 0}
        with pytest.raises(RangeInvalid):
            await store.get(id, Span(0, 1))

    async def test_the_largest_blob_and_one_byte_more(self, store: BlobStore) -> None:
        limit = store.capabilities.max_blob
        with pytest.raises(TooLarge) as refused:
            await receive(store, bytes(limit + 1))
        assert (refused.value.size, refused.value.limit) == (limit + 1, limit)
        assert await listed(store) == []
        id = await receive(store, bytes(limit))
        assert await store.stat([id]) == {id: limit}
        assert len(await store.get(id)) == limit

    async def test_many_puts_of_one_blob_at_once(self, store: BlobStore, backdoor: Backdoor) -> None:
        data = sample(300_000)
        id = digest(data)
        results = await asyncio.gather(*(store.put(id, data) for _ in range(24)))
        assert sorted(results) == [False] * 23 + [True]
        assert await backdoor.peek(id) == data
        assert await listed(store) == [id]

    async def test_many_puts_of_many_blobs_at_once(self, store: BlobStore) -> None:
        blobs = [sample(2000 + seed, seed) for seed in range(40)]
        ids = await asyncio.gather(*(receive(store, data) for data in blobs * 3))
        assert ids == [digest(data) for data in blobs] * 3
        found = await asyncio.gather(*(store.get(id) for id in ids))
        assert [bytes(data) for data in found] == blobs * 3

    # get

    async def test_every_kind_of_span(self, store: BlobStore) -> None:
        size = 70_001
        data = sample(size)
        id = await receive(store, data)
        edges = [0, 1, 2, 4095, 4096, 65_536, size - 1, size]
        spans = [(start, end) for start in edges for end in edges if start <= end]
        for start, end in random.Random(3).sample(spans, len(spans)):
            assert bytes(await store.get(id, Span(start, end))) == data[start:end]

    async def test_spans_asked_for_at_once(self, store: BlobStore) -> None:
        data = sample(200_000)
        id = await receive(store, data)
        spans = [Span(start, start + 5000) for start in range(0, 195_000, 5000)]
        parts = await asyncio.gather(*(store.get(id, span) for span in spans))
        assert b"".join(parts) == data[:195_000]

    async def test_a_span_outside_of_the_blob(self, store: BlobStore) -> None:
        id = await receive(store, sample(100))
        for _ in range(3):
            for span in (Span(0, 101), Span(100, 101), Span(101, 101), Span(-1, 5), Span(7, 6)):
                with pytest.raises(RangeInvalid) as refused:
                    await store.get(id, span)
                assert refused.value.size == 100
            assert len(await store.get(id, Span(0, 100))) == 100

    async def test_what_is_not_there(self, store: BlobStore) -> None:
        absent = digest(b"absent")
        [there] = await fill(store, 1)
        with pytest.raises(BlobMissing) as missing:
            await store.get(absent)
        assert missing.value.name == absent.hex()
        with pytest.raises(BlobMissing):
            await store.get(absent, Span(0, 1))
        assert await store.stat([absent]) == {}
        assert await store.stat([absent, there]) == {there: 3}
        assert await store.stat([]) == {}

    # damage

    @pytest.mark.parametrize("kind", DAMAGES)
    @pytest.mark.parametrize("span", [None, Span(10, 20), Span(0, 0)], ids=["whole", "part", "none"])
    async def test_a_damaged_blob_is_set_aside_and_never_served(
        self, store: BlobStore, backdoor: Backdoor, kind: str, span: Span | None
    ) -> None:
        data = sample(5000)
        id = digest(data)
        bad = damaged(data)[kind]
        await backdoor.plant(id, bad)
        with pytest.raises(BlobCorrupt) as corrupt:
            await store.get(id, span)
        assert corrupt.value.name == id.hex()
        assert await backdoor.aside(id) == [bad]
        assert await backdoor.peek(id) is None
        with pytest.raises(BlobMissing):
            await store.get(id, span)
        assert await store.stat([id]) == {}
        assert await listed(store) == []
        assert await store.put(id, data) is True
        assert bytes(await store.get(id)) == data

    @pytest.mark.parametrize("kind", DAMAGES)
    async def test_a_blob_damaged_after_it_was_read_in_parts(
        self, store: BlobStore, backdoor: Backdoor, kind: str
    ) -> None:
        data = sample(5000)
        id = await receive(store, data)
        await asyncio.sleep(0.06)  # long enough for a store to begin to trust what it verified
        for _ in range(3):
            assert bytes(await store.get(id, Span(10, 20))) == data[10:20]
        await backdoor.plant(id, damaged(data)[kind])
        with pytest.raises(BlobCorrupt):
            await store.get(id, Span(10, 20))
        with pytest.raises(BlobMissing):
            await store.get(id, Span(10, 20))

    @pytest.mark.parametrize("kind", DAMAGES)
    async def test_put_heals_a_damaged_blob(self, store: BlobStore, backdoor: Backdoor, kind: str) -> None:
        data = sample(5000)
        id = digest(data)
        bad = damaged(data)[kind]
        await backdoor.plant(id, bad)
        assert await store.put(id, data) is True
        assert await backdoor.peek(id) == data
        assert await backdoor.aside(id) == [bad]
        assert bytes(await store.get(id)) == data

    async def test_readers_of_a_damaged_blob_at_once(self, store: BlobStore, backdoor: Backdoor) -> None:
        data = sample(5000)
        id = digest(data)
        await backdoor.plant(id, damaged(data)["one bit"])
        spans = [None, Span(3, 4)] * 8
        results = await asyncio.gather(*(store.get(id, span) for span in spans), return_exceptions=True)
        assert {type(result) for result in results} <= {BlobCorrupt, BlobMissing}
        assert BlobCorrupt in {type(result) for result in results}
        assert len(await backdoor.aside(id)) == 1

    # list

    async def test_list_is_ascending_and_goes_on_from_anywhere(self, store: BlobStore) -> None:
        ids = await fill(store, 60)
        assert await listed(store) == ids
        for place, id in enumerate(ids):
            assert await listed(store, id) == ids[place + 1 :]
        for number in range(30):
            between = digest(b"between %d" % number)
            assert await listed(store, between) == [id for id in ids if id > between]
        assert await listed(store, BlobId(bytes(32))) == ids
        assert await listed(store, BlobId(b"\xff" * 32)) == []

    async def test_list_of_an_empty_store(self, store: BlobStore) -> None:
        assert await listed(store) == []

    async def test_list_while_blobs_come_and_go(self, store: BlobStore) -> None:
        ids = await fill(store, 40)
        gone = set(ids[1::4])
        new: list[BlobId] = []
        seen: list[BlobId] = []
        async for id in store.list():
            seen.append(id)
            if len(seen) % 5 == 1:
                new += await fill(store, 3, seed=1000 + len(seen))
                await store.remove(gone)
        assert seen == sorted(set(seen))
        assert set(ids) - gone <= set(seen) <= set(ids) | set(new)

    async def test_a_list_that_is_left_early(self, store: BlobStore) -> None:
        ids = await fill(store, 10)
        async for id in store.list():
            assert id == ids[0]
            break
        assert await listed(store) == ids

    # remove

    async def test_remove_takes_what_it_is_given_and_no_more(self, store: BlobStore, backdoor: Backdoor) -> None:
        ids = await fill(store, 12)
        await store.remove([ids[2], digest(b"absent"), ids[7]])
        left = [id for id in ids if id not in {ids[2], ids[7]}]
        assert await listed(store) == left
        assert set(await store.stat(ids)) == set(left)
        assert await backdoor.peek(ids[2]) is None
        for span in (None, Span(0, 1)):
            with pytest.raises(BlobMissing):
                await store.get(ids[7], span)
        await store.remove([ids[2], ids[7]])
        await store.remove([])
        assert await listed(store) == left

    async def test_what_was_read_in_parts_is_gone_when_removed(self, store: BlobStore) -> None:
        data = sample(5000)
        id = await receive(store, data)
        await asyncio.sleep(0.06)
        for _ in range(2):
            await store.get(id, Span(1, 2))
        await store.remove([id])
        with pytest.raises(BlobMissing):
            await store.get(id, Span(1, 2))
        assert await store.put(id, data) is True
        assert bytes(await store.get(id, Span(1, 2))) == data[1:2]

    # cancellation

    async def test_a_cancelled_put_is_whole_or_absent_and_lets_go_of_the_bytes(
        self, store: BlobStore, backdoor: Backdoor
    ) -> None:
        for round_ in range(40):
            data = bytearray(sample(400_000, round_))
            before = bytes(data)
            id = digest(before)
            task = asyncio.create_task(store.put(id, data))
            await asyncio.sleep(round_ * 0.0002)
            task.cancel()
            await asyncio.wait([task])
            data[:] = bytes(len(data))  # the buffer is the caller's again
            kept = await backdoor.peek(id)
            assert kept in (None, before)
            assert await store.put(id, before) is (kept is None)
            assert bytes(await store.get(id)) == before

    async def test_who_waits_with_a_cancelled_caller_is_served(self, store: BlobStore) -> None:
        for round_ in range(10):
            data = sample(200_000, round_)
            id = digest(data)
            puts = [asyncio.create_task(store.put(id, data)) for _ in range(4)]
            await asyncio.sleep(round_ * 0.0003)
            puts[0].cancel()
            await asyncio.wait(puts)
            assert [put.exception() for put in puts[1:]] == [None] * 3
            gets = [asyncio.create_task(store.get(id, span)) for span in (None, None, Span(5, 6), Span(7, 9))]
            await asyncio.sleep(round_ * 0.0001)
            gets[0].cancel()
            await asyncio.wait(gets)
            assert [bytes(get.result()) for get in gets[1:]] == [data, data[5:6], data[7:9]]
