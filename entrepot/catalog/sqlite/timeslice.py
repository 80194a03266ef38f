"""Working in the background without being in anybody's way, and without being starved either."""

from __future__ import annotations

import contextlib
import ctypes
import platform
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 100_000_000
"""Nanoseconds of the longest time slice that Linux grants."""

_NUMBERS: Final = {("Linux", "x86_64"): (315, 314), ("Linux", "aarch64"): (275, 274)}
"""sched_getattr(2) and sched_setattr(2), for which most C libraries have no functions."""


class _Attributes(ctypes.Structure):
    """struct sched_attr. ``runtime`` is the time slice of a thread that is scheduled as most are."""

    _fields_ = (
        ("size", ctypes.c_uint32), ("policy", ctypes.c_uint32), ("flags", ctypes.c_uint64), ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32), ("runtime", ctypes.c_uint64), ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64), ("util_min", ctypes.c_uint32), ("util_max", ctypes.c_uint32),
    )  # fmt: skip
    runtime: int


@contextlib.contextmanager
def long_slice() -> Iterator[None]:
    """Inside, this thread makes way at once for every other one that wakes up, as it asked for a longer time slice than
    they did; its share of the processor stays the same. No promise rests on it: where the system has no such thing
    (Linux before 6.12, and others) or refuses, nothing is different.
    """
    numbers = _NUMBERS.get((platform.system(), platform.machine()))
    if numbers is None:
        yield
        return
    usual = _exchange(numbers, LONGEST)
    try:
        yield
    finally:
        if usual is not None:
            _exchange(numbers, usual)


def _exchange(numbers: tuple[int, int], slice_: int) -> int | None:
    """Change the time slice of this thread and nothing else of it; the one that it had, None when that is not told."""
    call = ctypes.CDLL(None).syscall
    attributes = _Attributes()
    if call(numbers[0], 0, ctypes.byref(attributes), ctypes.sizeof(attributes), 0) != 0:
        return None
    before = attributes.runtime
    attributes.runtime = slice_
    call(numbers[1], 0, ctypes.byref(attributes), 0)
    return before
