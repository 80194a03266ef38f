"""secret.key: a lost one, a wrong one, and the way out when the right one is gone for good."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.programs import Shell
from tests.cli.test_serve import EXPORT, serving
from tests.postgres import Postgres

CREATE = ("key", "create", "--account", "alice", "--access-key")


@pytest.fixture
def sealed(filled: Shell) -> Shell:
    """Data with two keys and an object."""
    filled.run(*CREATE, "ALICESKEY")
    filled.run(*CREATE, "ROOTSKEY", "--root")
    filled.run("put", "-", "photos/x", stdin=b"x")
    return Shell(filled.home, {"ENTREPOT_LISTEN": "127.0.0.1:0"})


def key_file(shell: Shell) -> Path:
    return shell.home / "entrepot-data" / "secret.key"


def bad(shell: Shell) -> str:
    done = shell.attempt("doctor")
    assert done.code == 1
    return "\n".join(line for line in done.lines if line.startswith("BAD"))


@pytest.mark.parametrize("fixed", [False, True])
def test_a_lost_file_is_told_and_no_other_made_in_its_place(sealed: Shell, *, fixed: bool) -> None:
    key_file(sealed).unlink()
    keys = {"ENTREPOT_ACCESS_KEY": "FIXEDACCESS", "ENTREPOT_SECRET_KEY": "fixed-secret-1"} if fixed else {}
    shell = Shell(sealed.home, {**sealed.settings, **keys})
    for _ in range(2):
        assert "entrepot-data/secret.key is gone" in bad(shell)
    for words in (("serve",), (*CREATE, "ANOTHER")):
        line = shell.fail(*words)
        assert "entrepot-data/secret.key is gone" in line
        assert "entrepot key revoke" in line
    assert not key_file(shell).exists()


def test_what_needs_no_secret_goes_on_without_the_file(sealed: Shell) -> None:
    key_file(sealed).unlink()
    assert "photos" in sealed.run("ls").out
    assert sealed.run("get", "photos/x", "-").data == b"x"
    sealed.run("put", "-", "photos/y", stdin=b"y")
    sealed.run("check", "--deep")
    sealed.run("export", "photos", "plain")
    assert "ALICESKEY" in sealed.run("key", "list").out
    assert not key_file(sealed).exists()


def test_doctor_makes_no_file_where_nothing_is_sealed(filled: Shell) -> None:
    key_file(filled).unlink()
    shell = Shell(filled.home, {"ENTREPOT_LISTEN": "127.0.0.1:0"})
    assert "there is no entrepot-data/secret.key" in shell.run("doctor").out
    assert not key_file(filled).exists()
    filled.run(*CREATE, "ALICESKEY")
    assert key_file(filled).stat().st_mode & 0o777 == 0o600


def test_another_file_does_not_open_what_is_sealed(sealed: Shell) -> None:
    right = key_file(sealed).read_bytes()
    key_file(sealed).write_bytes(os.urandom(32))
    sealed.run(*CREATE, "NEWKEY")
    (line,) = bad(sealed).splitlines()
    assert "ALICESKEY, ROOTSKEY" in line
    assert "NEWKEY" not in line
    assert "entrepot key revoke ROOTSKEY" in sealed.fail("serve")
    sealed.run("key", "revoke", "NEWKEY")
    key_file(sealed).write_bytes(right)
    assert "all can be opened" in sealed.run("doctor").out


@pytest.mark.parametrize("wrong", [None, b"short", bytes(32)], ids=["none", "short", "another"])
def test_the_way_out_when_the_file_is_lost_for_good(sealed: Shell, wrong: bytes | None) -> None:
    """As docs/cli.md has it."""
    if wrong is None:
        key_file(sealed).unlink()
    else:
        key_file(sealed).write_bytes(wrong)
    assert bad(sealed)
    if wrong == b"short":
        assert "remove it" in sealed.fail("serve")
        key_file(sealed).unlink()
    for line in sealed.run("key", "list").lines:
        sealed.run("key", "revoke", line.split()[0])
    with serving(sealed) as (said, _):
        assert "AWS_SECRET_ACCESS_KEY" in dict(EXPORT.findall(said))
    assert "all can be opened" in sealed.run("doctor").out
    assert sealed.run("get", "photos/x", "-").data == b"x"


def test_a_second_host_of_a_catalog_needs_the_file_of_the_first(tmp_path: Path) -> None:
    with Postgres() as postgres:
        settings = {"ENTREPOT_CATALOG": postgres.new_schema(), "ENTREPOT_LISTEN": "127.0.0.1:0"}
        first, second = (Shell(tmp_path / name, settings) for name in ("first", "second"))
        for shell in (first, second):
            shell.home.mkdir()
        first.run(*CREATE, "ALICESKEY", "--root")
        assert "another host" in second.fail("serve")
        assert not key_file(second).exists()
        key_file(second).write_bytes(key_file(first).read_bytes())
        key_file(second).chmod(0o600)
        assert "all can be opened" in second.run("doctor").out
