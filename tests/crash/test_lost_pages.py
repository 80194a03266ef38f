"""A disk that loses what was not synced and says so once, as Linux does: the next sync knows nothing of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import apsw
import pytest

from entrepot.catalog.operations import buckets
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.errors import Unavailable

PIECE: Final = 65_536
"""SQLite's own files take no more than 128 KiB at once."""


class ForgetfulVFS(apsw.VFS):
    """SQLite on a disk that forgets at the next sync of the database file what was written since the last one."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "unix")
        self.sick = False
        self.synced: dict[str, bytes] = {}

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        if not flags[0] & apsw.SQLITE_OPEN_MAIN_DB:
            return apsw.VFSFile("unix", name, flags)
        file = _ForgetfulFile("unix", name, flags)
        file.vfs, file.path = self, Path(name.filename())
        return file


class _ForgetfulFile(apsw.VFSFile):
    vfs: ForgetfulVFS
    path: Path

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        if self.vfs.sick:
            self.vfs.sick = False
            kept = self.vfs.synced[str(self.path)]
            super().xTruncate(len(kept))
            for start in range(0, len(kept), PIECE):
                super().xWrite(kept[start : start + PIECE], start)
            error = apsw.IOError("the disk lost what was written")
            error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]  # apsw's types lack it
            raise error
        super().xSync(flags)
        self.vfs.synced[str(self.path)] = super().xRead(super().xFileSize(), 0)


@pytest.fixture
def vfs() -> Iterator[ForgetfulVFS]:
    vfs = ForgetfulVFS("forgetful")
    yield vfs
    vfs.unregister()


async def names(database: SQLite) -> list[str]:
    return [bucket.name for bucket in await database.read(buckets.list_buckets("", "", 2000))]


async def add(database: SQLite, first: int) -> list[str]:
    added = [f"bucket-{number:04}" for number in range(first, first + 300)]
    for name in added:
        await database.write(buckets.create_bucket(name, "ann", "main", 1))
    return added


async def test_what_a_failed_sync_lost_is_copied_again(tmp_path: Path, vfs: ForgetfulVFS) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "catalog.sqlite"
    database = await SQLite.open(path, vfs="forgetful")
    checkpointer = database._checkpointer
    assert checkpointer is not None
    copier = database._connect()
    checkpointer._copy_back(copier)  # to the end, and synced
    added = await add(database, 0)
    reader = database._connect()
    reader.execute("BEGIN; SELECT count(*) FROM buckets")
    added += await add(database, 300)
    assert checkpointer._copy_back(copier) > 0  # up to where the reader is, and not synced
    reader.close()
    vfs.sick = True
    checkpointer._copy_back(copier)
    assert not vfs.sick
    with pytest.raises(Unavailable, match="start again"):
        await database.check()
    added += await add(database, 600)  # what is acknowledged is in the log
    checkpointer._copy_back(copier)
    added += await add(database, 900)
    copier.close()
    assert await names(database) == added
    await database.close()
    shutil.copytree(path.parent, tmp_path / "later")
    later = await SQLite.open(tmp_path / "later" / "catalog.sqlite")
    assert await names(later) == added
    assert later._reader.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    await later.check()
    await later.close()
