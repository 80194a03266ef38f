"""restic, which sends signed chunks over HTTP: a repository from its birth to its prune."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.clients.programs import Program, client_environment, find_program
from tests.clients.trees import make_bytes, read_tree
from tests.server import Server


@pytest.fixture
def restic(server: Server, home: Path, bucket: str) -> Program:
    environment = client_environment(
        server,
        home,
        RESTIC_REPOSITORY=f"s3:{server.endpoint}/{bucket}-backup/repository",
        RESTIC_PASSWORD="only for tests",
        RESTIC_CACHE_DIR=str(home / "cache"),
        TMPDIR=str(home),
    )
    path = find_program("restic", "apt-get install restic, or run `make test`")
    return Program(path, environment, ("--cacert", server.ca) if server.ca else ())


def test_backup_check_restore_forget(restic: Program, files: Path, tmp_path: Path) -> None:
    restic.run("init")
    restic.run("backup", ".", cwd=files)
    before = read_tree(files)
    (files / "text.txt").write_bytes(b"changed")
    (files / "new").write_bytes(make_bytes(3_000_000, 77))
    restic.run("backup", ".", cwd=files)
    snapshots = json.loads(restic.run("snapshots", "--json"))
    assert len(snapshots) == 2
    assert "no errors were found" in restic.run("check", "--read-data")
    restic.run("restore", snapshots[0]["id"], "--target", tmp_path / "first")
    assert read_tree(tmp_path / "first") == before

    restic.run("forget", "--keep-last", "1", "--prune")
    assert "no errors were found" in restic.run("check", "--read-data")
    restic.run("restore", "latest", "--target", tmp_path / "last", "--verify")
    assert read_tree(tmp_path / "last") == read_tree(files)


def test_a_second_init_is_refused_and_locks_are_kept(restic: Program, files: Path) -> None:
    restic.run("init")
    again = restic.attempt("init")
    assert again.status != 0
    assert "already initialized" in again.err or "config file already exists" in again.err
    restic.run("backup", files / "deep")
    assert restic.run("list", "locks") == ""
