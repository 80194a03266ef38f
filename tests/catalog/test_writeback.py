"""What is sent to disk ahead of its sync."""

from __future__ import annotations

import sys
from pathlib import Path

import apsw
import pytest

from entrepot.catalog.sqlite import writeback
from entrepot.catalog.sqlite.writeback import SECTION_BYTES, Writeback

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the system call, and /proc, are Linux's")

MIB = 1024 * 1024


class Calls(list[tuple[int, ...]]):
    """Those that would have been made of the system."""

    def __call__(self, *arguments: int) -> int:
        self.append(arguments)
        return 0


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    calls = Calls()
    monkeypatch.setattr(writeback, "_system_call", lambda: calls)
    return calls


def test_sections_cover_the_file(tmp_path: Path, calls: Calls) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(3 * MIB + 5))
    with path.open("rb") as file:
        assert len(list(Writeback(path).sections(4))) == 4
        assert {number for number, *_ in calls} == {file.fileno()}
    ends = [start + length for _, start, length, _ in calls]
    assert [start for _, start, _, _ in calls] == [0, *ends[:-1]]
    assert ends[-1] >= 3 * MIB + 5


def test_a_small_file_is_one_section(tmp_path: Path, calls: Calls) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(SECTION_BYTES))
    with path.open("rb"):
        assert len(list(Writeback(path).sections(20))) == 1


def test_nothing_happens_to_a_file_that_nobody_has_open(tmp_path: Path, calls: Calls) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"data")
    assert list(Writeback(path).sections(4)) == []
    assert calls == []


def test_a_descriptor_that_is_another_file_now_is_not_used(tmp_path: Path, calls: Calls) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"data")
    other.write_bytes(b"data")
    ahead = Writeback(path)
    with path.open("rb") as file:
        number = file.fileno()
        list(ahead.sections(1))
    with other.open("rb") as file:
        assert file.fileno() == number
        assert list(ahead.sections(1)) == []
    assert len(calls) == 1


def test_the_locks_of_sqlite_stay(tmp_path: Path) -> None:
    """What the call is made on is SQLite's own: nothing is opened, and nothing closed that would drop its locks."""
    path = tmp_path / "file.sqlite"
    writer = apsw.Connection(str(path))
    writer.execute("CREATE TABLE numbers (number); BEGIN IMMEDIATE; INSERT INTO numbers VALUES (1)")
    locks = Path("/proc/locks").read_text()
    held = [line for line in locks.splitlines() if line.split()[5].endswith(f":{path.stat().st_ino}")]
    assert held
    assert list(Writeback(path).sections(4)) == [None]
    locks = Path("/proc/locks").read_text()
    assert [line for line in locks.splitlines() if line.split()[5].endswith(f":{path.stat().st_ino}")] == held
    writer.close()
