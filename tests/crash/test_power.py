"""A power cut after every single step: whatever was acknowledged is there, and nothing is half there.

A load runs over a recorded disk. Then for every moment of the record the states are made in which
the disk may be found (see `disk_model`), and the real program opens each of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from entrepot.blobs.disk import DiskStore
from entrepot.blobs.kinds import stack
from entrepot.catalog.sqlite import checkpoint
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.errors import BucketMissing, ObjectMissing
from tests.crash.disk_model import Disk, Event, Mark, Sync, SyncDirectory, Tree, materialise, outcomes
from tests.crash.recording import Record, RecordedFiles, RecordedVFS
from tests.upkeep.house import BLOB, ROOT, House, opened

SEED = os.environ.get("ENTREPOT_TEST_SEED", "power")
State = bytes | None
Expected = dict[str, list[State]]
"""Of each key the state that was acknowledged last, and those that are under way."""


class Load:
    """What is asked of the store, and the state that each request leads to."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.states: dict[str, tuple[str, State]] = {}  # name of a mark → key, its state then
        self._bytes = random.Random("load")

    def data(self, size: int) -> bytes:
        return self._bytes.randbytes(size)

    async def ask(self, key: str, state: State, request: Awaitable[object]) -> None:
        name = str(len(self.states))
        self.states[name] = key, state
        self.record.mark(name, acknowledged=False)
        await request
        self.record.mark(name, acknowledged=True)

    async def put(self, house: House, key: str, data: bytes) -> None:
        await self.ask(key, data, house.put(key, data))

    async def first_session(self, house: House) -> None:
        """Small, large, at the same time; the same content twice; overwritten, copied, deleted."""
        await self.ask("bucket", b"", house.buckets.create(ROOT, "bucket"))
        twice = self.data(2 * BLOB + 5)
        await asyncio.gather(
            self.put(house, "small", self.data(100)),
            self.put(house, "blob", self.data(BLOB - 1)),
            self.put(house, "twice", twice),
        )
        await self.put(house, "again", twice)
        await self.put(house, "small", self.data(90))
        await asyncio.gather(
            self.put(house, "blob", self.data(BLOB)), self.ask("copy", twice, house.copy("again", "copy"))
        )
        await self.ask("small", None, house.delete("small"))
        await self.ask("twice", None, house.delete("twice"))

    async def second_session(self, house: House) -> None:
        """Parts, a collection, and content that the collection has just removed."""
        parts = [self.data(2 * BLOB), self.data(700)]
        place = await house.upload("joined", *parts)
        await self.ask("joined", b"".join(parts), house.complete(place, 2))
        gone = self.data(BLOB + 300)
        await self.put(house, "gone", gone)
        await self.ask("gone", None, house.delete("gone"))
        await house.upkeep.collect(-1)
        await self.put(house, "gone", gone)
        await self.put(house, "empty", b"")


@asynccontextmanager
async def recorded(folder: Path, record: Record, files: RecordedFiles, pragma: str) -> AsyncIterator[House]:
    with record.watched(str(folder / "catalog.sqlite-wal")):
        database = await SQLite.open(folder / "catalog.sqlite", vfs="recorded", lasting=True)
        database._writer.execute(pragma)
        store = DiskStore(folder / "blobs", "main", files)
        try:
            async with opened(folder, database, stack(store)) as house:
                yield house
        finally:
            store.close()
            await database.close()


def run_load(
    folder: Path, *, data: bool = True, entries: bool = True, pragma: str = "PRAGMA synchronous = FULL"
) -> Load:
    """Run the load over a recorded disk, of which some syncs may be missing."""
    folder.mkdir()
    record = Record(folder)
    vfs = RecordedVFS("recorded", record)
    load = Load(record)

    async def sessions() -> None:
        for session in (load.first_session, load.second_session):
            async with recorded(folder, record, RecordedFiles(record, data=data, entries=entries), pragma) as house:
                await session(house)

    asyncio.run(sessions())
    vfs.unregister()
    return load


def moments(load: Load) -> Iterator[tuple[Disk, Expected, bool]]:
    """The disk after every event, what is expected of it, and whether it is worth many tries: the
    last moment before something becomes durable, or just after an acknowledgement."""
    disk = Disk()
    expected: Expected = {}
    events: list[Event] = [*load.record.events]
    for index, event in enumerate(events):
        disk.take(event)
        if isinstance(event, Mark):
            key, state = load.states[event.name]
            known = expected.setdefault(key, [None])
            if event.acknowledged:
                known[:] = [state]
            else:
                known.append(state)
        following = events[index + 1] if index + 1 < len(events) else None
        many = isinstance(following, Sync | SyncDirectory) or isinstance(event, Mark) or following is None
        yield disk, expected, many


def states(load: Load) -> Iterator[tuple[int, Tree, Expected]]:
    """Every state to be opened, once."""
    chance = random.Random(SEED)
    seen: set[bytes] = set()
    for index, (disk, expected, many) in enumerate(moments(load)):
        for changes in outcomes(disk.pending, chance, many=many):
            tree = disk.after(changes)
            name = hashlib.blake2b(repr((sorted(expected.items()), sorted(tree.items()))).encode()).digest()
            if name not in seen:
                seen.add(name)
                yield index, tree, expected


async def inspect(root: Path, expected: Expected) -> list[str]:
    """Open a state as the program does; what is wrong with it."""
    wrong: list[str] = []
    connection = apsw.Connection(str(root / "catalog.sqlite"))
    wrong += [f"integrity: {row[0]}" for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
    connection.close()
    async with opened(root) as house:
        for key, may in expected.items():
            found = await look(house, key)
            if found not in may:
                sizes = [None if each is None else len(each) for each in may]
                wrong.append(f"{key}: {None if found is None else len(found)} bytes, allowed are {sizes}")
        wrong += [str(finding) for finding in await house.check() if not finding.harmless]
        if not wrong and expected.get("bucket") == [b""]:
            await house.put("afterwards", b"x" * BLOB)
            wrong += [] if await house.get("afterwards") == b"x" * BLOB else ["nothing can be put any more"]
    return wrong


async def look(house: House, key: str) -> State:
    if key == "bucket":
        return b"" if await house.buckets.list(ROOT) else None
    try:
        return await house.get(key)
    except (BucketMissing, ObjectMissing):
        return None


def violations(load: Load, folder: Path, most: int = 1 << 30) -> tuple[int, list[str]]:
    """Open states until ``most`` violations were found; how many states, and the violations."""
    found: list[str] = []
    count = 0
    for count, (index, tree, expected) in enumerate(states(load), 1):
        root = folder / str(count)
        materialise(tree, root)
        try:
            wrong = asyncio.run(inspect(root, expected))
        except Exception as error:  # noqa: BLE001 - a state that cannot be opened is a violation like another
            wrong = [repr(error)]
        found += [f"after event {index}: {each}" for each in wrong]
        shutil.rmtree(root)
        if len(found) >= most:
            break
    return count, found


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Path]:
    """A directory in memory where there is one: thousands of states are opened in it."""
    shared = Path("/dev/shm")  # noqa: S108 - the directory made in it is private
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else tmp_path) as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _short_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log is copied back all the time, by its own thread and by the writer."""
    monkeypatch.setattr(checkpoint, "START_PAGES", 12)
    monkeypatch.setattr(checkpoint, "LIMIT_PAGES", 40)
    monkeypatch.setattr(checkpoint, "LAID_BYTES", 100_000)


def test_nothing_acknowledged_is_lost(memory: Path) -> None:
    load = run_load(memory / "data")
    count, found = violations(load, memory, most=10)
    assert found == [], f"of {len(load.record.events)} events"
    assert load.record.laid_out > 0
    assert count > 1000


LACKS: list[tuple[str, Callable[[Path], Load]]] = [
    ("blobs are not synced", lambda folder: run_load(folder, data=False)),
    ("directories are not synced", lambda folder: run_load(folder, entries=False)),
    ("the catalog is not synced", lambda folder: run_load(folder, pragma="PRAGMA synchronous = OFF")),
]


@pytest.mark.parametrize("run", [run for _, run in LACKS], ids=[name for name, _ in LACKS])
def test_a_missing_sync_is_seen(run: Callable[[Path], Load], memory: Path) -> None:
    _, found = violations(run(memory / "data"), memory, most=1)
    assert found != []
