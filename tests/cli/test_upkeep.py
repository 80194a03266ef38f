"""check and collect, with and without a server."""

from __future__ import annotations

import os
import random
import shutil
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tests.cli.programs import Shell
from tests.clients.boto import make_client
from tests.server import Server

BYTES = random.Random(4).randbytes(200_000)


def test_what_nothing_names_goes_after_the_grace_period(filled: Shell) -> None:
    blobs = filled.home / "entrepot-data" / "blobs"
    filled.run("put", "-", "photos/x", stdin=BYTES)
    filled.run("rm", "photos/x")
    assert "removed 0 blobs" in filled.run("collect").out
    assert "would remove 1 blobs (195.3 KiB)" in filled.run("collect", "--dry-run", "--grace", "0").out
    assert holds(blobs)
    assert "removed 1 blobs (195.3 KiB)" in filled.run("collect", "--grace", "0").out
    assert not holds(blobs)
    assert filled.run("check").out == "catalog and stores agree\n"
    filled.fail("collect", "--grace", "-1", code=2)


def holds(blobs: Path) -> bool:
    return any(path.is_file() and path.stat().st_size == len(BYTES) for path in blobs.rglob("*"))


def test_a_lost_and_a_damaged_blob_are_found(filled: Shell) -> None:
    filled.run("put", "-", "photos/lost", stdin=BYTES)
    filled.run("put", "-", "photos/hurt", stdin=BYTES[::-1])
    blobs = [path for path in (filled.home / "entrepot-data" / "blobs").rglob("*") if path.is_file()]
    lost = next(path for path in blobs if path.read_bytes() == BYTES)
    hurt = next(path for path in blobs if path.read_bytes() == BYTES[::-1])
    lost.unlink()
    hurt.chmod(0o600)
    hurt.write_bytes(BYTES)
    shallow = filled.attempt("check")
    assert shallow.code == 1
    assert "photos/lost" in shallow.out
    assert "photos/hurt" not in shallow.out
    deep = filled.attempt("check", "--deep")
    assert deep.code == 1
    assert "damaged" in next(line for line in deep.lines if "photos/hurt" in line)
    assert "do not agree" in deep.err


def test_beside_a_server(server: Server, beside: Shell) -> None:
    client = make_client(server)
    client.create_bucket(Bucket="kept")
    client.put_object(Bucket="kept", Key="x", Body=BYTES)
    client.put_object(Bucket="kept", Key="y", Body=BYTES[1:])
    client.delete_object(Bucket="kept", Key="y")
    beside.run("collect", "--grace", "0")
    assert beside.run("check", "--deep").out == "catalog and stores agree\n"
    assert client.get_object(Bucket="kept", Key="x")["Body"].read() == BYTES


def test_a_copy_made_while_the_server_writes_is_whole(server: Server, beside: Shell, tmp_path: Path) -> None:
    """As docs/cli.md has it: the catalog first, then the blobs and the key file."""
    beside.run("bucket", "create", "copied")
    client = make_client(server)
    client.put_object(Bucket="copied", Key="before", Body=BYTES)
    copy, written, enough = tmp_path / "copy", 0, threading.Event()

    def write() -> None:
        nonlocal written
        while not enough.is_set():
            client.put_object(Bucket="copied", Key=f"{written}", Body=BYTES[written:])
            written += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copy.mkdir()
        with closing(apsw.Connection(str(server.data / "catalog.sqlite"))) as connection:
            connection.execute("VACUUM INTO ?", (str(copy / "catalog.sqlite"),))
        coming = str(server.data / "blobs" / "tmp")
        shutil.copytree(server.data / "blobs", copy / "blobs", ignore=lambda at, names: names if at == coming else [])
        shutil.copy(server.data / "secret.key", copy)
    finally:
        enough.set()
        writer.join()
    assert written > 0
    checked = beside.run("check", "--deep", "--data", copy)
    assert checked.lines[-1] == "catalog and stores agree"
    assert {line.partition(":")[0] for line in checked.lines[:-1]} <= {"orphan"}
    assert beside.run("get", "copied/before", "-", "--data", copy).data == BYTES


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work on the data of another user")
def test_what_root_does_to_the_data_of_another_user_stays_that_users(filled: Shell) -> None:
    data = filled.home / "entrepot-data"
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    filled.run("put", "-", "photos/a", stdin=BYTES)
    filled.run("put", "-", "photos/b", stdin=BYTES[1:])
    filled.run("rm", "photos/b")
    filled.run("collect", "--grace", "0")
    assert [path.name for path in data.rglob("*") if path.stat().st_uid != 12345] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can work on the data of another user")
def test_data_that_root_begins_for_another_user_are_that_users(shell: Shell) -> None:
    data = shell.home / "entrepot-data"
    data.mkdir()
    os.chown(data, 12345, 12345)
    shell.run("bucket", "create", "photos")
    shell.run("put", "-", "photos/a", stdin=BYTES)
    assert {"secret.key", "spool"} <= {path.name for path in data.iterdir()}
    assert [path.name for path in data.rglob("*") if path.stat().st_uid != 12345] == []


def test_a_link_in_the_place_of_a_lock_is_not_followed(filled: Shell) -> None:
    """Root would give away what it leads to."""
    elsewhere = filled.home / "elsewhere"
    elsewhere.write_text("x")
    owner = elsewhere.stat().st_uid
    os.chown(filled.home / "entrepot-data", 12345 if owner == 0 else -1, -1)
    (filled.home / "entrepot-data" / "catalog.sqlite.collect").symlink_to(elsewhere)
    assert "symbolic links" in filled.fail("collect")
    assert elsewhere.stat().st_uid == owner
