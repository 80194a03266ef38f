"""put, get, cp, ls, rm."""

from __future__ import annotations

import os
import pty
import random
import subprocess
from pathlib import Path

import pytest

from tests.cli.programs import Shell
from tests.server import program

LARGE = 9 * 1024 * 1024 + 17


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A few real files: empty, small, of several blobs, with names that are not plain."""
    root = tmp_path / "tree"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "empty").write_bytes(b"")
    (root / "a.txt").write_text("hello")
    (root / "deep" / "photo.jpg").write_bytes(random.Random(1).randbytes(LARGE))
    (root / "deep" / "er" / "naïve 50% [x].tar.gz").write_bytes(b"\x1f\x8b")
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_tree_comes_back_as_it_went(filled: Shell, tree: Path, tmp_path: Path) -> None:
    put = filled.run("put", "-r", tree, "photos/2026")
    assert len(put.lines) == 4
    assert f"{tree}/a.txt -> photos/2026/a.txt (5 bytes)" in put.lines
    filled.run("get", "-r", "photos/2026", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(tree)
    filled.run("cp", "-r", "ep:photos/2026/deep", "ep:photos/copy")
    filled.run("cp", "-r", "ep:photos/copy", tmp_path / "copy")
    assert contents(tmp_path / "copy") == contents(tree / "deep")


def test_files_are_named_as_cp_would(filled: Shell, tree: Path, tmp_path: Path) -> None:
    filled.run("put", tree / "a.txt", "photos")
    filled.run("put", tree / "a.txt", "photos/in/")
    filled.run("put", tree / "a.txt", "photos/as.txt")
    filled.run("put", tree / "a.txt", tree / "empty", "photos/both")
    filled.run("cp", tree / "a.txt", "ep:photos/cp/")
    filled.run("cp", "ep:photos/as.txt", "ep:photos/copied/")
    keys = [line.split()[-1] for line in filled.run("ls", "-r", "photos").lines]
    assert keys == ["a.txt", "as.txt", "both/a.txt", "both/empty", "copied/as.txt", "cp/a.txt", "in/a.txt"]
    (tmp_path / "into").mkdir()
    filled.run("get", "photos/as.txt", "into")
    filled.run("get", "photos/as.txt", "new/")
    filled.run("get", "photos/as.txt", "new/name")
    filled.run("get", "photos/as.txt")
    for path in ("into/as.txt", "new/as.txt", "new/name", "as.txt"):
        assert (tmp_path / path).read_text() == "hello"


def test_standard_input_and_output(filled: Shell) -> None:
    data = random.Random(2).randbytes(LARGE)
    filled.run("put", "-", "photos/stream", stdin=data)
    done = filled.run("get", "photos/stream", "-")
    assert done.data == data
    assert done.err == ""
    filled.run("cp", "-", "ep:photos/again", stdin=b"x")
    assert filled.run("cp", "ep:photos/again", "-").data == b"x"


def test_a_level_is_listed_with_its_folders(filled: Shell, tree: Path) -> None:
    filled.run("put", "-r", tree, "photos")
    lines = filled.run("ls", "photos").lines
    assert [line.split()[-1] for line in lines] == ["deep/", "a.txt", "empty"]
    assert lines[1].split()[2:] == ["5", "a.txt"]
    assert filled.run("ls").lines == ["photos"]


def test_deleting(filled: Shell, tree: Path) -> None:
    filled.run("put", "-r", tree, "photos/x")
    filled.run("put", tree / "a.txt", "photos/xylophone")
    filled.run("rm", "photos/x/a.txt")
    assert "no such object" in filled.fail("rm", "photos/x/a.txt")
    filled.run("rm", "-r", "photos/x")
    assert [line.split()[-1] for line in filled.run("ls", "-r", "photos").lines] == ["xylophone"]


def test_versions_go_when_they_are_told_to(filled: Shell, tree: Path) -> None:
    filled.run("bucket", "set", "photos", "--versioning", "on")
    for _ in range(3):
        filled.run("put", tree / "a.txt", "photos/a")
        filled.run("put", tree / "a.txt", "photos/ab")
    filled.run("rm", "photos/a")
    assert "--versions" in filled.fail("bucket", "delete", "photos")
    assert len(filled.run("rm", "--versions", "photos/a").lines) == 4
    assert len(filled.run("rm", "-r", "--versions", "photos").lines) == 3
    filled.run("bucket", "delete", "photos")


def test_what_is_wrong_with_one_file_does_not_stop_the_others(filled: Shell, tree: Path, tmp_path: Path) -> None:
    (tree / os.fsdecode(b"bad\xff")).write_text("x")
    (tree / "dangling").symlink_to("nowhere")
    done = filled.attempt("put", "-r", tree, "photos")
    assert done.code == 1
    assert len(done.lines) == 4
    assert "not UTF-8" in done.err
    assert "dangling is left out" in done.err
    filled.run("put", tree / "a.txt", "photos/a.txt/below")
    done = filled.attempt("get", "-r", "photos", tmp_path / "back")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "something else has the name" in done.err
    assert len(done.lines) == 4


@pytest.mark.parametrize("key", ["../out", "/abs", "a//b", "a/./b"])
def test_no_key_leads_out_of_a_directory(filled: Shell, tmp_path: Path, key: str) -> None:
    filled.run("put", "-", f"photos/{key}", stdin=b"x")
    done = filled.attempt("get", "-r", "photos", "back")
    assert done.code == 1
    assert "entrepot export" in done.err
    assert contents(tmp_path / "back") == {}
    assert not (tmp_path / "out").exists()


def test_a_link_in_the_target_is_not_followed(filled: Shell, tmp_path: Path) -> None:
    filled.run("put", "-", "photos/link/file", stdin=b"x")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "link").symlink_to(tmp_path / "elsewhere")
    assert "link" in filled.fail("get", "-r", "photos", "back")
    assert contents(tmp_path / "elsewhere") == {}


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["put", "x"], "say where to"),
        (["put", "-", "photos"], "has no name"),
        (["put", ".", "photos"], "--recursive"),
        (["get", "photos"], "names a bucket"),
        (["get", "-r", "photos", "-"], "one object"),
        (["cp", "a", "b"], "ep:b"),
        (["cp", "-r", "ep:photos/a", "ep:photos/a/b"], "no end"),
        (["ls", "s3://photos"], "bucket/key"),
        (["rm", "photos"], "--recursive"),
        (["put", "--recursiv", "x", "photos"], "--recursive"),
        (["plunder"], "Unknown command"),
        (["bucket", "set", "photos"], "--versioning"),
        (["bucket", "set", "photos", "--versioning", "maybe"], "versioning"),
    ],
)
def test_what_cannot_be_meant(filled: Shell, words: list[str], hint: str) -> None:
    assert hint in filled.fail(*words, code=2)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["put", "absent", "photos"], "absent: No such file"),
        (["put", "-", "nowhere/x"], "entrepot ls shows"),
        (["get", "photos/absent", "-"], "no such object: photos/absent"),
        (["get", "-r", "photos/absent"], "no such object"),
        (["ls", "photo"], "no such bucket: photo"),
        (["ls", "--data", "elsewhere"], "/elsewhere: name the directory"),
        (["ls", "--config", "absent.toml"], "no such file"),
        (["put", "-", "photos/" + "k" * 1025], "1024 bytes"),
    ],
)
def test_what_cannot_be_done(filled: Shell, words: list[str], hint: str) -> None:
    assert hint in filled.fail(*words)
    assert not (filled.home / "elsewhere").exists()


def test_a_store_in_memory_is_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "entrepot.toml").write_text('workers = 1\n[stores.main]\nkind = "memory"\n')
    shell = Shell(tmp_path)
    shell.run("bucket", "create", "photos")
    assert "in the memory of the server" in shell.fail("put", "-", "photos/x", stdin=b"x")


def test_a_reader_that_has_enough_is_no_error_to_tell(filled: Shell) -> None:
    filled.run("put", "-", "photos/x", stdin=bytes(LARGE))
    process = subprocess.Popen(
        [*program(), "get", "photos/x", "-"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=filled.home,
        env=filled.environment,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    said = process.stderr.read()
    process.stderr.close()
    assert (process.wait(60), said) == (141, b"")


def test_a_terminal_gets_a_bar_with_a_rate_and_no_escape_of_a_key(filled: Shell, tree: Path) -> None:
    (tree / "evil\x1b]0;title\x07").write_text("x")
    said = on_terminal(filled, "put", "-r", str(tree), "photos")
    assert "5 files, 9.0 MiB in" in said
    assert "/s)" in said
    assert "MB/s" not in said, "two kinds of units in one line"
    assert "\x1b]0;" not in said + on_terminal(filled, "ls", "photos")
    assert r"evil\x1b]0;title\x07" in filled.run("ls", "photos").out


def on_terminal(shell: Shell, *words: str) -> str:
    """What a person at a terminal sees."""
    leader, follower = pty.openpty()
    environment = shell.environment | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        [*program(), *words], stdin=follower, stdout=follower, stderr=follower, cwd=shell.home, env=environment
    )
    os.close(follower)
    said = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # Linux tells the end of a terminal so
            break
        if not part:
            break
        said += part
    os.close(leader)
    assert process.wait(60) == 0
    return said.decode()


def test_files_have_the_media_type_of_their_names(filled: Shell, tree: Path, tmp_path: Path) -> None:
    filled.run("put", "-r", tree, "photos")
    filled.run("put", tree / "a.txt", "photos/b", "--media-type", "text/x-special")
    filled.run("export", "photos", tmp_path / "out")
    manifest = (tmp_path / "out/entrepot-export.jsonl").read_text()
    for kind in ("text/plain", "image/jpeg", "application/gzip", "text/x-special"):
        assert f'"media_type": "{kind}"' in manifest
