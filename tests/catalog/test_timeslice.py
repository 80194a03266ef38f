"""What the copying thread asks of the scheduler."""

from __future__ import annotations

import ctypes
import os
import platform
import threading
from pathlib import Path

import apsw
import pytest

from entrepot.catalog.operations import buckets
from entrepot.catalog.sqlite import checkpoint, timeslice
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.catalog.sqlite.timeslice import LONGEST, long_slice

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


@pytest.mark.skipif(not THERE, reason="the numbers of the calls are known for Linux on two machines")
async def test_the_slice_is_long_except_in_the_turnstile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = told()
    with long_slice():
        long = told()
    monkeypatch.setattr(checkpoint, "START_PAGES", 20)
    database = await SQLite.open(tmp_path / "catalog.sqlite")
    checkpointer = database._checkpointer
    assert checkpointer is not None
    copy_back = checkpointer._copy_back
    slices: list[tuple[int, int, int]] = []
    copied = threading.Event()

    def watched(connection: apsw.Connection) -> int:
        slices.append(told())
        left = copy_back(connection)
        if len(slices) > len(checkpoint.GENTLY):
            copied.set()
        return left

    monkeypatch.setattr(checkpointer, "_copy_back", watched)
    while checkpointer.pages < checkpoint.START_PAGES:
        await database.write(buckets.create_bucket(f"bucket-{checkpointer.pages}", "ann", "main", 1))
    assert copied.wait(60)
    await database.close()
    assert slices == [*[long] * len(checkpoint.GENTLY), usual]


@pytest.mark.parametrize("numbers", [{}, {(platform.system(), platform.machine()): (99_999, 99_999)}])
def test_a_system_without_slices_is_none_the_worse(
    monkeypatch: pytest.MonkeyPatch, numbers: dict[tuple[str, str], tuple[int, int]]
) -> None:
    monkeypatch.setattr(timeslice, "_NUMBERS", numbers)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with long_slice():
        pass
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
