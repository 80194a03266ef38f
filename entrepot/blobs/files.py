"""The calls a disk store makes on the operating system, in one class.

They block, so they run in threads. A subclass sees, in order, everything that reaches the disk:
tests record it, replay it up to a power cut, or let a call fail.
"""

# Paths are text here; making a Path takes longer than some of the calls.
# ruff: noqa: PTH104, PTH108, PTH116, PTH208

from __future__ import annotations

import os

from entrepot.ownership import make_directory, make_file


class Files:
    """Plain calls by path or descriptor; each raises OSError as the system does."""

    __slots__ = ()

    # What changes the disk.

    def create(self, path: str) -> int:
        """A descriptor to write a file that was not there, for this user alone, or for whom root works."""
        return make_file(path)

    def write(self, fd: int, data: memoryview) -> int:
        """The number of bytes taken, which may be less than given."""
        return os.write(fd, data)

    def fdatasync(self, fd: int) -> None:
        """Make the file's bytes and size durable. After an error never call it again on this file:
        the system may have dropped what it could not write, and would then report success.
        """
        os.fdatasync(fd)

    def rename(self, path: str, to: str) -> None:
        os.rename(path, to)

    def link(self, path: str, to: str) -> None:
        os.link(path, to)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def mkdir(self, path: str) -> None:
        make_directory(path)

    def fsync_dir(self, path: str) -> None:
        """Make the directory's entries durable."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def touch(self, fd: int) -> None:
        """Set the times of the file to now."""
        os.utime(fd)

    # What only looks.

    def open(self, path: str) -> int:
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # to open a pipe would wait for who writes to it

    def read(self, fd: int, size: int, offset: int) -> bytes:
        """At most ``size`` bytes; fewer when the file ends or the system feels like it."""
        return os.pread(fd, size, offset)

    def read_into(self, fd: int, buffer: memoryview, offset: int) -> int:
        """Fill ``buffer`` as far as :meth:`read` would; the number of bytes."""
        return os.preadv(fd, [buffer], offset)

    def close(self, fd: int) -> None:
        os.close(fd)

    def fstat(self, fd: int) -> os.stat_result:
        return os.fstat(fd)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(path)

    def names(self, path: str) -> list[str]:
        """The entries of a directory, in no order."""
        return os.listdir(path)


PLAIN = Files()
