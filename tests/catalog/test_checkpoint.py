"""Copying the log back, when that fails."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import shutil
import threading
from pathlib import Path

import apsw
import pytest

from entrepot.catalog.operations import buckets
from entrepot.catalog.sqlite import checkpoint
from entrepot.catalog.sqlite.checkpoint import LIMIT_PAGES, START_PAGES, Checkpointer
from entrepot.catalog.sqlite.condition import Condition
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.catalog.sqlite.turnstile import held


def test_a_copy_that_fails_stays_with_the_writer_who_tried(tmp_path: Path) -> None:
    """Any error: one that escaped would end the thread that answers writers, with the turnstile held."""
    path = tmp_path / "catalog.sqlite"
    path.touch()
    condition = Condition(path)
    checkpointer = Checkpointer(path, lambda: apsw.Connection(str(path)), condition)
    try:
        broken = apsw.Connection(str(path))
        broken.close()
        checkpointer.pages = LIMIT_PAGES + 1
        checkpointer.relieve(broken)
        assert checkpointer.pages == 0
    finally:
        checkpointer.close()
        condition.close()


def test_a_copy_that_failed_is_made_in_time_once_the_log_began_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process began it perhaps, so that no commit of this one told of a short log in between."""
    monkeypatch.setattr(Checkpointer, "_work", lambda _: None)
    path = tmp_path / "catalog.sqlite"
    path.touch()
    connection = apsw.Connection(str(path))
    condition = Condition(path)
    checkpointer = Checkpointer(path, lambda: connection, condition)

    def woken(*lengths: int) -> list[int]:
        found = []
        for pages in lengths:
            checkpointer.notice(connection, "main", pages)
            if checkpointer._wake.is_set():
                checkpointer._wake.clear()
                found.append(pages)
        return found

    assert woken(START_PAGES - 1, START_PAGES, 2 * START_PAGES - 1, LIMIT_PAGES + 1) == [START_PAGES, LIMIT_PAGES + 1]
    connection.close()
    checkpointer.relieve(connection)
    assert woken(10, START_PAGES - 1, START_PAGES) == [START_PAGES]
    checkpointer.close()
    condition.close()


async def test_a_log_in_use_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is copied back each time that it has grown, not with each commit: then it begins again from its start,
    although writers never pause.
    """
    monkeypatch.setattr(checkpoint, "START_PAGES", 100)
    monkeypatch.setattr(checkpoint, "LAID_BYTES", 1_000_000)
    monkeypatch.setattr(checkpoint, "SLICE_BYTES", 300_000)
    database = await SQLite.open(tmp_path / "catalog.sqlite", lasting=True)
    checkpointer = database._checkpointer
    assert checkpointer is not None
    lengths: list[int] = []
    copies = 0
    copy_back = checkpointer._copy_back

    def committed(connection: apsw.Connection, name: str, pages: int) -> int:
        lengths.append(pages)
        return checkpointer.notice(connection, name, pages)

    def counted(connection: apsw.Connection) -> int:
        nonlocal copies
        copies += 1
        return copy_back(connection)

    monkeypatch.setattr(checkpointer, "_copy_back", counted)
    database._writer.set_wal_hook(committed)

    async def writer(number: int) -> None:
        for each in range(150):
            await database.write(buckets.create_bucket(f"bucket-{number}-{each}", "ann", "main", 1))

    await asyncio.gather(*[writer(number) for number in range(4)])
    await database.close()
    restarts = sum(after < before for before, after in itertools.pairwise(lengths))
    added = sum(after - before if after > before else after for before, after in itertools.pairwise(lengths))
    assert restarts > 0
    assert copies <= (len(checkpoint.GENTLY) + 1) * (added // 100 + 1)
    assert (tmp_path / "catalog.sqlite").stat().st_size > 0


async def test_a_log_that_grew_behind_a_reader_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "START_PAGES", 20)
    monkeypatch.setattr(checkpoint, "LIMIT_PAGES", 100)
    database = await SQLite.open(tmp_path / "catalog.sqlite")
    log = tmp_path / "catalog.sqlite-wal"
    most = 101 * 5000  # a page, and what is written of it
    reader = apsw.Connection(str(tmp_path / "catalog.sqlite"))
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM buckets").fetchall()
    numbers = itertools.count()
    while log.stat().st_size <= 2 * most:
        await database.write(buckets.create_bucket(f"bucket-{next(numbers)}", "ann", "main", 1))
    reader.close()
    async with asyncio.timeout(60):
        while log.stat().st_size > most:
            await database.write(buckets.create_bucket(f"bucket-{next(numbers)}", "ann", "main", 1))
    await database.close()


async def test_a_lasting_process_lays_the_log_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not leaves nothing behind; and a log of which nothing was written but zeros is an empty one."""
    monkeypatch.setattr(checkpoint, "LAID_BYTES", 1_000_000)
    log = tmp_path / "catalog.sqlite-wal"
    passing = await SQLite.open(tmp_path / "catalog.sqlite")
    await passing.write(buckets.create_bucket("bucket", "ann", "main", 1))
    assert log.stat().st_size < 1_000_000
    await passing.close()
    lasting = await SQLite.open(tmp_path / "catalog.sqlite", lasting=True)
    async with asyncio.timeout(30):
        while log.stat().st_size < 1_000_000:  # noqa: ASYNC110 - a thread does it, which tells nobody
            await asyncio.sleep(0.01)
    after_a_crash = tmp_path / "later"
    after_a_crash.mkdir()
    for name in ("catalog.sqlite", "catalog.sqlite-wal"):
        shutil.copy(tmp_path / name, after_a_crash / name)
    assert set((after_a_crash / "catalog.sqlite-wal").read_bytes()) == {0}
    await lasting.close()
    later = await SQLite.open(after_a_crash / "catalog.sqlite")
    assert [bucket.name for bucket in await later.read(buckets.list_buckets("", "", 10))] == ["bucket"]
    await later.write(buckets.create_bucket("another", "ann", "main", 2))
    await later.close()


async def test_a_disk_with_little_room_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zeros that took the rest of a disk would leave none to copy the log back, nor for any blob."""
    monkeypatch.setattr(checkpoint, "LAID_BYTES", 2**60)
    database = await SQLite.open(tmp_path / "catalog.sqlite", lasting=True)
    checkpointer = database._checkpointer
    assert checkpointer is not None
    before = (tmp_path / "catalog.sqlite-wal").stat().st_size
    assert not checkpointer._in_turn(checkpointer.lay_out)
    assert (tmp_path / "catalog.sqlite-wal").stat().st_size == before
    await database.close()


async def test_one_that_could_not_lay_out_as_it_began_copies_back_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process was at it then; what wakes this one later is a log that has grown."""
    monkeypatch.setattr(checkpoint, "START_PAGES", 20)
    path = tmp_path / "catalog.sqlite"
    asked, copied = threading.Event(), threading.Event()
    lock = fcntl.flock
    copy_back = Checkpointer._copy_back

    def locked(descriptor: int, operation: int) -> None:
        try:
            lock(descriptor, operation)
        except BlockingIOError:
            asked.set()
            raise

    def told(checkpointer: Checkpointer, connection: apsw.Connection) -> int:
        copied.set()
        return copy_back(checkpointer, connection)

    monkeypatch.setattr(Checkpointer, "_copy_back", told)
    monkeypatch.setattr(fcntl, "flock", locked)
    with held(path, "checkpoint"):
        database = await SQLite.open(path, lasting=True)
        assert await asyncio.to_thread(asked.wait, 30)
    checkpointer = database._checkpointer
    assert checkpointer is not None
    while checkpointer.pages < 20:
        await database.write(buckets.create_bucket(f"bucket-{checkpointer.pages}", "ann", "main", 1))
    assert await asyncio.to_thread(copied.wait, 30)
    await database.close()
