from __future__ import annotations

import asyncio
import itertools
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from pathlib import Path

import pytest

from entrepot.blobs.disk import WRITERS, DiskStore
from entrepot.blobs.kinds import stack
from entrepot.blobs.store import MAX_BLOB, BlobStore, Capabilities, digest, receive
from entrepot.blobs.verified import VerifiedStore, sound
from entrepot.errors import BlobCorrupt, BlobMissing, Unavailable
from entrepot.model import BlobId, Buffer, Span
from tests.blobs.watched import Watched
from tests.contracts.blob_store import Backdoor, BlobStoreContract, listed, sample

HOUR = 3600


def place(root: Path, id: BlobId) -> Path:
    name = id.hex()
    return root / name[:2] / name[2:4] / name


class Directory:
    def __init__(self, root: Path) -> None:
        self._root = root

    async def plant(self, id: BlobId, data: bytes) -> None:
        path = place(self._root, id)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    async def peek(self, id: BlobId) -> bytes | None:
        path = place(self._root, id)
        return path.read_bytes() if path.exists() else None

    async def aside(self, id: BlobId) -> list[bytes]:
        return [path.read_bytes() for path in (self._root / "quarantine").glob(f"{id.hex()}.*")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def files(root: Path) -> Watched:
    return Watched(root)


@pytest.fixture
def disk(root: Path, files: Watched) -> Iterator[DiskStore]:
    """A store whose opening is not on record."""
    opened = DiskStore(root, "disk", files)
    files.taken()
    yield opened
    opened.close()


@pytest.fixture
def store(disk: DiskStore) -> VerifiedStore:
    return VerifiedStore(disk)


def unmount(root: Path) -> None:
    """Leave an empty directory, as a disk does that is not mounted."""
    root.rename(root.with_name("away"))
    root.mkdir()


def mount(root: Path) -> None:
    root.rename(root.with_name("empty"))
    root.with_name("away").rename(root)


def incoming(root: Path) -> list[Path]:
    return list((root / "tmp").iterdir())


async def keep_and_trust(store: VerifiedStore, data: bytes) -> BlobId:
    """A blob old enough that the store trusts what it verified; it has."""
    id = await receive(store, data)
    await asyncio.sleep(0.06)
    await store.get(id)
    return id


class TestDiskStore(BlobStoreContract):
    @pytest.fixture
    def store(self, root: Path) -> Iterator[BlobStore]:
        opened = DiskStore(root, "disk", max_blob=1 << 20)
        yield stack(opened)
        opened.close()

    @pytest.fixture
    def backdoor(self, root: Path) -> Directory:
        return Directory(root)


class Alternating:
    def __init__(self, root: Path) -> None:
        self._disks = [DiskStore(root, name, max_blob=1 << 20) for name in ("one", "two")]
        self._stores = [stack(disk) for disk in self._disks]
        self._turns = itertools.cycle(self._stores)

    @property
    def capabilities(self) -> Capabilities:
        return self._stores[0].capabilities

    async def put(self, id: BlobId, data: Buffer) -> bool:
        return await next(self._turns).put(id, data)

    async def get(self, id: BlobId, span: Span | None = None) -> Buffer:
        return await next(self._turns).get(id, span)

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]:
        return await next(self._turns).stat(ids)

    def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        return next(self._turns).list(after)

    async def remove(self, ids: Collection[BlobId]) -> None:
        await next(self._turns).remove(ids)

    def close(self) -> None:
        for disk in self._disks:
            disk.close()


class TestTwoStoresOfOneDirectory(BlobStoreContract):
    """What one process writes, another reads: each call goes to the next of two stores."""

    @pytest.fixture
    def store(self, root: Path) -> Iterator[Alternating]:
        opened = Alternating(root)
        yield opened
        opened.close()

    @pytest.fixture
    def backdoor(self, root: Path) -> Directory:
        return Directory(root)

    async def test_many_puts_of_one_blob_at_once(self, store: BlobStore, backdoor: Backdoor) -> None:
        """Each process may find that its own was the first; nothing else differs."""
        data = sample(300_000)
        id = digest(data)
        results = await asyncio.gather(*(store.put(id, data) for _ in range(24)))
        assert results.count(True) in (1, 2)
        assert await backdoor.peek(id) == data


async def test_where_a_blob_lies_and_who_may_read_it(store: VerifiedStore, root: Path) -> None:
    id = await receive(store, b"x")
    path = place(root, id)
    assert path.read_bytes() == b"x"
    assert path.stat().st_mode & 0o777 == 0o600
    assert {path.stat().st_mode & 0o777 for path in [root, *path.parents[:2], root / "tmp"]} == {0o700}
    assert incoming(root) == []


async def test_names_that_are_no_blobs_are_passed_over(store: VerifiedStore, root: Path) -> None:
    id = await receive(store, b"x")
    shelf = place(root, id).parent
    for name in ("README", "f" * 64, id.hex().upper(), id.hex() + "0", id.hex()[:4] + "g" * 60):
        (shelf / name).write_bytes(b"")
    (root / "zz").mkdir()
    (root / "ab0").mkdir()
    (root / "0").write_bytes(b"")
    (root / "0f").write_bytes(b"")
    assert await listed(store) == [id]


async def test_a_put_of_what_is_there_renews_its_date(store: VerifiedStore, root: Path) -> None:
    id = await receive(store, b"x")
    os.utime(place(root, id), (1, 1))
    before = time.time()
    assert await store.put(id, b"x") is False
    assert place(root, id).stat().st_mtime >= before - 1


def test_what_a_crash_left_in_tmp_goes_once_it_is_old(root: Path) -> None:
    DiskStore(root, "disk").close()
    old, young = root / "tmp" / "old", root / "tmp" / "young"
    for path, age in ((old, HOUR + 60), (young, HOUR - 60)):
        path.write_bytes(b"half")
        os.utime(path, (time.time() - age,) * 2)
    DiskStore(root, "disk").close()
    assert incoming(root) == [young]


def test_what_cannot_be_swept_is_in_nobodys_way(root: Path) -> None:
    DiskStore(root, "disk").close()
    (root / "tmp" / "directory").mkdir()
    os.utime(root / "tmp" / "directory", (1, 1))
    DiskStore(root, "disk").close()


async def test_a_part_of_a_verified_blob_is_read_alone(store: VerifiedStore, files: Watched) -> None:
    data = sample(200_000)
    id = await keep_and_trust(store, data)
    files.taken()
    assert await store.get(id, Span(1000, 1500)) == data[1000:1500]
    assert [call.split()[-1] for call in files.taken()] == ["1000+500"]


async def test_the_first_part_reads_all_and_those_beside_it_share_that(store: VerifiedStore, files: Watched) -> None:
    data = sample(200_000)
    id = await receive(store, data)
    files.taken()
    parts = await asyncio.gather(*(store.get(id, Span(at, at + 10)) for at in range(20)))
    assert parts == [data[at : at + 10] for at in range(20)]
    assert [call.split()[-1] for call in files.taken()] == ["0+200000"]


@pytest.mark.parametrize("most", [700_000, 1 << 40])
async def test_a_large_blob_is_read_however_little_comes_at_once(
    store: VerifiedStore, root: Path, files: Watched, most: int
) -> None:
    data = sample((2 << 20) + 5)
    id = await receive(store, data)
    files.most = most
    whole = await store.get(id)
    assert whole == data
    assert memoryview(whole).readonly
    for span in (Span(1, len(data)), Span(3, len(data)), Span(len(data) - 9, len(data))):
        assert await store.get(id, span) == data[span.start : span.end]
    path = place(root, id)
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(BlobCorrupt):
        await store.get(id)


async def test_who_waits_for_a_part_holds_no_more(
    disk: DiskStore, store: VerifiedStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = sample(5000)
    id = await receive(store, data)
    written = place(root, id).stat().st_ctime_ns
    monkeypatch.setattr(time, "time_ns", lambda: written + 50_000_001)
    for start, end in ((0, 10), (4000, 5000)):
        part = disk._shelves.verify_part(id, Span(start, end), sound)
        assert (part.data, part.size) == (data[start:end], 5000)


async def test_a_file_just_written_is_not_trusted_yet(
    store: VerifiedStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within a tick of the file system's clock a second change has the same stamp as the first."""
    id = await receive(store, sample(5000))
    written = place(root, id).stat().st_ctime_ns
    for age, trusted in ((0, False), (50_000_000, False), (50_000_001, True)):
        monkeypatch.setattr(time, "time_ns", lambda age=age: written + age)
        await store.get(id)
        assert (store._recent.find(id) is not None) is trusted


async def test_a_file_put_in_the_place_of_a_verified_one_is_verified_itself(store: VerifiedStore, root: Path) -> None:
    data = sample(5000)
    id = await keep_and_trust(store, data)
    assert store._recent.find(id) is not None
    other = root / "other"
    other.write_bytes(sample(5000, 9))
    other.replace(place(root, id))
    with pytest.raises(BlobCorrupt):
        await store.get(id, Span(0, 1))


async def test_reads_and_writes_that_do_less_than_asked(root: Path, store: VerifiedStore, files: Watched) -> None:
    files.most = 999
    data = sample(10_000)
    id = await receive(store, data)
    assert files.taken().count("write tmp/*") == 11
    assert place(root, id).read_bytes() == data
    assert await store.get(id) == data
    await asyncio.sleep(0.06)
    await store.get(id)
    assert await store.get(id, Span(5, 5005)) == data[5:5005]


async def test_a_file_too_large_for_a_blob_is_damage_and_is_not_read(
    store: VerifiedStore, root: Path, files: Watched
) -> None:
    id = digest(b"x")
    await Directory(root).plant(id, b"x")
    os.truncate(place(root, id), MAX_BLOB + 1)
    with pytest.raises(BlobCorrupt):
        await store.get(id)
    assert not [call for call in files.taken() if call.startswith("read")]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
async def test_what_is_no_file_in_the_place_of_a_blob_is_damage(
    make: Callable[[Path], None], store: VerifiedStore, root: Path
) -> None:
    id = digest(b"x")
    place(root, id).parent.mkdir(parents=True)
    make(place(root, id))
    with pytest.raises(BlobCorrupt):
        await store.get(id)
    assert await store.put(id, b"x") is True


async def test_a_disk_that_is_not_mounted_is_not_an_empty_one(store: VerifiedStore, root: Path) -> None:
    id = await receive(store, b"x")
    unmount(root)
    for call in (store.get(id), store.get(id, Span(0, 1)), store.stat([id]), store.remove([id]), listed(store)):
        with pytest.raises(Unavailable):
            await call
    with pytest.raises(Unavailable):
        await store.put(id, b"x")
    assert not any(path.is_file() for path in root.rglob("*"))
    mount(root)
    assert await store.get(id) == b"x"
    assert await store.put(digest(b"y"), b"y") is True


def test_a_root_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable, match="disk"):
        DiskStore(tmp_path / "file" / "blobs", "disk")


async def test_a_sound_file_that_came_meanwhile_stays(store: VerifiedStore, root: Path, files: Watched) -> None:
    """Another process replaces a damaged file between our reading it and our moving it."""
    data = sample(5000)
    id = digest(data)
    path = place(root, id)
    await Directory(root).plant(id, b"bad")

    def replace() -> None:
        path.unlink()
        path.write_bytes(b"spare inode")
        (root / "sound").write_bytes(data)
        (root / "sound").replace(path)

    hold = path.open("rb")  # the damaged inode stays in use, as it would in quarantine
    files.before["rename"] = replace
    with pytest.raises(BlobCorrupt):
        await store.get(id)
    hold.close()
    assert path.read_bytes() == data
    assert list((root / "quarantine").iterdir()) == []
    assert await store.get(id) == data
    shelf = str(path.parent.relative_to(root))
    calls = files.taken()
    assert calls.index(f"fsync_dir {shelf}") < next(i for i, call in enumerate(calls) if call.startswith("unlink"))


async def test_a_put_cancelled_while_the_disk_is_busy(store: VerifiedStore, root: Path, files: Watched) -> None:
    """It ends when its thread does: until then the bytes are in use."""
    data = sample(5000)
    id = digest(data)
    started, go = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        assert go.wait(60)

    files.before["write"] = wait
    task = asyncio.create_task(store.put(id, data))
    await asyncio.to_thread(started.wait, 60)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0.01)
        assert not task.done()
    go.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert place(root, id).read_bytes() == data
    assert incoming(root) == []


async def test_a_put_cancelled_before_its_turn_never_begins(
    disk: DiskStore, store: VerifiedStore, root: Path, files: Watched
) -> None:
    go = threading.Event()
    busy = [disk._writers.submit(go.wait, 60) for _ in range(WRITERS)]
    task = asyncio.create_task(store.put(digest(b"x"), b"x"))
    joined = asyncio.create_task(store.put(digest(b"x"), b"x"))
    await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert files.taken() == []
    go.set()
    assert await joined is True
    assert all(job.result() for job in busy)


async def test_missing_is_said_of_a_blob_removed_by_another_process(store: VerifiedStore, root: Path) -> None:
    id = await keep_and_trust(store, sample(5000))
    place(root, id).unlink()
    with pytest.raises(BlobMissing):
        await store.get(id, Span(0, 1))
    assert store._recent.find(id) is None
