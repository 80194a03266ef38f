"""What the copying thread asks of the scheduler."""

from __future__ import annotations

import ctypes
import os
import platform

import pytest

from entrepot.catalog import timeslice
from entrepot.catalog.timeslice import LONGEST, long_slice

THERE = (platform.system(), platform.machine()) in timeslice._NUMBERS


def told() -> tuple[int, int, int]:
    """Policy, niceness and time slice of this thread, by the system's word."""
    attributes = timeslice._Attributes()
    number = timeslice._NUMBERS[platform.system(), platform.machine()][0]
    assert ctypes.CDLL(None).syscall(number, 0, ctypes.byref(attributes), ctypes.sizeof(attributes), 0) == 0
    return attributes.policy, attributes.nice, attributes.runtime


@pytest.mark.skipif(not THERE, reason="the numbers of the calls are known for Linux on two machines")
def test_a_thread_asks_for_a_long_slice_and_gives_it_back() -> None:
    before = told()
    version = tuple(int(part) for part in platform.release().split("-")[0].split(".")[:2])
    wanted = LONGEST if version >= (6, 12) else before[2]
    with long_slice():
        assert told() == (*before[:2], wanted)
    assert told() == before


@pytest.mark.parametrize("numbers", [{}, {(platform.system(), platform.machine()): (99_999, 99_999)}])
def test_a_system_without_slices_is_none_the_worse(
    monkeypatch: pytest.MonkeyPatch, numbers: dict[tuple[str, str], tuple[int, int]]
) -> None:
    monkeypatch.setattr(timeslice, "_NUMBERS", numbers)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with long_slice():
        pass
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
