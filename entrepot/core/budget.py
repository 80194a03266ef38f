"""What bodies may take of the memory, however many clients are slow, and the gathering of a blob's worth of one."""

from __future__ import annotations

import contextlib
import errno
import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from entrepot.errors import Busy, StoreFull, Unavailable
from entrepot.model import Buffer


class Budget:
    """How many bytes of bodies, on their way in or out, this process may hold in memory at once."""

    def __init__(self, limit: int, spool: Path | None) -> None:
        self.limit = limit
        self.used = 0
        self.spool = spool

    def take(self, size: int) -> bool:
        """Book ``size`` bytes; False when they do not fit. Without a spool they always do."""
        if self.spool is not None and self.used + size > self.limit:
            return False
        self.used += size
        return True

    def give(self, size: int) -> None:
        self.used -= size

    def book(self, size: int) -> Booking | None:
        """Take ``size`` bytes for a reader, or None when more than half of all would be in use then: what does
        not fit on its way out is sent in slices, what does not on its way in has to go through the spool.
        """
        return Booking(self, size) if self.used + size <= self.limit // 2 else None


class Booking:
    """Bytes that are taken until :meth:`close`, or until nobody has this any more: nobody closes a stream that
    was never begun.
    """

    __slots__ = ("_budget", "_size")

    def __init__(self, budget: Budget | Portion, size: int) -> None:
        self._budget = budget
        self._size = size
        budget.used += size

    def grow(self, size: int) -> None:
        """Come to ``size`` bytes in all. Raises Busy when there is no room for them."""
        if not self._budget.take(size - self._size):
            raise Busy("the documents of other requests fill the memory that there is for them")
        self._size = size

    def close(self) -> None:
        """Give the bytes back. Idempotent."""
        self._budget.give(self._size)
        self._size = 0

    def __del__(self) -> None:
        self.close()


class Portion:
    """What one kind of use may take of a budget at most, all of it together."""

    def __init__(self, whole: Budget, limit: int) -> None:
        self._whole = whole
        self._limit = limit
        self.used = 0

    def open(self) -> Booking:
        """Nothing yet, to be grown."""
        return Booking(self, 0)

    def take(self, size: int) -> bool:
        """Book ``size`` bytes; False when the portion does not have them."""
        if self.used + size > self._limit:
            return False
        self.used += size
        self._whole.used += size
        return True

    def give(self, size: int) -> None:
        self.used -= size
        self._whole.used -= size


class Gathering:
    """Bytes of one blob under way: in memory while the budget allows, else in an unnamed file.

    A file once begun stays the place until the blob is whole. ``close`` gives everything back;
    call it once the buffer from :meth:`whole` is not used any more.
    """

    __slots__ = ("_booked", "_budget", "_file", "_memory", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._memory = bytearray()
        self._file: IO[bytes] | None = None
        self._booked = 0
        self.size = 0

    def add(self, data: Buffer) -> None:
        """Raises StoreFull, Unavailable: the file cannot take it, and only ``close`` may follow."""
        size = len(data)
        self.size += size
        if self._file is None:
            if self._budget.take(size):
                self._booked += size
                self._memory += data
                return
            with _spooling():
                self._file = tempfile.TemporaryFile(dir=self._budget.spool)  # noqa: SIM115 - close() closes it
                self._file.write(self._memory)
            self._forget_memory()
        with _spooling():
            self._file.write(data)

    def whole(self) -> Buffer:
        """Everything that was added, as one buffer. Raises what :meth:`add` raises."""
        if self._file is None:
            return self._memory
        with _spooling():
            self._file.flush()
        return memoryview(mmap.mmap(self._file.fileno(), self.size, access=mmap.ACCESS_READ))

    def close(self) -> None:
        self._forget_memory()
        if self._file is not None:
            with contextlib.suppress(OSError):  # it would write once more what did not fit before
                self._file.close()
            self._file = None

    def _forget_memory(self) -> None:
        self._memory = bytearray()
        self._budget.give(self._booked)
        self._booked = 0


@contextlib.contextmanager
def _spooling() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"the spool of bodies: {error.strerror or error}"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreFull(reason) if full else Unavailable(reason) from error
