"""A file of the store that cannot be read, as on a bad sector: it costs what needs it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.programs import Shell

KEYS = ("a", "b", "c")


@pytest.fixture
def ailing(tmp_path: Path) -> Shell:
    """Three objects in ``photos``, of which the middle one cannot be read."""
    shell = Shell(tmp_path, humble=True)
    shell.run("bucket", "create", "photos")
    for key in KEYS:
        before = set(_files(tmp_path))
        shell.run("put", "-", f"photos/{key}", stdin=key.encode() * 100_000)
        [blob] = set(_files(tmp_path)) - before
        if key == "b":
            bad = blob
    bad.chmod(0)
    return shell


def _files(home: Path) -> Iterator[Path]:
    return (home / "entrepot-data/blobs").glob("*/*/*")


def test_the_way_out_goes_on(ailing: Shell) -> None:
    told = ailing.fail("export", "photos", "out")
    assert "photos/b: store main: Permission denied" in told
    lines = [json.loads(line) for line in (ailing.home / "out/entrepot-export.jsonl").read_text().splitlines()]
    assert {line["key"]: "error" in line for line in lines} == {"a": False, "b": True, "c": False}
    assert "photos/b: " in ailing.fail("get", "-r", "photos", "got")
    assert sorted(path.name for path in (ailing.home / "got").iterdir()) == ["a", "c"]
    assert "photos/b: " in ailing.fail("get", "photos/b", "b")


def test_a_deep_check_names_it_and_reads_the_rest(ailing: Shell) -> None:
    done = ailing.attempt("check", "--deep")
    assert done.code == 1
    [line] = done.lines
    assert line.startswith("unreadable: version photos/b (null): blob ")
    assert "Permission denied" in line
    ailing.run("put", "-", "photos/again", stdin=b"b" * 100_000)
    assert ailing.run("get", "photos/b", "-").data == b"b" * 100_000
    ailing.run("check", "--deep")
