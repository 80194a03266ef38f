"""Attack case A22: as many parts as there may be."""

from __future__ import annotations

import asyncio
from pathlib import Path

from entrepot.core.uploads import Place
from entrepot.model import Meta, Span
from tests.core.services import ROOT, Numbered, Services, expecting, joined, open_services, pieces
from tests.doors.s3.door import Door
from tests.doors.s3.multipart import begin, complete

MOST = 10_000


async def fill(services: Services) -> tuple[Place, bytes]:
    """An upload of the most parts, no two of the same bytes."""
    upload = await services.uploads.create(ROOT, "bucket", "key", Meta())
    place = Place("bucket", "key", upload.upload_id)
    bodies = [b"%05d" % number for number in range(1, MOST + 1)]
    for start in range(0, MOST, 100):
        await asyncio.gather(
            *(
                services.uploads.put_part(ROOT, place, number + 1, pieces([bodies[number]]), expecting())
                for number in range(start, start + 100)
            )
        )
    return place, b"".join(bodies)


def test_a22_ten_thousand_parts_are_one_object() -> None:
    async def story() -> None:
        async with open_services(blob_size=5) as services:
            await services.buckets.create(ROOT, "bucket")
            place, whole = await fill(services)
            completion = Numbered(*range(1, MOST + 1))
            await services.uploads.complete(ROOT, place, completion)
            opened = await services.objects.open(ROOT, "bucket", "key")
            assert opened.version.size == 5 * MOST
            assert len(await opened.parts()) == MOST
            assert await joined(await opened.read()) == whole
            assert await joined(await opened.read(Span(24_999, 25_007))) == whole[24_999:25_007]
            place, _ = await fill(services)
            await services.uploads.abort(ROOT, place)

    asyncio.run(story())


def test_a22_ten_thousand_parts_that_are_not_there(tmp_path: Path) -> None:
    with Door(tmp_path / "data") as door:
        door.ask("PUT", "/bucket").ok()
        upload = begin(door, "/bucket/key")
        named = [(number, "0" * 32) for number in range(1, MOST + 1)]
        complete(door, "/bucket/key", upload, named).refused(400, "InvalidPart")
        complete(door, "/bucket/key", upload, [*named, (MOST + 1, "0" * 32)]).refused(400, "MalformedXML")
        door.ask("DELETE", "/bucket/key", f"uploadId={upload}").ok(204)
