"""Bodies whose pieces are kept as they land: what came before a cut stays, and an upload goes on behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from entrepot.blobs.memory import MemoryStore
from entrepot.core.content import Intake
from entrepot.core.uploads import InOrder, Place
from entrepot.errors import BodyIncomplete, EntrepotError, StoreFull, Superseded, TooLarge, UploadMissing
from entrepot.model import Buffer, Meta, Stage
from tests.core.services import ROOT, STORE, Services, expecting, joined, open_services, pieces

DATA = bytes(range(100))


async def cut_off(data: bytes) -> AsyncIterator[Buffer]:
    for start in range(0, len(data), 7):
        yield data[start : start + 7]
    raise BodyIncomplete(len(data), 1000)


async def begun(services: Services) -> Place:
    await services.buckets.create(ROOT, "bucket")
    upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
    return Place("bucket", "key", upload.upload_id)


async def append(services: Services, place: Place, offset: int, body: AsyncIterator[Buffer]) -> list[int]:
    async with aclosing(services.uploads.append(ROOT, place, offset, body, expecting())) as offsets:
        return [reached async for reached in offsets]


async def landed(services: Services, body: AsyncIterator[Buffer], intake: Intake) -> tuple[bytes, str]:
    """What landed of a body, read from the store, and the error at its end."""
    found = b""
    try:
        async with aclosing(services.content.arrival(STORE, body, intake)) as arriving:
            async for piece in arriving:
                assert piece.start == len(found)
                assert piece.blob is not None
                found += bytes(await services.store.get(piece.blob))
    except EntrepotError as error:
        return found, type(error).__name__
    return found, ""


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 16, 50, 100])
async def test_everything_before_a_cut_lands(size: int) -> None:
    async with open_services() as services:
        assert await landed(services, cut_off(DATA[:size]), Intake(inline=False)) == (DATA[:size], "BodyIncomplete")
        assert await landed(services, pieces([DATA[:size]]), Intake(inline=False)) == (DATA[:size], "")
        assert services.content._budget.used == 0


@pytest.mark.parametrize(
    ("intake", "error"), [(Intake(limit=20, inline=False), TooLarge), (Intake(size=20, inline=False), BodyIncomplete)]
)
async def test_what_is_too_long_lands_up_to_there(intake: Intake, error: type[EntrepotError]) -> None:
    async with open_services() as services:
        found, name = await landed(services, pieces([DATA[start : start + 5] for start in range(0, 100, 5)]), intake)
        assert (found, name) == (DATA[:20], error.__name__)


async def test_nothing_lands_behind_a_blob_that_could_not_be_put() -> None:
    async with open_services(store=MemoryStore(STORE, limit=20)) as services:
        found, name = await landed(services, pieces([DATA]), Intake(inline=False))
        assert (found, name) == (DATA[:16], StoreFull.__name__)
        assert services.content._budget.used == 0


async def test_a_piece_is_told_before_the_body_ends() -> None:
    go = asyncio.Event()

    async def slow() -> AsyncIterator[Buffer]:
        yield DATA[:20]
        await go.wait()
        yield DATA[20:]

    async with open_services() as services:
        place = await begun(services)
        seen = []
        async with aclosing(services.uploads.append(ROOT, place, 0, slow(), expecting())) as offsets:
            async for offset in offsets:
                seen.append(offset)
                if offset == 16:
                    go.set()
        assert seen[-1] == len(DATA)


async def test_an_upload_goes_on_where_it_was_cut_off() -> None:
    async with open_services() as services:
        place = await begun(services)
        with pytest.raises(BodyIncomplete):
            await append(services, place, 0, cut_off(DATA[:50]))
        assert (await services.uploads.get(ROOT, place)).stage is Stage.RECEIVING
        for wrong in (0, 48, 51):
            with pytest.raises(Superseded):
                await append(services, place, wrong, pieces([b"x"]))
        assert await append(services, place, 50, pieces([DATA[50:]])) == [58, 66, 74, 82, 90, 98, 100]
        done = await services.uploads.complete(ROOT, place, InOrder())
        assert done.version is not None
        assert await joined(await (await services.objects.open(ROOT, "bucket", "key")).read()) == DATA
        with pytest.raises(UploadMissing):
            await append(services, place, 100, pieces([b"x"]))


async def test_of_two_that_append_at_one_place_one_goes_on() -> None:
    async with open_services() as services:
        place = await begun(services)
        both = await asyncio.gather(
            *(append(services, place, 0, pieces([bytes([number]) * 20])) for number in (1, 2)), return_exceptions=True
        )
        assert sum(isinstance(each, Superseded) for each in both) == 1
        _, parts = await services.uploads.list_parts(ROOT, place)
        assert [part.number for part in parts] == [1, 2, 3]
        assert len({bytes(await services.store.get(part.bytes.blob or b""))[0] for part in parts}) == 1  # type: ignore[arg-type]  # each has one
