"""The calls of a disk store, written down, and made to fail."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from entrepot.blobs.files import Files


class Watched(Files):
    """``calls`` is what reached the disk, in order, as words: a verb and the places it touched,
    relative to ``root``; a file in ``tmp`` is called so, whatever its name.

    ``before`` maps a call, as ``"rename"`` or ``"fsync_dir aa/bb"``, to what is done once before the
    next such call; ``fail`` lets it raise there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls: list[str] = []
        self.most = 1 << 40  # bytes that one write or read takes
        self.before: dict[str, Callable[[], None]] = {}
        self._paths: dict[int, str] = {}

    def fail(self, call: str, error: int) -> None:
        def refuse() -> None:
            raise OSError(error, os.strerror(error))

        self.before[call] = refuse

    def taken(self) -> list[str]:
        """The calls so far; they are forgotten."""
        calls, self.calls = self.calls, []
        return calls

    def _note(self, verb: str, *paths: str, amount: str = "") -> None:
        places = [os.path.relpath(path, self.root) for path in paths]
        words = " ".join([verb, *("tmp/*" if place.startswith("tmp/") else place for place in places)])
        self.calls.append(words + amount)
        for call in (verb, words):
            if act := self.before.pop(call, None):
                act()

    def create(self, path: str) -> int:
        self._note("create", path)
        fd = super().create(path)
        self._paths[fd] = path
        return fd

    def write(self, fd: int, data: memoryview) -> int:
        self._note("write", self._paths[fd])
        return super().write(fd, data[: self.most])

    def fdatasync(self, fd: int) -> None:
        self._note("fdatasync", self._paths[fd])
        super().fdatasync(fd)

    def rename(self, path: str, to: str) -> None:
        self._note("rename", path, to)
        super().rename(path, to)

    def link(self, path: str, to: str) -> None:
        self._note("link", path, to)
        super().link(path, to)

    def unlink(self, path: str) -> None:
        self._note("unlink", path)
        super().unlink(path)

    def mkdir(self, path: str) -> None:
        self._note("mkdir", path)
        super().mkdir(path)

    def fsync_dir(self, path: str) -> None:
        self._note("fsync_dir", path)
        super().fsync_dir(path)

    def touch(self, fd: int) -> None:
        self._note("touch", self._paths[fd])
        super().touch(fd)

    def open(self, path: str) -> int:
        fd = super().open(path)
        self._paths[fd] = path
        return fd

    def read(self, fd: int, size: int, offset: int) -> bytes:
        self._note("read", self._paths[fd], amount=f" {offset}+{size}")
        return super().read(fd, min(size, self.most), offset)

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        self._note("read", self._paths[fd], amount=f" {offset}+{len(buffer)}")
        return super().read_into(fd, buffer[: self.most], offset)
