"""A store whose disk is not there, and the same disk there again."""

from __future__ import annotations

import os

import pytest

from tests.cli.programs import Shell

LARGE = os.urandom(100_000)


@pytest.fixture
def apart(shell: Shell) -> Shell:
    """A shell beside a store on a disk of its own, with one blob."""
    (shell.home / "entrepot.toml").write_text("[stores.main]\npath = '../disk/blobs'\n")
    shell.run("bucket", "create", "photos")
    shell.run("put", "-", "photos/x", stdin=LARGE)
    return shell


@pytest.mark.parametrize("command", [("serve", "--listen", "127.0.0.1:0"), ("put", "-", "photos/y"), ("check",)])
def test_an_empty_mount_point_is_no_store(apart: Shell, command: tuple[str, ...]) -> None:
    disk = apart.home / "disk"
    disk.rename(apart.home / "unplugged")
    disk.mkdir()
    told = apart.fail(*command, stdin=LARGE)
    assert "mount its disk" in told
    assert list(disk.iterdir()) == []
    assert "mount its disk" in apart.attempt("doctor").out
    disk.rmdir()
    (apart.home / "unplugged").rename(disk)
    assert apart.run("get", "photos/x", "-").data == LARGE


def test_a_copy_of_the_blobs_alone_is_a_store(apart: Shell) -> None:
    (apart.home / "disk/blobs/tmp").rmdir()
    assert apart.run("get", "photos/x", "-").data == LARGE


def test_a_store_that_is_lost_can_be_begun_anew(apart: Shell) -> None:
    (apart.home / "disk").rename(apart.home / "broken")
    (apart.home / "disk/blobs/tmp").mkdir(parents=True)
    assert "missing: version photos/x" in apart.attempt("check").out
    apart.run("put", "-", "photos/y", stdin=LARGE)  # the same bytes, so both are whole
    assert apart.run("get", "photos/x", "-").data == LARGE
    apart.run("check")
