"""A file system that has no locks to give: writers are told, and go on when it has some again."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
from pathlib import Path

import pytest

from entrepot.catalog.operations import buckets
from entrepot.catalog.sqlite import turnstile
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.errors import Unavailable


class Locks:
    """The module ``fcntl``, until there are none to be had; ``busy`` says so only to who waits."""

    LOCK_EX, LOCK_NB, LOCK_UN = fcntl.LOCK_EX, fcntl.LOCK_NB, fcntl.LOCK_UN

    def __init__(self) -> None:
        self.none = self.busy = False

    def flock(self, descriptor: int, operation: int) -> None:
        if operation != fcntl.LOCK_UN:
            if self.busy and operation & fcntl.LOCK_NB:
                raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))
            if self.none:
                raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        fcntl.flock(descriptor, operation)


@pytest.mark.parametrize("busy", [False, True], ids=["at once", "while they wait"])
async def test_writers_are_told_of_locks_that_are_not_to_be_had(
    *, busy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locks = Locks()
    database = await SQLite.open(tmp_path / "catalog.sqlite")
    monkeypatch.setattr(turnstile, "fcntl", locks)
    locks.none, locks.busy = True, busy
    writes = [database.write(buckets.create_bucket(f"lost-{each}", "ann", "main", 1)) for each in range(3)]
    told = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), 30)
    assert [type(each) for each in told] == [Unavailable] * 3
    locks.none = locks.busy = False
    for each in range(10):  # the last ones on the loop
        await database.write(buckets.create_bucket(f"kept-{each}", "ann", "main", 1))
        await asyncio.sleep(0.001)
    locks.none, locks.busy = True, busy
    with pytest.raises(Unavailable):
        await database.write(buckets.create_bucket("lost", "ann", "main", 1))
    locks.none = locks.busy = False
    names = [bucket.name for bucket in await database.read(buckets.list_buckets("", "", 100))]
    assert names == [f"kept-{each}" for each in range(10)]
    await database.close()


async def test_a_second_catalog_opens_beside_one_whose_write_needs_the_loop(tmp_path: Path) -> None:
    """The turn of the first is taken on the loop and left behind a commit: who waits for it there waits for ever."""
    path = tmp_path / "catalog.sqlite"
    first = await SQLite.open(path)
    inside = turnstile.Turnstile(path)
    inside.enter()
    opening = asyncio.create_task(SQLite.open(path))
    write = asyncio.create_task(first.write(buckets.create_bucket("one", "ann", "main", 1)))
    await asyncio.sleep(0.05)
    assert not opening.done()
    inside.leave()
    inside.close()
    async with asyncio.timeout(30):
        second = await opening
        await write
    assert len(await second.read(buckets.list_buckets("", "", 100))) == 1
    await first.close()
    await second.close()
