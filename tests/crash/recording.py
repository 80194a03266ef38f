"""Everything that a disk store and SQLite ask of the disk, in one order.

What runs at the same time is put one after another here, so that the order is the true one.
"""

# ruff: noqa: N802, FBT001 - SQLite gives these methods their names and arguments

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import apsw

from entrepot.blobs.files import Files
from entrepot.catalog.sqlite.checkpoint import Checkpointer
from tests.crash.disk_model import DIRECTORY, Entry, Event, Mark, Sync, SyncDirectory, Write


class Record:
    """The events below one directory."""

    def __init__(self, root: Path) -> None:
        self.events: list[Event] = []
        self.laid_out = 0
        self.lock = threading.RLock()
        self._root = root
        self._inodes: dict[str, int] = {}
        self._numbers = itertools.count(1)

    def inside(self, path: str) -> str | None:
        """A path as the events have it; None outside of the directory."""
        relative = os.path.relpath(path, self._root)
        return None if relative.startswith("..") else relative

    def add(self, event: Event) -> None:
        with self.lock:
            self.events.append(event)

    def mark(self, name: str, *, acknowledged: bool) -> None:
        self.add(Mark(name, acknowledged))

    def create(self, path: str) -> int:
        name = self.inside(path)
        assert name is not None
        inode = self._inodes[name] = next(self._numbers)
        self.add(Entry(name, inode))
        return inode

    def inode(self, path: str) -> int:
        return self._inodes[os.path.relpath(path, self._root)]

    def mkdir(self, path: str) -> None:
        if name := self.inside(path):
            self.add(Entry(name, DIRECTORY))

    def rename(self, path: str, to: str) -> None:
        old, new = self.inside(path), self.inside(to)
        assert old is not None
        assert new is not None
        self._inodes[new] = self._inodes.pop(old)
        self.add(Entry(new, self._inodes[new], old))

    def unlink(self, path: str) -> None:
        name = self.inside(path)
        assert name is not None
        self._inodes.pop(name, None)
        self.add(Entry(name, None, name))

    @contextlib.contextmanager
    def watched(self, log: str) -> Iterator[None]:
        """Record too that the log is laid out ahead, which SQLite knows nothing of."""
        lay_out = Checkpointer.lay_out

        def recorded(checkpointer: Checkpointer) -> bool:
            with self.lock:
                before = os.stat(log).st_size  # noqa: PTH116 - SQLite says it in text
                more = lay_out(checkpointer)
                added = os.stat(log).st_size - before  # noqa: PTH116 - same
                if added:
                    self.laid_out += 1
                    self.add(Write(self.inode(log), before, bytes(added)))
                    self.add(Sync(self.inode(log)))
                return more

        with patch.object(Checkpointer, "lay_out", recorded):
            yield

    def sync_directory(self, path: str) -> None:
        if name := self.inside(path):
            self.add(SyncDirectory(name))


class RecordedFiles(Files):
    """The calls of a disk store. ``data`` and ``entries`` tell which syncs are made at all."""

    def __init__(self, record: Record, *, data: bool = True, entries: bool = True) -> None:
        self._record = record
        self._data = data
        self._entries = entries
        self._open: dict[int, tuple[int, int]] = {}  # descriptor → inode, end

    def create(self, path: str) -> int:
        with self._record.lock:
            fd = super().create(path)
            self._open[fd] = self._record.create(path), 0
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        with self._record.lock:
            count = super().write(fd, data)
            inode, end = self._open[fd]
            self._record.add(Write(inode, end, bytes(data[:count])))
            self._open[fd] = inode, end + count
        return count

    def fdatasync(self, fd: int) -> None:
        if self._data:
            with self._record.lock:
                super().fdatasync(fd)
                self._record.add(Sync(self._open[fd][0]))

    def rename(self, path: str, to: str) -> None:
        with self._record.lock:
            super().rename(path, to)
            self._record.rename(path, to)

    def link(self, path: str, to: str) -> None:
        raise NotImplementedError("the load damages nothing, so nothing goes back from quarantine")

    def unlink(self, path: str) -> None:
        with self._record.lock:
            super().unlink(path)
            self._record.unlink(path)

    def mkdir(self, path: str) -> None:
        with self._record.lock:
            super().mkdir(path)
            self._record.mkdir(path)

    def fsync_dir(self, path: str) -> None:
        if self._entries:
            with self._record.lock:
                super().fsync_dir(path)
                self._record.sync_directory(path)


_SYNCS_DIRECTORY = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL | apsw.SQLITE_OPEN_WAL


class RecordedVFS(apsw.VFS):
    """SQLite's calls. Register it under ``name`` by making one; keep a reference."""

    def __init__(self, name: str, record: Record) -> None:
        super().__init__(name, "unix")
        self._record = record

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if name is None or path is None:  # a temporary file, which nobody finds again
            return apsw.VFSFile("unix", name, flags)
        with self._record.lock:
            new = not os.path.exists(path)  # noqa: PTH110 - SQLite says it in text
            kind = flags[0]
            file = _File(name, flags)
            if new:
                self._record.create(path)
            file.record, file.inode = self._record, self._record.inode(path)
            file.directory = str(Path(path).parent) if new and kind & _SYNCS_DIRECTORY else None
        return file

    def xDelete(self, path: str, sync_directory: bool) -> None:
        with self._record.lock:
            super().xDelete(path, sync_directory)
            self._record.unlink(path)
            if sync_directory:
                self._record.sync_directory(str(Path(path).parent))


class _File(apsw.VFSFile):
    record: Record
    inode: int
    directory: str | None
    """To be synced with the file: SQLite does so once for a journal or log that it created."""

    def __init__(self, name: str | apsw.URIFilename, flags: list[int]) -> None:
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        with self.record.lock:
            super().xWrite(data, offset)
            self.record.add(Write(self.inode, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:
        with self.record.lock:
            super().xTruncate(size)
            self.record.add(Write(self.inode, size, None))

    def xSync(self, flags: int) -> None:
        with self.record.lock:
            super().xSync(flags)
            self.record.add(Sync(self.inode))
            if self.directory is not None:
                self.record.sync_directory(self.directory)
                self.directory = None
