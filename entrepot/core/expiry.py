"""What ends because nobody came back to it: uploads that were left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from entrepot.catalog.database import Database
from entrepot.catalog.operations.uploads import expire_upload, list_open_uploads
from entrepot.core.jobs import Step, Turn, Work

PAGE: Final = 20
"""Open uploads looked at in one step, each with up to 10,000 parts."""


def expire_uploads(database: Database, clock: Callable[[], int], seconds: int) -> Work:
    """The work of ending uploads to which nothing was added for so many seconds."""

    async def step(turn: Turn) -> Step:
        position, ended = await end_uploads(database, clock, seconds, turn.position or b"0")
        return Step(position, {"ended_uploads": ended})

    return step


async def end_uploads(
    database: Database, clock: Callable[[], int], seconds: float, position: bytes
) -> tuple[bytes | None, int]:
    """End those of a page that nothing was added to for so many seconds. Where the next page begins, None behind the
    last one, and how many were ended.
    """
    cutoff = clock() - round(seconds * 1_000_000)
    page = await database.scan(list_open_uploads(int(position), PAGE), background=True)
    ended = 0
    for _, upload_id, touched in page:
        if touched < cutoff:
            ended += await database.write(expire_upload(upload_id, cutoff, clock()), heavy=True)
    return b"%d" % page[-1][0] if len(page) == PAGE else None, ended
