"""aws-cli: copy, sync, list, move, remove, presign and the plain API, over HTTP and over HTTPS."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.clients.programs import Program, client_environment, find_program
from tests.clients.trees import MIB, SIZES, make_bytes, read_tree
from tests.server import Server


@pytest.fixture
def aws(server: Server, home: Path) -> Program:
    environment = client_environment(server, home, AWS_PAGER="")
    return Program(find_program("aws", "pip install awscli, or run `make test`"), environment)


def test_a_tree_is_synchronised_both_ways(aws: Program, bucket: str, files: Path, tmp_path: Path) -> None:
    there = f"s3://{bucket}/tree"
    aws.run("s3", "sync", files, there, "--no-progress")
    listed = aws.run("s3", "ls", there, "--recursive", "--summarize")
    assert f"Total Objects: {len(SIZES)}" in listed
    assert f"Total Size: {sum(SIZES.values())}" in listed
    assert aws.run("s3", "sync", files, there, "--no-progress") == ""
    aws.run("s3", "sync", there, tmp_path / "back", "--no-progress")
    assert read_tree(tmp_path / "back") == read_tree(files)
    (files / "one").unlink()
    assert aws.run("s3", "sync", files, there, "--delete") == f"delete: {there}/one\n"


def test_a_large_file_is_copied_moved_and_removed(aws: Program, bucket: str, s3: Any, tmp_path: Path) -> None:
    body = make_bytes(18 * MIB + 5)
    (tmp_path / "large").write_bytes(body)
    first = f"s3://{bucket}/a/large"
    aws.run("s3", "cp", tmp_path / "large", first, "--metadata", "colour=blue", "--no-progress")
    assert s3.head_object(Bucket=bucket, Key="a/large")["Metadata"] == {"colour": "blue"}
    aws.run("s3", "cp", first, f"s3://{bucket}/b/copy", "--no-progress")
    aws.run("s3", "mv", first, f"s3://{bucket}/b/moved", "--no-progress")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b/copy", "b/moved"]
    aws.run("s3", "cp", f"s3://{bucket}/b/copy", tmp_path / "back", "--no-progress")
    assert (tmp_path / "back").read_bytes() == body
    aws.run("s3", "rm", f"s3://{bucket}/b", "--recursive")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_pipe_goes_in_and_out(aws: Program, bucket: str) -> None:
    text = "line\n" * 200_000
    aws.run("s3", "cp", "-", f"s3://{bucket}/pipe", stdin=text)
    assert aws.run("s3", "cp", f"s3://{bucket}/pipe", "-") == text


def test_listing_shows_directories(aws: Program, bucket: str, s3: Any) -> None:
    for key in ("dir/a", "dir/b", "top"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"12345")
    lines = [line.split() for line in aws.run("s3", "ls", f"s3://{bucket}/").splitlines()]
    assert [line[-2:] for line in lines] == [["PRE", "dir/"], ["5", "top"]]
    assert bucket in aws.run("s3", "ls")


def test_presigned_link(aws: Program, bucket: str, s3: Any, fetch: Callable[..., bytes]) -> None:
    s3.put_object(Bucket=bucket, Key="a key", Body=b"text")
    aws.run("configure", "set", "default.s3.signature_version", "s3v4")
    link = aws.run("s3", "presign", f"s3://{bucket}/a key", "--expires-in", "60").strip()
    assert fetch(link) == b"text"


def test_plain_api(aws: Program, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(b"text")
    where = ("--bucket", bucket, "--key", "key")
    put = json.loads(
        aws.run("s3api", "put-object", *where, "--body", tmp_path / "body", "--checksum-algorithm", "SHA256")
    )
    head = json.loads(aws.run("s3api", "head-object", *where, "--checksum-mode", "ENABLED"))
    assert head["ChecksumSHA256"] == put["ChecksumSHA256"]
    assert head["ETag"] == put["ETag"]
    refused = aws.attempt("s3api", "put-object", *where, "--if-none-match", "*")
    assert "PreconditionFailed" in refused.err
    wanted = ("--range", "bytes=1-2", tmp_path / "range")
    assert json.loads(aws.run("s3api", "get-object", *where, *wanted))["ContentRange"] == "bytes 1-2/4"
    assert (tmp_path / "range").read_bytes() == b"ex"
    absent = aws.attempt("s3api", "get-object", "--bucket", bucket, "--key", "absent", tmp_path / "absent")
    assert "NoSuchKey" in absent.err


def test_a_bucket_is_made_and_removed_by_force(aws: Program, bucket: str) -> None:
    other = f"s3://{bucket}-other"
    aws.run("s3", "mb", other)
    aws.run("s3", "cp", "-", f"{other}/key", stdin="text")
    aws.run("s3", "rb", other, "--force")
    assert f"{bucket}-other" not in aws.run("s3", "ls")
