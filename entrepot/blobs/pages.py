"""Memory for whole blobs on their way out, in large pages, and used again.

To find memory for a blob, page by page and each of them zeroed, takes the system longer than to copy
and to hash the bytes: of the time of a large read it was half.
"""

from __future__ import annotations

import mmap
import threading
from contextlib import suppress
from typing import Final

LARGE: Final = 2 * 1024 * 1024
"""Bytes of a large page; nothing smaller is worth keeping."""

KEPT: Final = 8
"""How many buffers are kept for the next ones."""

KEPT_BYTES: Final = 8 * 1024 * 1024
"""A larger one is not kept."""


class Pages:
    """Buffers of one process, for any of its threads. One is free again when the last view of it, and of any
    part of it, is gone: nobody has to give it back, and nobody's bytes change under him.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: list[mmap.mmap] = []

    def take(self, size: int) -> memoryview:
        """A view of ``size`` bytes to be written to; what was there before may still be."""
        with self._lock:
            for buffer in self._kept:
                if len(buffer) >= size and _is_free(buffer):
                    return memoryview(buffer)[:size]
            buffer = _map(-(-size // LARGE) * LARGE)
            if len(buffer) <= KEPT_BYTES and len(self._kept) < KEPT:
                self._kept.append(buffer)
            return memoryview(buffer)[:size]


def _map(size: int) -> mmap.mmap:
    buffer = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with suppress(OSError):  # a system without them
            buffer.madvise(mmap.MADV_HUGEPAGE)
    return buffer


def _is_free(buffer: mmap.mmap) -> bool:
    """Whether nobody has a view of it: only then may it be resized, be it to the size that it has."""
    try:
        buffer.resize(len(buffer))
    except (BufferError, OSError, SystemError):  # the last two: a system that cannot resize keeps none
        return False
    return True
