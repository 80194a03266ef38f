"""What a disk may hold after a power cut, from a record of what was asked of it.

The model is POSIX and no more: bytes of a file are there once the file was synced, an entry of a
directory once the directory was. Whatever came later may be there or not, each piece by itself, and
a write may be there in part. Every real file system promises more than that.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

SECTOR = 512
DIRECTORY = -1


class Write(NamedTuple):
    """Bytes of a file from an offset on; without bytes, its new end."""

    inode: int
    offset: int
    data: bytes | None


class Entry(NamedTuple):
    """A change of names that happens at once: ``gone`` disappears, ``path`` is the inode then."""

    path: str
    inode: int | None
    gone: str | None = None


class Sync(NamedTuple):
    """A file is on disk."""

    inode: int


class SyncDirectory(NamedTuple):
    """The entries of a directory are on disk."""

    path: str


class Mark(NamedTuple):
    """Nothing of the disk: the program began or acknowledged something."""

    name: str
    acknowledged: bool


Change = Write | Entry
Event = Write | Entry | Sync | SyncDirectory | Mark
Tree = dict[str, bytes | None]
"""Files with their bytes by path, directories with None."""


@dataclass
class Disk:
    """What is certainly on disk, and what is under way to it."""

    files: dict[int, bytes] = field(default_factory=dict)
    entries: dict[str, int] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def take(self, event: Event) -> None:
        if isinstance(event, Write | Entry):
            self.pending.append(event)
        elif isinstance(event, Sync):
            self._settle(lambda change: isinstance(change, Write) and change.inode == event.inode)
        elif isinstance(event, SyncDirectory):
            self._settle(lambda change: isinstance(change, Entry) and _parent(change.path) == event.path)

    def _settle(self, durable: Callable[[Change], bool]) -> None:
        for change in self.pending:
            if durable(change):
                _apply(change, self.files, self.entries)
        self.pending = [change for change in self.pending if not durable(change)]

    def after(self, changes: Sequence[Change]) -> Tree:
        """The tree that is found after these of the pending changes have made it."""
        files, entries = dict(self.files), dict(self.entries)
        for change in changes:
            _apply(change, files, entries)
        tree: Tree = {}
        for path in sorted(entries):  # parents come first
            above = _parent(path)
            if above == "." or (above in tree and tree[above] is None):
                tree[path] = None if entries[path] == DIRECTORY else files.get(entries[path], b"")
        return tree


def _apply(change: Change, files: dict[int, bytes], entries: dict[str, int]) -> None:
    if isinstance(change, Entry):
        if change.gone is not None:
            entries.pop(change.gone, None)
        if change.inode is not None:
            entries[change.path] = change.inode
        return
    old = files.get(change.inode, b"")
    if change.data is None:
        files[change.inode] = old[: change.offset].ljust(change.offset, b"\0")
        return
    before = old[: change.offset].ljust(change.offset, b"\0")
    files[change.inode] = before + change.data + old[change.offset + len(change.data) :]


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def outcomes(pending: Sequence[Change], chance: random.Random, *, many: bool) -> Iterator[list[Change]]:
    """Choices of the pending changes that may have been made: none, all, and if ``many`` all but
    one, one alone, some by chance, and with writes torn."""
    yield []
    yield list(pending)
    if not many:
        return
    for index, change in enumerate(pending):
        yield [*pending[:index], *pending[index + 1 :]]
        yield [change]
        if isinstance(change, Write) and change.data is not None and len(change.data) > SECTOR:
            for torn in _torn(change, chance):
                yield [*pending[:index], torn, *pending[index + 1 :]]
                yield [*pending[:index], torn]
    for _ in range(4):
        yield [change for change in pending if chance.random() < 0.5]


def _torn(write: Write, chance: random.Random) -> Iterator[Write]:
    """A write of which the beginning, or the end, reached the disk: whole sectors of it."""
    assert write.data is not None
    cut = chance.randrange(1, (len(write.data) + SECTOR - 1) // SECTOR) * SECTOR
    cut -= write.offset % SECTOR
    yield write._replace(data=write.data[:cut])
    yield write._replace(offset=write.offset + cut, data=write.data[cut:])


def materialise(tree: Tree, root: Path) -> None:
    root.mkdir()
    for path, data in tree.items():
        if data is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(data)
