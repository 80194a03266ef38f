"""Writing files below one directory of this host, and never outside of it.

A path is a sequence of names. Each is opened relative to the one before and no symbolic link is
followed on the way, so a link that lies in the directory leads nowhere. A file appears under its
name when it is whole: until then it is ``.entrepot-….part`` beside it. One that a killed process
left behind goes when something is written beside it an hour later.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import secrets
import stat
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from blake3 import blake3

from entrepot.errors import ArgumentInvalid
from entrepot.model import Buffer

NAME_BYTES: Final = 255
READ_BYTES: Final = 1 << 20
LEFTOVER_AGE: Final = 3600
"""Seconds for which nobody has written to a part that nobody will."""

_LEFTOVER: Final = re.compile(r"\.entrepot-[0-9a-f]{16}\.part")

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PART: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def is_safe(path: str) -> bool:
    """Whether a key, cut at its slashes, can be a path below a directory as it is."""
    return all(
        name not in {"", ".", ".."} and name.isprintable() and len(name.encode()) <= NAME_BYTES
        for name in path.split("/")
    )


class Folder:
    """A directory, made if need be."""

    def __init__(self, root: Path) -> None:
        self.root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(root)) from error
        self._handle = os.open(root, _FOLDER)
        self._swept: set[tuple[str, ...]] = set()

    def close(self) -> None:
        os.close(self._handle)

    @contextlib.contextmanager
    def _parent(self, names: Sequence[str], *, make: bool) -> Iterator[int]:
        """The directory that holds the last of ``names``, as a handle."""
        handle = os.dup(self._handle)
        try:
            for name in names[:-1]:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(name, dir_fd=handle)
                try:
                    below = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                except NotADirectoryError as error:
                    raise in_the_way(self.root.joinpath(*names), name) from error
                os.close(handle)
                handle = below
            yield handle
        finally:
            os.close(handle)

    async def write(self, names: Sequence[str], data: AsyncIterator[Buffer], modified: int) -> tuple[int, bytes]:
        """Write a file from a stream; ``modified`` is microseconds. Returns its size and BLAKE3 digest.

        Raises OSError, ArgumentInvalid when something that is no file has the name, and what
        ``data`` raises; then nothing of the file is there, and the one before it still is.
        """
        with self._naming(names), self._parent(names, make=True) as parent:
            if _is_special(names[-1], parent):
                raise in_the_way(self.root.joinpath(*names), names[-1])
            self._sweep(tuple(names[:-1]), parent)
            part = f".entrepot-{secrets.token_hex(8)}.part"
            handle = os.open(part, _PART, 0o666, dir_fd=parent)
            try:
                size, digest = await _fill(handle, data)
                os.utime(part, ns=(modified * 1000, modified * 1000), dir_fd=parent)
                try:
                    os.replace(part, names[-1], src_dir_fd=parent, dst_dir_fd=parent)
                except IsADirectoryError as error:
                    raise in_the_way(self.root.joinpath(*names), names[-1]) from error
            except BaseException:
                os.unlink(part, dir_fd=parent)
                raise
            return size, digest

    def _sweep(self, names: tuple[str, ...], handle: int) -> None:
        """Remove parts of processes that were killed from a directory that is written to for the first time."""
        if names in self._swept:
            return
        self._swept.add(names)
        oldest = time.time() - LEFTOVER_AGE
        for name in filter(_LEFTOVER.fullmatch, os.listdir(handle)):
            with contextlib.suppress(OSError):  # somebody else's, or gone: not what this is about
                if os.stat(name, dir_fd=handle, follow_symlinks=False).st_ctime < oldest:
                    os.unlink(name, dir_fd=handle)

    @contextlib.contextmanager
    def _naming(self, names: Sequence[str]) -> Iterator[None]:
        """An OSError within names the file that is meant, not one that is made on the way."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(self.root.joinpath(*names))) from error

    def find(self, names: Sequence[str]) -> IO[bytes] | None:
        """A file that is there, opened for reading; None when there is none."""
        try:
            with self._parent(names, make=False) as parent:
                handle = os.open(names[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=parent)
        except (OSError, ArgumentInvalid):
            return None
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            return None
        return os.fdopen(handle, "rb")


def _is_special(name: str, parent: int) -> bool:
    """Whether something has the name that is no file, such as a device, or leads to such a thing."""
    try:
        found = os.stat(name, dir_fd=parent)
    except OSError:  # nothing, or a link that leads nowhere
        return False
    return not stat.S_ISREG(found.st_mode)


def in_the_way(path: Path, name: str) -> ArgumentInvalid:
    return ArgumentInvalid("path", path, f"{path} cannot be written: something else has the name {name!r}")


async def _fill(handle: int, data: AsyncIterator[Buffer]) -> tuple[int, bytes]:
    """Write a stream to a file and close it."""
    whole, size = blake3(), 0

    def write(part: Buffer) -> None:
        file.write(part)
        whole.update(part)

    with os.fdopen(handle, "wb") as file:
        async for part in data:
            await asyncio.to_thread(write, part)
            size += len(part)
    return size, whole.digest()


async def read_file(file: IO[bytes]) -> AsyncIterator[bytes]:
    """A file from where it stands to its end."""
    while data := await asyncio.to_thread(file.read, READ_BYTES):
        yield data


async def digest_of(data: AsyncIterator[Buffer]) -> bytes:
    """The BLAKE3 digest of a stream."""
    whole = blake3()
    async for part in data:
        await asyncio.to_thread(whole.update, part)
    return whole.digest()
