"""The directory of a disk store: ``aa/bb/<digest>``, ``tmp`` and ``quarantine``. Blocking.

What holds at any moment, for every process that uses the directory:

1. A file under its final name has had all its bytes made durable before it got the name.
2. A blob is acknowledged only after the process that acknowledges it has made durable every
   directory entry that leads to it.
3. A file under its final name is never written to: it is replaced, set aside or removed.
4. A failed ``put`` leaves the blob whole or absent, and at worst a file in ``tmp``.
"""

from __future__ import annotations

import os
import re
import secrets
import stat as modes
import time
from collections.abc import Collection, Hashable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from entrepot.blobs.files import Files
from entrepot.blobs.pages import LARGE, Pages
from entrepot.blobs.store import MAX_BLOB, Found, Sound, check_span
from entrepot.errors import BlobCorrupt, BlobMissing
from entrepot.model import BlobId, Buffer, Span

INCOMING = "tmp"
"""The directory of files under way, which a store that was ever opened has."""

LEFTOVER_AGE = 3600
"""Seconds after which a file in ``tmp`` belongs to nobody: other processes write there too."""

_TICK = 50_000_000  # ns; a file may change twice within one tick of the clock that stamps it
_PAGES = Pages()
_PAGE = 1024  # blobs at least in a page, but for the last


class Stamp(NamedTuple):
    """Tells a file from any other, and from itself after a change."""

    inode: int
    size: int
    changed: int  # ns


def is_store(root: Path) -> bool:
    """Whether a directory is a store already, or a copy of what one kept. Of what cannot be looked into, opening it
    tells what is wrong.
    """
    try:
        names = [path.name for path in root.iterdir()]
    except OSError as error:
        return not isinstance(error, FileNotFoundError)
    return any(name == INCOMING or (len(name) == 2 and not name.strip(_DIGITS)) for name in names)


def find_blob(root: Path) -> Path | None:
    """The first file in a store's directory that has a blob's name; None when there is none, or it cannot be looked
    into.
    """
    found = (file for file in root.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*") if _NAME.fullmatch(file.name))
    with suppress(OSError):
        return next(found, None)
    return None


class Shelves:
    """Blobs as files. Every method may be called from any thread, and raises OSError."""

    def __init__(self, root: Path, name: str, files: Files) -> None:
        """Make what is not there and sweep what crashed writers left."""
        root = root.absolute()
        self._name = name
        self._root = str(root)
        self._incoming = str(root / INCOMING)
        self._quarantine = str(root / "quarantine")
        self._files = files
        self._settled: set[str] = set()  # directories whose own entry this process made durable
        self._suspect: set[BlobId] = set()  # named, but making the name durable failed
        self._prepare(root)
        self._sweep()

    def put(self, id: BlobId, data: Buffer, sound: Sound, *, spared: bool = True) -> bool:
        """Keep the blob; True if it was not there whole. Durable on return. What is there is ``spared`` the writing,
        or else written once more, by the very calls that write what is not.
        """
        place = self._place(id)
        if spared and id not in self._suspect and self._renew(id, place.path, sound):
            self._settle(id, place)
            return False
        new = spared or not self.sizes([id])
        self._make(place)
        self._write(place.path, data)
        self._settle(id, place)
        return new

    def read(self, id: BlobId, sound: Sound) -> Found:
        """All of a blob; without a stamp if the file was changed so lately that it might not tell a further change.

        Raises BlobMissing, BlobCorrupt.
        """
        path = self._place(id).path
        fd = self._open(id, path)
        try:
            whole = self._verify(id, path, fd, sound)
        finally:
            self._files.close(fd)
        if whole is None:
            raise BlobCorrupt(id.hex(), self._name)
        return whole

    def verify_part(self, id: BlobId, span: Span, sound: Sound) -> Found:
        """Read and verify the whole, and give the bytes of ``span``, as far as there are any: callers that wait for
        their turn hold no more than they asked for. Without a stamp it gives all, as nobody else could go on reading
        the same file then. Raises what :meth:`read` does.
        """
        whole = self.read(id, sound)
        if whole.stamp is None:
            return whole
        part = bytes(memoryview(whole.data)[span.start : span.end])
        return Found(part, span.start, whole.size, whole.stamp)

    def read_part(self, id: BlobId, span: Span, sound: Sound, stamp: Hashable) -> Found:
        """The bytes of ``span`` alone, if this is the file that was verified; else as :meth:`verify_part`. Raises
        RangeInvalid besides.
        """
        fd = self._open(id, self._place(id).path)
        try:
            found = _stamp(self._files.fstat(fd))
            if found == stamp:
                check_span(span, found.size)
                part = self._pull(fd, span.size, span.start)
                if len(part) == span.size:
                    return Found(part, span.start, found.size, found)
        finally:
            self._files.close(fd)
        return self.verify_part(id, span, sound)

    def sizes(self, ids: Collection[BlobId]) -> dict[BlobId, int]:
        """Of the blobs that are there."""
        sizes = {}
        for id in ids:
            with suppress(FileNotFoundError):
                sizes[id] = self._files.stat(self._place(id).path).st_size
        if len(sizes) < len(ids):
            self._check_mounted()
        return sizes

    def remove(self, ids: Collection[BlobId]) -> None:
        """Durable on return; absent blobs are passed over."""
        self._check_mounted()
        touched = set()
        for id in ids:
            place = self._place(id)
            touched.add(place.shelf)  # for an absent one too: who unlinked it may have failed here
            with suppress(FileNotFoundError):
                self._files.unlink(place.path)
        for shelf in touched:
            with suppress(FileNotFoundError):
                self._files.fsync_dir(shelf)

    def pages(self, after: BlobId | None) -> Iterator[list[BlobId]]:
        """The blobs in order, in lists that are never empty. Strange names are passed over."""
        self._check_mounted()
        low = "" if after is None else after.hex()
        page: list[BlobId] = []
        for outer in self._entries(self._root, low[:2], 2):
            for inner in self._entries(f"{self._root}/{outer}", low[2:4] if outer == low[:2] else "", 2):
                names = self._entries(f"{self._root}/{outer}/{inner}", low, 64)
                page += [
                    BlobId(bytes.fromhex(name)) for name in names if name != low and name.startswith(outer + inner)
                ]
                if len(page) >= _PAGE:
                    yield page
                    page = []
        if page:
            yield page

    def _renew(self, id: BlobId, path: str, sound: Sound) -> bool:
        """Whether the blob is there and whole: its date is now, then. A damaged file is set aside.

        The file is read for that, because the caller is about to drop its own good copy. One that cannot be read is
        as good as absent: that copy takes its place.
        """
        try:
            fd = self._files.open(path)
            try:
                if self._verify(id, path, fd, sound) is None:
                    return False
                self._files.touch(fd)
            finally:
                self._files.close(fd)
        except OSError:
            return False
        return True

    def _make(self, place: _Place) -> None:
        """Make the directories of a blob: before its bytes are synced, so that one commit of the
        file system's journal may carry both.
        """
        if place.shelf not in self._settled:
            for directory in (place.outer, place.shelf):
                with suppress(FileExistsError):
                    self._files.mkdir(directory)

    def _write(self, path: str, data: Buffer) -> None:
        """Make the bytes durable, then give them their name, which is not durable yet."""
        files = self._files
        incoming = f"{self._incoming}/{secrets.token_hex(16)}"
        fd = files.create(incoming)
        try:
            try:
                rest = memoryview(data)
                while rest:
                    rest = rest[files.write(fd, rest) :]
                files.fdatasync(fd)
            finally:
                files.close(fd)
            files.rename(incoming, path)
        except BaseException:
            with suppress(OSError):  # the first error counts; the sweep takes what stays behind
                files.unlink(incoming)
            raise

    def _settle(self, id: BlobId, place: _Place) -> None:
        """Make durable the entries that lead to a blob. Those that were there before are no
        exception: the process that made them may not have come this far.

        After a failure the system may have forgotten that the entry is not on disk, and a second
        fsync would succeed for nothing. So the next ``put`` names the blob anew.
        """
        self._suspect.add(id)
        self._files.fsync_dir(place.shelf)
        self._suspect.discard(id)
        for directory, parent in ((place.shelf, place.outer), (place.outer, self._root)):
            if directory not in self._settled:
                self._files.fsync_dir(parent)
                self._settled.add(directory)

    def _open(self, id: BlobId, path: str) -> int:
        try:
            return self._files.open(path)
        except FileNotFoundError:
            self._check_mounted()
            raise BlobMissing(id.hex()) from None

    def _check_mounted(self) -> None:
        """Raises FileNotFoundError when what is absent may be the disk and not the blob: nobody
        makes ``tmp`` in an empty mount point.
        """
        self._files.stat(self._incoming)

    def _verify(self, id: BlobId, path: str, fd: int, sound: Sound) -> Found | None:
        """All bytes of the open file, or None after setting it aside as damaged."""
        status = self._files.fstat(fd)
        if modes.S_ISREG(status.st_mode) and status.st_size <= MAX_BLOB:
            data = self._pull(fd, status.st_size, 0)
            if sound(id, data):
                quiet = time.time_ns() - status.st_ctime_ns > _TICK
                return Found(data, 0, len(data), _stamp(status) if quiet else None)
        with suppress(OSError):  # a disk that is full or read-only keeps it; it is not served for that
            self._set_aside(id, path, status)
        return None

    def _pull(self, fd: int, size: int, offset: int) -> Buffer:
        """``size`` bytes, fewer only if the file ends before."""
        if size >= LARGE:
            return self._pull_large(fd, size, offset)
        data = self._files.read(fd, size, offset)
        while len(data) < size:
            more = self._files.read(fd, size - len(data), offset + len(data))
            if not more:
                break
            data += more
        return data

    def _pull_large(self, fd: int, size: int, offset: int) -> Buffer:
        """The same in memory that is used again."""
        view = _PAGES.take(size)
        end = 0
        while end < size and (count := self._files.read_into(fd, view[end:], offset + end)):
            end += count
        return view[:end].toreadonly()

    def _set_aside(self, id: BlobId, path: str, damaged: os.stat_result) -> None:
        """Move a damaged file to quarantine. Another process may have put a sound one in its
        place since it was read: that one stays, or goes back.
        """
        files = self._files
        if files.stat(path).st_ino != damaged.st_ino:
            return
        aside = f"{self._quarantine}/{id.hex()}.{time.time_ns()}"
        files.rename(path, aside)
        if files.stat(aside).st_ino == damaged.st_ino:
            files.fsync_dir(self._quarantine)
            return
        with suppress(FileExistsError):
            files.link(aside, path)
        files.fsync_dir(self._place(id).shelf)
        files.unlink(aside)

    def _entries(self, path: str, low: str, length: int) -> list[str]:
        """The names from ``low`` on that are ``length`` hexadecimal digits."""
        try:
            names = self._files.names(path)
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if name >= low and len(name) == length and not name.strip(_DIGITS))

    def _prepare(self, root: Path) -> None:
        above = [path for path in root.parents if not path.exists()]
        for path in (*reversed(above), root):
            with suppress(FileExistsError):
                self._files.mkdir(str(path))
            self._files.fsync_dir(str(path.parent))
        for directory in (self._incoming, self._quarantine):
            with suppress(FileExistsError):
                self._files.mkdir(directory)
        self._files.fsync_dir(self._root)

    def _sweep(self) -> None:
        oldest = time.time() - LEFTOVER_AGE
        for name in self._files.names(self._incoming):
            path = f"{self._incoming}/{name}"
            with suppress(OSError):  # another process sweeps or has renamed its file; or it is none of ours, or stays
                if self._files.stat(path).st_mtime < oldest:
                    self._files.unlink(path)

    def _place(self, id: BlobId) -> _Place:
        name = id.hex()
        outer = f"{self._root}/{name[:2]}"
        shelf = f"{outer}/{name[2:4]}"
        return _Place(outer, shelf, f"{shelf}/{name}")


class _Place(NamedTuple):
    outer: str  # the directory aa
    shelf: str  # the directory aa/bb
    path: str


def _stamp(status: os.stat_result) -> Stamp:
    return Stamp(status.st_ino, status.st_size, status.st_ctime_ns)


_DIGITS = "0123456789abcdef"
_NAME = re.compile(f"[{_DIGITS}]{{64}}")
