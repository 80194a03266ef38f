"""What comes out equals what went in: for any bytes, any pieces, any size of blob and any range."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.blobs.memory import MemoryStore
from entrepot.catalog.operations.blobs import place
from entrepot.core.budget import Budget
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.core.uploads import Place
from entrepot.errors import BodyIncomplete, Busy, DigestMismatch, EntrepotError, ObjectMissing, StoreFull, TooLarge
from entrepot.model import Buffer, Meta, Span
from tests.core.services import ROOT, STORE, Numbered, Services, cut, expecting, joined, open_services, pieces

BYTES = st.binary(max_size=200)
CUTS = st.lists(st.integers(0, 200), max_size=8)
SIZES = st.integers(1, 40)
PUT = Put(Meta(), Intake(digests=("md5",)))


@settings(deadline=None)
@given(BYTES, CUTS, SIZES, st.integers(0, 40), st.integers(0, 200), st.integers(0, 200))
def test_any_range_of_any_content(
    data: bytes, cuts: list[int], blob_size: int, inline_limit: int, start: int, end: int
) -> None:
    start, end = sorted((min(start, len(data)), min(end, len(data))))

    async def story() -> None:
        async with open_services(blob_size=blob_size, inline_limit=inline_limit) as services:
            intake = Intake(size=len(data), digests=("md5", "crc32c"))
            received = await services.content.take(STORE, pieces(cut(data, cuts)), intake)
            assert received.place.size == len(data)
            assert received.place.hash == blake3(data).digest()
            assert received.digests["md5"] == hashlib.md5(data, usedforsecurity=False).digest()
            placed = await services.database.write(place(received.place, 1))
            assert await joined(await services.content.read(placed, Span(start, end))) == data[start:end]
            assert await joined(await services.content.read(placed, Span(0, len(data)))) == data

    asyncio.run(story())


@settings(deadline=None)
@given(st.lists(BYTES, min_size=1, max_size=12), SIZES, st.integers(0, 2000), st.integers(0, 2000), st.booleans())
def test_an_upload_is_its_parts(parts: list[bytes], blob_size: int, start: int, end: int, skip_numbers: bool) -> None:  # noqa: FBT001 - drawn
    """Whether the parts were joined or, being small, cut anew."""
    whole = b"".join(parts)
    start, end = sorted((min(start, len(whole)), min(end, len(whole))))
    numbers = [number * (7 if skip_numbers else 1) for number in range(1, len(parts) + 1)]

    async def story() -> None:
        async with open_services(blob_size=blob_size) as services:
            await services.buckets.create(ROOT, "bucket")
            upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
            where = Place("bucket", "key", upload.upload_id)
            for number, part in sorted(zip(numbers, parts, strict=True), key=lambda each: each[1]):
                await services.uploads.put_part(ROOT, where, number, pieces([part]), expecting(Intake(size=len(part))))
            done = await services.uploads.complete(ROOT, where, Numbered(*numbers))
            assert done.version is not None
            opened = await services.objects.open(ROOT, "bucket", "key")
            assert await joined(await opened.read()) == whole
            assert await joined(await opened.read(Span(start, end))) == whole[start:end]
            assert [part.size for part in await opened.parts()] == [len(part) for part in parts]

    asyncio.run(story())


@pytest.mark.parametrize("others", [[b"another"], [b"an", b"other one"]])
def test_parts_are_never_those_of_what_came_after(others: list[bytes]) -> None:
    """An overwritten version leaves its row to the next one."""

    async def upload(services: Services, parts: list[bytes]) -> None:
        upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
        where = Place("bucket", "key", upload.upload_id)
        for number, part in enumerate(parts, 1):
            await services.uploads.put_part(ROOT, where, number, pieces([part]), expecting())
        await services.uploads.complete(ROOT, where, Numbered(*range(1, len(parts) + 1)))

    async def story() -> None:
        async with open_services(blob_size=8) as services:
            await services.buckets.create(ROOT, "bucket")
            await upload(services, [b"first", b"second"])
            opened = await services.objects.open(ROOT, "bucket", "key")
            await upload(services, others)
            with pytest.raises(Busy):
                await opened.parts()

    asyncio.run(story())


def test_small_parts_are_cut_anew() -> None:
    """Forty parts of a byte each become five blobs of eight, not forty."""

    async def story() -> None:
        async with open_services(blob_size=8, inline_limit=0) as services:
            await services.buckets.create(ROOT, "bucket")
            upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
            where = Place("bucket", "key", upload.upload_id)
            for number in range(1, 41):
                await services.uploads.put_part(ROOT, where, number, pieces([bytes([number])]), expecting())
            before = {blob async for blob in services.store.list()}
            await services.uploads.complete(ROOT, where, Numbered(*range(1, 41)))
            made = {blob async for blob in services.store.list()} - before
            assert len(made) == 5
            await services.store.remove(before)
            opened = await services.objects.open(ROOT, "bucket", "key")
            assert await joined(await opened.read()) == bytes(range(1, 41))

    asyncio.run(story())


def test_large_parts_are_joined_as_they_are() -> None:
    async def story() -> None:
        async with open_services(blob_size=8) as services:
            await services.buckets.create(ROOT, "bucket")
            upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
            where = Place("bucket", "key", upload.upload_id)
            for number in (1, 2):
                await services.uploads.put_part(ROOT, where, number, pieces([bytes([number]) * 20]), expecting())
            before = {blob async for blob in services.store.list()}
            await services.uploads.complete(ROOT, where, Numbered(1, 2))
            assert {blob async for blob in services.store.list()} == before

    asyncio.run(story())


async def broken() -> AsyncIterator[Buffer]:
    yield b"x" * 30
    raise BodyIncomplete(30, 60)


@pytest.mark.parametrize(
    ("body", "intake", "error"),
    [
        (lambda: pieces([b"x" * 19]), Intake(size=20), BodyIncomplete),
        (lambda: pieces([b"x" * 21]), Intake(size=20), BodyIncomplete),
        (broken, Intake(), BodyIncomplete),
        (lambda: pieces([b"x" * 21]), Intake(limit=20), TooLarge),
        (lambda: pieces([]), Intake(size=21, limit=20), TooLarge),
        (lambda: pieces([b"x" * 3]), Intake(digests=("md5",), expected=lambda: {"md5": bytes(16)}), DigestMismatch),
        (lambda: pieces([b"x" * 30]), Intake(digests=("md5",), expected=lambda: {"md5": bytes(16)}), DigestMismatch),
        (lambda: pieces([b"x" * 3]), Intake(size=4), BodyIncomplete),
        (lambda: pieces([b"x", b"x", b"x"]), Intake(size=2), BodyIncomplete),
        (lambda: pieces([]), Intake(size=1), BodyIncomplete),
        (broken, Intake(size=4), BodyIncomplete),
        (
            lambda: pieces([b"x", b"xx"]),
            Intake(size=3, digests=("md5",), expected=lambda: {"md5": bytes(16)}),
            DigestMismatch,
        ),
        (lambda: pieces([bytes(range(200))]), Intake(), StoreFull),
    ],
)
def test_a_body_that_is_not_right_leaves_nothing_to_see(
    body: object, intake: Intake, error: type[EntrepotError]
) -> None:
    assert callable(body)

    async def story() -> None:
        async with open_services(store=MemoryStore(STORE, limit=14)) as services:
            await services.buckets.create(ROOT, "bucket")
            with pytest.raises(error):
                await services.objects.put(ROOT, "bucket", "key", body(), Put(Meta(), intake))
            with pytest.raises(ObjectMissing):
                await services.objects.open(ROOT, "bucket", "key")
            assert services.content._budget.used == 0

    asyncio.run(story())


def test_small_bodies_that_come_slowly_are_in_the_budget(tmp_path: Path) -> None:
    """What has no room waits on disk, as a large one does; in the end nothing is booked."""
    seen = []
    budget = Budget(6, tmp_path)

    async def story() -> None:
        async with open_services(budget=budget) as services:

            async def slow() -> AsyncIterator[Buffer]:
                yield b"ab"
                seen.append(budget.used)
                await asyncio.sleep(0)
                yield b"cd"

            takings = [services.content.take(STORE, slow(), Intake(size=4)) for _ in range(3)]
            received = await asyncio.gather(*takings)
            assert [each.place.data for each in received] == [b"abcd"] * 3

    asyncio.run(story())
    assert min(seen) > 0
    assert max(seen) <= budget.limit
    assert budget.used == 0


def test_a_full_store_does_not_stay_full() -> None:
    """Once there is room again the same put succeeds; no memory stays booked meanwhile."""

    async def story() -> None:
        store = MemoryStore(STORE, limit=20)
        async with open_services(store=store, inline_limit=0) as services:
            await services.buckets.create(ROOT, "bucket")
            await services.objects.put(ROOT, "bucket", "old", pieces([bytes(range(16))]), PUT)
            with pytest.raises(StoreFull):
                await services.objects.put(ROOT, "bucket", "new", pieces([bytes(range(50, 90))]), PUT)
            assert services.content._budget.used == 0
            await store.remove([blob async for blob in store.list()])
            await services.objects.put(ROOT, "bucket", "new", pieces([bytes(range(50, 66))]), PUT)
            opened = await services.objects.open(ROOT, "bucket", "new")
            assert await joined(await opened.read()) == bytes(range(50, 66))

    asyncio.run(story())
