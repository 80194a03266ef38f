"""The order of a disk store's calls, and what holds when one of them fails."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from entrepot.blobs.disk import DiskStore
from entrepot.blobs.kinds import stack
from entrepot.blobs.store import BlobStore, digest, receive
from entrepot.errors import BlobCorrupt, StoreFull, Unavailable
from entrepot.model import BlobId
from tests.blobs.watched import Watched
from tests.contracts.blob_store import listed, sample

DATA = sample(3000)
ID = digest(DATA)
AA = ID.hex()[:2]
SHELF = f"{AA}/{ID.hex()[2:4]}"
PATH = f"{SHELF}/{ID.hex()}"
FIRST_PUT = [
    f"mkdir {AA}",
    f"mkdir {SHELF}",
    "create tmp/*",
    "write tmp/*",
    "fdatasync tmp/*",
    f"rename tmp/* {PATH}",
    f"fsync_dir {SHELF}",
    f"fsync_dir {AA}",
    "fsync_dir .",
]
LATER_PUT = ["create tmp/*", "write tmp/*", "fdatasync tmp/*", f"rename tmp/* {PATH}", f"fsync_dir {SHELF}"]
NAMED = {call for call in FIRST_PUT if call.startswith("fsync_dir")}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def files(root: Path) -> Watched:
    return Watched(root)


@pytest.fixture
def store(root: Path, files: Watched) -> Iterator[BlobStore]:
    """A store whose opening is not on record."""
    opened = DiskStore(root, "disk", files)
    files.taken()
    yield stack(opened)
    opened.close()


def test_opening_makes_the_directories_durable(root: Path, files: Watched) -> None:
    DiskStore(root, "disk", files).close()
    assert files.taken() == ["mkdir .", "fsync_dir ..", "mkdir tmp", "mkdir quarantine", "fsync_dir ."]


def test_opening_makes_the_directories_above_durable(tmp_path: Path) -> None:
    files = Watched(tmp_path)
    DiskStore(tmp_path / "a" / "b", "disk", files).close()
    assert files.taken()[:4] == ["mkdir a", "fsync_dir .", "mkdir a/b", "fsync_dir a"]


async def test_the_order_of_a_put(store: BlobStore, files: Watched) -> None:
    await store.put(ID, DATA)
    assert files.taken() == FIRST_PUT


async def test_a_later_put_in_the_same_place_settles_less(store: BlobStore, files: Watched) -> None:
    neighbours = (b"%d" % number for number in count())
    neighbour = next(data for data in neighbours if digest(data)[:2] == ID[:2])
    await receive(store, neighbour)
    files.taken()
    await store.put(ID, DATA)
    assert files.taken() == LATER_PUT


async def test_a_put_of_what_is_there_makes_its_name_durable(store: BlobStore, files: Watched) -> None:
    await store.put(ID, DATA)
    files.taken()
    assert await store.put(ID, DATA) is False
    assert files.taken() == [f"read {PATH} 0+3000", f"touch {PATH}", f"fsync_dir {SHELF}"]


async def test_a_put_that_is_not_spared_makes_the_same_calls_whether_or_not_the_blob_is_there(
    root: Path, files: Watched
) -> None:
    disk = DiskStore(root, "disk", files, spared=False)
    store = stack(disk)
    try:
        assert await store.put(ID, DATA) is True
        files.taken()
        assert await store.put(ID, DATA) is False
        assert files.taken() == LATER_PUT
        (root / PATH).write_bytes(b"damaged")
        await store.put(ID, DATA)
        assert bytes(await store.get(ID)) == DATA
        assert [id async for id in store.list()] == [ID]
    finally:
        disk.close()


async def test_a_put_of_what_another_process_may_have_named_a_moment_ago(
    store: BlobStore, root: Path, files: Watched
) -> None:
    other = DiskStore(root, "other")
    await stack(other).put(ID, DATA)
    other.close()
    assert await store.put(ID, DATA) is False
    assert files.taken()[2:] == [f"fsync_dir {SHELF}", f"fsync_dir {AA}", "fsync_dir ."]


async def test_a_removal_is_durable(store: BlobStore, files: Watched) -> None:
    await store.put(ID, DATA)
    files.taken()
    await store.remove([ID, BlobId(bytes(32))])
    calls = files.taken()
    assert calls[:2] == [f"unlink {PATH}", "unlink 00/00/" + "0" * 64]
    assert sorted(calls[2:]) == sorted([f"fsync_dir {SHELF}", "fsync_dir 00/00"])


async def test_quarantine_is_durable(store: BlobStore, root: Path, files: Watched) -> None:
    await store.put(ID, DATA)
    (root / PATH).write_bytes(b"bad")
    files.taken()
    with pytest.raises(BlobCorrupt):
        await store.get(ID)
    read, moved, settled = files.taken()
    assert read.startswith("read ")
    assert moved.startswith(f"rename {PATH} quarantine/{ID.hex()}.")
    assert settled == "fsync_dir quarantine"


@pytest.mark.parametrize("call", FIRST_PUT)
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=lambda number: errno.errorcode[number])
async def test_a_put_that_fails_at_any_step(
    store: BlobStore, root: Path, files: Watched, call: str, error: int
) -> None:
    files.fail(call, error)
    with pytest.raises(Unavailable, match="store disk") as failed:
        await store.put(ID, DATA)
    assert isinstance(failed.value, StoreFull) is (error != errno.EIO)
    calls = files.taken()
    assert [done for done in calls if done != "unlink tmp/*"] == FIRST_PUT[: FIRST_PUT.index(call) + 1]
    assert list((root / "tmp").iterdir()) == []
    assert (root / PATH).exists() is (call in NAMED)

    new = await store.put(ID, DATA)
    calls = files.taken()
    assert new is (f"rename tmp/* {PATH}" in calls)
    assert (root / PATH).read_bytes() == DATA
    reached = FIRST_PUT.index(call)
    settled_before = {done for done in FIRST_PUT[:reached] if done in NAMED} - {f"fsync_dir {SHELF}"}
    assert set(calls) >= NAMED - settled_before
    assert await store.get(ID) == DATA
    assert await listed(store) == [ID]


async def test_a_file_that_could_not_be_synced_is_given_up(store: BlobStore, files: Watched) -> None:
    files.fail("fdatasync", errno.EIO)
    with pytest.raises(Unavailable):
        await store.put(ID, DATA)
    assert files.taken()[2:] == ["create tmp/*", "write tmp/*", "fdatasync tmp/*", "unlink tmp/*"]


async def test_a_name_that_could_not_be_synced_is_given_anew(store: BlobStore, files: Watched) -> None:
    """A second fsync of the directory may succeed although the first lost the entry."""
    files.fail(f"fsync_dir {SHELF}", errno.EIO)
    with pytest.raises(Unavailable):
        await store.put(ID, DATA)
    files.taken()
    assert await store.put(ID, DATA) is True
    calls = files.taken()
    assert calls.index(f"rename tmp/* {PATH}") < calls.index(f"fsync_dir {SHELF}")
    assert await store.put(ID, DATA) is False


async def test_a_disk_that_fills_up_in_the_middle_of_a_blob(store: BlobStore, root: Path, files: Watched) -> None:
    files.most = 1000
    files.before["write"] = lambda: files.fail("write", errno.ENOSPC)
    with pytest.raises(StoreFull):
        await store.put(ID, DATA)
    assert files.taken()[2:] == ["create tmp/*", "write tmp/*", "write tmp/*", "unlink tmp/*"]
    assert list((root / "tmp").iterdir()) == []
    assert await listed(store) == []


async def test_what_cannot_be_cleared_away_does_not_hide_why(store: BlobStore, root: Path, files: Watched) -> None:
    files.fail("write", errno.ENOSPC)
    files.fail("unlink", errno.EROFS)
    with pytest.raises(StoreFull):
        await store.put(ID, DATA)
    assert len(list((root / "tmp").iterdir())) == 1
    assert await store.put(ID, DATA) is True


@pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE], ids=lambda number: errno.errorcode[number])
async def test_a_blob_that_cannot_be_read_now_stays(store: BlobStore, root: Path, files: Watched, error: int) -> None:
    await store.put(ID, DATA)
    files.fail("read", error)
    with pytest.raises(Unavailable):
        await store.get(ID)
    assert (root / PATH).exists()
    assert await store.get(ID) == DATA


@pytest.mark.parametrize("call", ["read", "touch"])
async def test_a_put_takes_the_place_of_what_cannot_be_read(
    store: BlobStore, root: Path, files: Watched, call: str
) -> None:
    await store.put(ID, DATA)
    before = (root / PATH).stat().st_ino
    files.fail(call, errno.EIO)
    assert await store.put(ID, DATA) is True
    assert (root / PATH).stat().st_ino != before
    assert await store.get(ID) == DATA


async def test_damage_on_a_disk_that_takes_no_change(store: BlobStore, root: Path, files: Watched) -> None:
    """It cannot be set aside; it is not served for that, and a put takes its place."""
    await store.put(ID, DATA)
    (root / PATH).write_bytes(b"bad")
    for _ in range(2):
        files.fail("rename", errno.EROFS)
        with pytest.raises(BlobCorrupt):
            await store.get(ID)
    assert (root / PATH).read_bytes() == b"bad"
    files.fail("rename", errno.ENOSPC)
    assert await store.put(ID, DATA) is True
    assert await store.get(ID) == DATA


async def test_a_failed_removal_can_be_repeated(store: BlobStore, files: Watched) -> None:
    await store.put(ID, DATA)
    for call in ("unlink", f"fsync_dir {SHELF}"):
        files.fail(call, errno.EIO)
        with pytest.raises(Unavailable):
            await store.remove([ID])
        files.taken()
        await store.remove([ID])
        assert files.taken()[-1] == f"fsync_dir {SHELF}"
        assert await store.stat([ID]) == {}
        assert await store.put(ID, DATA) is True
