"""A sign of life from one process to another, through memory that both have."""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

BEAT_SECONDS: Final = 1.0
"""How often a worker gives it."""

_TIME: Final = struct.Struct("d")


class Heartbeat:
    """Made before a fork: the child gives signs, the parent looks for the last one (of ``time.monotonic``, which is
    the same clock in all processes).
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _TIME.size)
        self.give()

    def give(self) -> None:
        """One sign of life."""
        _TIME.pack_into(self._memory, 0, time.monotonic())

    @property
    def last(self) -> float:
        """When the last one was given."""
        found: float = _TIME.unpack_from(self._memory, 0)[0]
        return found
