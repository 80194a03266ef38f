"""key and bucket, beside a running server."""

from __future__ import annotations

import uuid

import pytest

from tests.cli.programs import Shell
from tests.clients.boto import make_client, refused
from tests.server import Keys, Server


def keys_in(said: str) -> Keys:
    words: dict[str, str] = {}
    for line in said.splitlines():
        kind, _, value = line.partition(" key  ")
        words[kind] = value
    return Keys(words["access"], words["secret"])


@pytest.fixture
def bucket(beside: Shell) -> str:
    name = f"b-{uuid.uuid4().hex[:12]}"
    beside.run("bucket", "create", name)
    return name


def test_a_key_works_at_once_and_no_more_once_revoked(server: Server, beside: Shell, bucket: str) -> None:
    made = beside.run("key", "create", "--account", "alice", "--grant", f"{bucket}:read", "--grant", f"{bucket}:write")
    assert made.err == "entrepot: the secret is not shown again\n"
    keys = keys_in(made.out)
    alice = make_client(server, keys=keys)
    alice.put_object(Bucket=bucket, Key="x", Body=b"x")
    with refused(403, "AccessDenied"):
        alice.delete_object(Bucket=bucket, Key="x")
    listed = next(line for line in beside.run("key", "list").lines if keys.access in line)
    assert listed.split()[1] == "alice"
    assert f"{bucket}:read,write" in listed
    assert keys.secret not in beside.run("key", "list").out
    beside.run("key", "revoke", keys.access)
    with refused(403, "InvalidAccessKeyId"):
        alice.list_objects_v2(Bucket=bucket)
    assert "entrepot key list" in beside.fail("key", "revoke", keys.access)


def test_a_secret_can_come_from_standard_input(server: Server, beside: Shell) -> None:
    words = ("key", "create", "--account", "bob", "--access-key", "BOBSKEY", "--secret-key", "-", "--root")
    made = beside.run(*words, stdin=b"a secret of bob's\n")
    assert made.out == "access key  BOBSKEY\n"
    make_client(server, keys=Keys("BOBSKEY", "a secret of bob's")).list_buckets()
    assert "BOBSKEY" in beside.fail(*words, stdin=b"another secret\n")
    assert "empty" in beside.fail(*words)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--account", "a", "--grant", "photos"], "bucket:rights"),
        (["--account", "a", "--grant", "photos:fly"], "read, write, delete, admin"),
        (["--account", "a", "--secret-key", "short"], "at least 8"),
        (["--account", "a\nb"], "printable"),
    ],
)
def test_a_key_that_cannot_be(beside: Shell, words: list[str], hint: str) -> None:
    assert hint in beside.fail("key", "create", *words)


def test_buckets_are_set_and_shown(server: Server, beside: Shell, bucket: str) -> None:
    beside.run("key", "create", "--account", "carol", "--access-key", f"K{bucket}", "--secret-key", "secret of carol")
    beside.run("bucket", "set", bucket, "--versioning", "on", "--public-read", "--owner", "carol")
    line = next(line for line in beside.run("bucket", "list").lines if line.startswith(bucket))
    assert line.split() == [bucket, "carol", "main", "versions", "on", "public-read"]
    carol = make_client(server, keys=Keys(f"K{bucket}", "secret of carol"))
    assert carol.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    beside.run("bucket", "set", bucket, "--no-public-read")
    assert beside.run("bucket", "list").out.count("public-read") == 0
    assert "suspend" in beside.fail("bucket", "set", bucket, "--versioning", "off")
    beside.run("bucket", "set", bucket, "--versioning", "suspended")
    assert carol.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    beside.run("bucket", "delete", bucket)
    with refused(404, "NoSuchBucket"):
        carol.list_objects_v2(Bucket=bucket)


def test_buckets_are_made_with_their_settings(beside: Shell) -> None:
    words = ("bucket", "create", "made-whole", "--owner", "dave", "--versioning", "on", "--public-read")
    beside.run(*words, "--store", "main")
    line = next(line for line in beside.run("bucket", "list").lines if line.startswith("made-whole"))
    assert line.split()[1:] == ["dave", "main", "versions", "on", "public-read"]
    assert "exists already" in beside.fail(*words)
    assert "the stores are main" in beside.fail("bucket", "create", "elsewhere", "--store", "tape")
    assert "3 to 63" in beside.fail("bucket", "create", "No")
    assert "no such bucket" in beside.fail("bucket", "delete", "never-made")


def test_files_go_both_ways_beside_a_server(server: Server, beside: Shell, bucket: str) -> None:
    client = make_client(server)
    beside.run("put", "-", f"{bucket}/from-cli.txt", stdin=b"cli")
    answer = client.get_object(Bucket=bucket, Key="from-cli.txt")
    assert (answer["Body"].read(), answer["ContentType"]) == (b"cli", "text/plain")
    client.put_object(Bucket=bucket, Key="from-boto", Body=b"boto")
    assert beside.run("get", f"{bucket}/from-boto", "-").data == b"boto"
    assert "entrepot rm" in beside.fail("bucket", "delete", bucket)
