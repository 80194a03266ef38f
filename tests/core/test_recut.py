"""An upload in many small parts is cut anew when it is completed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from entrepot.core.content import Content, Intake, Received
from entrepot.core.uploads import Place
from entrepot.errors import Superseded
from entrepot.model import Buffer, Meta
from tests.core.services import ROOT, Numbered, Services, expecting, joined, open_services, pieces

PARTS = [bytes([number]) * 2 for number in range(1, 13)]
NAMED = Numbered(*range(1, 13))


async def begun(services: Services) -> Place:
    await services.buckets.create(ROOT, "bucket")
    upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
    place = Place("bucket", "key", upload.upload_id)
    for number, body in enumerate(PARTS, 1):
        await put_part(services, place, number, body)
    return place


async def put_part(services: Services, place: Place, number: int, body: bytes) -> None:
    await services.uploads.put_part(ROOT, place, number, pieces([body]), expecting())


async def content(services: Services) -> bytes:
    return await joined(await (await services.objects.open(ROOT, "bucket", "key")).read())


async def test_small_parts_become_few_blobs() -> None:
    async with open_services(blob_size=8, inline_limit=0) as services:
        place = await begun(services)
        before = len([blob async for blob in services.store.list()])
        await services.uploads.complete(ROOT, place, NAMED)
        assert len([blob async for blob in services.store.list()]) == before + 3
        assert await content(services) == b"".join(PARTS)


async def test_a_part_put_while_others_are_read_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_services(blob_size=8, inline_limit=0) as services:
        place = await begun(services)
        take = Content.take

        async def interrupted(self: Content, store: str, body: AsyncIterator[Buffer], intake: Intake) -> Received:
            received = await take(self, store, body, intake)
            monkeypatch.undo()
            await put_part(services, place, 3, b"!!")
            return received

        monkeypatch.setattr(Content, "take", interrupted)
        with pytest.raises(Superseded):
            await services.uploads.complete(ROOT, place, NAMED)
        await services.uploads.complete(ROOT, place, NAMED)
        assert await content(services) == b"".join([*PARTS[:2], b"!!", *PARTS[3:]])
