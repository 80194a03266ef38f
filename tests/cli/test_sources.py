"""What is named as a source, and holds no bytes that can be stored under its name."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path

import pytest

from tests.cli.programs import Shell


def keys(shell: Shell) -> list[str]:
    return [line.split()[-1] for line in shell.run("ls", "-r", "photos").lines]


@pytest.mark.parametrize("words", [["put", "it's", "photos/in/"], ["cp", "it's", "ep:photos/in/"]])
def test_a_pipe_is_refused_and_what_comes_out_of_it_is_not(filled: Shell, tmp_path: Path, words: list[str]) -> None:
    os.mkfifo(tmp_path / "it's")
    said = filled.fail(*words)
    assert "it's is a pipe, not a file" in said
    line = said.partition("; entrepot ")[2].removesuffix(" stores what comes out of it\n")
    assert shlex.split(line) == ["put", "-", "photos/in/it's", "<", "it's"]
    assert filled.line(f'{line} & printf hello > "it\'s"; wait $!') == (0, "")
    assert filled.run("get", "photos/in/it's", "-").data == b"hello"


def test_a_socket_and_a_device_are_refused(filled: Shell, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(tmp_path / "door"))
        assert filled.fail("put", "door", "photos").endswith("door is a socket, not a file\n")
    assert "entrepot put - photos/zero < /dev/zero" in filled.fail("put", "/dev/zero", "photos")
    assert keys(filled) == []


def test_pipes_in_a_directory_are_left_out(filled: Shell, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    os.mkfifo(tree / "fifo")
    (tree / "file").write_text("x")
    assert filled.run("put", "-r", "tree", "photos").err == "entrepot: tree/fifo is left out: it is not a file\n"
    assert keys(filled) == ["file"]


def test_a_file_that_becomes_a_pipe_is_not_waited_for(filled: Shell, tmp_path: Path) -> None:
    """It is one between the look at it and the opening."""
    tree = tmp_path / "tree"
    tree.mkdir()
    for name in ("a", "b"):
        (tree / name).write_text(name)
    code = (
        "import os, sys, entrepot.cli.uploads as uploads; from entrepot.cli.program import run\n"
        "open_ = uploads._open\n"
        "def late(path, *more):\n"
        "    if path.name == 'a': path.unlink(); os.mkfifo(path)\n"
        "    return open_(path, *more)\n"
        "uploads._open = late\n"
        "sys.exit(run(['put', '-r', 'tree', 'photos']))"
    )
    assert filled.python(code) == (1, "entrepot: tree/a: is not a file any more, and was not stored\n")
    assert keys(filled) == ["b"]


def test_links_that_lead_nowhere_are_left_out(filled: Shell, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "file").write_text("x")
    for name, goal in (("away", "gone"), ("below", "file/below"), ("round", "round")):
        (tree / name).symlink_to(goal)
    said = filled.run("put", "-r", "tree", "photos").err
    assert [line.split()[1] for line in said.splitlines()] == ["tree/away", "tree/below", "tree/round"]
    assert keys(filled) == ["file"]
    assert "symbolic links" in filled.fail("put", "tree/round", "photos")


def test_the_store_alone_is_no_source(filled: Shell) -> None:
    said = "entrepot: source: {} is left out: it is the data of the store itself\n"
    assert filled.fail("put", "-r", "entrepot-data", "photos/d") == said.format("entrepot-data")
    assert filled.fail("cp", "-r", "./entrepot-data/blobs", "ep:photos/d") == said.format("./entrepot-data/blobs")
    (filled.home / "file").write_text("x")
    assert "entrepot-data is left out" in filled.run("put", "-r", "entrepot-data", "file", "photos").err
    assert keys(filled) == ["file"]


def test_a_name_that_is_not_utf_8_is_told_once_with_a_way_out(filled: Shell, tmp_path: Path) -> None:
    bad = os.fsdecode(b"bad\xff")
    (tmp_path / bad).write_text("x")
    said = filled.fail("put", bad, "photos")
    assert said.startswith(r"entrepot: bad\xff: a key that is not UTF-8")
    assert "rename it, or name its key: entrepot put FILE bucket/key" in said
    assert "udc" not in said
    filled.run("put", bad, "photos/good")
    assert keys(filled) == ["good"]
    assert "not UTF-8" in filled.fail("get", f"photos/{bad}")


def test_a_bucket_that_was_never_made_is_told_with_how_to_make_it(filled: Shell) -> None:
    assert "; entrepot ls shows those that there are, entrepot bucket create NAME makes one\n" in filled.fail(
        "put", "-", "nowhere/x", stdin=b"x"
    )


def test_a_lost_blob_is_told_with_what_mends_it(filled: Shell, tmp_path: Path) -> None:
    content = bytes(100_000)
    for damage in ("missing", "damaged"):
        filled.run("put", "-", "photos/x", stdin=content)
        [blob] = (tmp_path / "entrepot-data/blobs").glob("*/*/*")
        if damage == "missing":
            blob.unlink()
        else:
            blob.chmod(0o600)
            blob.write_bytes(content[1:] + b"x")
        for words in (["get", "photos/x", "-"], ["get", "-r", "photos", "out"], ["export", "photos", "out"]):
            said = filled.fail(*words)
            assert said.startswith("entrepot: photos/x: ")
            assert said.endswith(
                "; entrepot check --deep tells what is missing, and putting the same bytes again mends it\n"
            )
        found = filled.attempt("check", "--deep").out
        assert "missing: version photos/x" in found
        assert "putting the same bytes again mends it" in found
    filled.run("put", "-", "photos/again", stdin=content)
    assert filled.run("get", "photos/x", "-").data == content


def test_what_keeps_a_bucket_is_named(filled: Shell) -> None:
    filled.run("put", "-", "photos/x", stdin=b"x")
    assert "still holds objects or versions; entrepot rm --recursive --versions" in filled.fail(
        "bucket", "delete", "photos"
    )
