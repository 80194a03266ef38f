"""Bringing what was written to a file on its way to the disk, before somebody waits for all of it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

SECTION_BYTES: Final = 64 * 1024
"""The smallest section that is worth a call."""

_WRITE: Final = 2
"""SYNC_FILE_RANGE_WRITE: begin to write, wait for nothing. It takes no error away from the sync that follows."""


class Writeback:
    """Asks Linux to begin to write a file that this process has open elsewhere; does nothing on other systems.

    No promise rests on it: whoever needs the bytes on disk syncs, and finds less to wait for.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.stat()
        self._descriptor = -1
        self._begin = _system_call()

    def sections(self, most: int) -> Iterator[None]:
        """Begin to write one section of the file with every step, of ``most`` at most."""
        if self._begin is None:
            return
        try:
            descriptor = self._find()
            size = os.fstat(descriptor).st_size
        except OSError:  # nobody has it open, or there is no /proc
            return
        section = max(-(-size // most), SECTION_BYTES)
        for start in range(0, size, section):
            self._begin(descriptor, start, section, _WRITE)
            yield

    def _find(self) -> int:
        """A descriptor of the file that somebody else has opened; -1 when there is none. Raises OSError.

        To open one here and close it would let go of every lock that this process has on the file (fcntl(2)),
        SQLite's among them. One that is closed meanwhile, or is another file's by then, does no harm.
        """
        if not self._is_ours(self._descriptor):
            numbers = (int(entry.name) for entry in Path("/proc/self/fd").iterdir())
            self._descriptor = next(filter(self._is_ours, numbers), -1)
        return self._descriptor

    def _is_ours(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.fstat(descriptor), self._file)
        except OSError:  # closed by now, as the listing's own is
            return False


def _system_call() -> Callable[[int, int, int, int], int] | None:
    """sync_file_range(2), where there is one."""
    call = getattr(ctypes.CDLL(None), "sync_file_range", None)
    if call is not None:
        call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    return call
