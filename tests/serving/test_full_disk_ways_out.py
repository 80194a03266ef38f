"""A disk that is full, and the way back, with nothing but the program: on a small file system of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server, ServerFailed
from tests.serving.raw import Wire, ask, head

MIB = 1 << 20
SIZE = 96 * MIB
FLOOR = 24 * MIB
LARGE = 4 * MIB
SMALL = 30_000
TOKEN = "let-me-see"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """An empty file system of 96 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(path)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip("it takes root to mount a file system")
    yield path
    subprocess.run(["umount", "-l", str(path)], check=True)


def made(disk: Path) -> Server:
    environment = {"ENTREPOT_MIN_FREE": str(FLOOR), "ENTREPOT_METRICS__TOKEN": TOKEN, "ENTREPOT_LOG__ACCESS": "false"}
    server = Server(disk / "data", workers=2, environment=environment)
    server.log = disk.parent / "server.log"
    return server


def left(disk: Path) -> int:
    found = os.statvfs(disk)
    return found.f_bavail * found.f_frsize


def fill_up(disk: Path, but: int = 0) -> None:
    """As another program does that shares the disk: to the last byte, or to so many."""
    with contextlib.suppress(OSError), (disk / "theirs").open("ab", buffering=0) as file:
        while but == 0 or left(disk) > but:
            file.write(bytes(4096))


def put(server: Server, key: str, size: int) -> int:
    return ask(server, "PUT", f"/bucket/{key}", os.urandom(size)).status


def fill(server: Server, word: str, size: int) -> list[str]:
    """Put objects until one is refused; their keys."""
    keys: list[str] = []
    while put(server, f"{word}{len(keys)}", size) == 200:
        keys.append(f"{word}{len(keys)}")
    return keys


def health(server: Server) -> tuple[int, str]:
    with Wire(server) as wire:
        wire.send(head("GET", "/health", [("host", "a")]))
        reply = wire.answer()
    return reply.status, json.loads(reply.body)["status"]


def test_a_disk_filled_by_objects_is_left_by_rm_and_collect(disk: Path) -> None:
    with made(disk) as server:
        assert health(server) == (200, "ok")
        assert ask(server, "PUT", "/bucket").status == 200
        keys = fill(server, "large", LARGE)
        assert len(keys) >= 4
        assert left(disk) > FLOOR - 2 * LARGE
        refused = ask(server, "PUT", "/bucket/more", b"small")
        assert (refused.status, refused.code) == (503, "ServiceUnavailable")
        assert b"can be read and deleted" in refused.body
        assert health(server) == (200, "degraded")
        assert ask(server, "GET", f"/bucket/{keys[0]}").status == 200
        assert "deleted" in server.command("rm", f"bucket/{keys[0]}")
        assert "removed 0 blobs" in server.command("collect")
        before = left(disk)
        told = server.command("collect", "--grace", "0")
        assert "removed 1 blobs (4.0 MiB)" in told
        assert "the disk has 4.0 MiB more room" in told
        assert left(disk) > before
        assert ask(server, "DELETE", f"/bucket/{keys[1]}").status == 204
        server.command("collect", "--grace", "0")
        assert put(server, "again", 100_000) == 200
        assert health(server) == (200, "ok")


def test_small_objects_find_the_room_of_those_that_were_deleted(disk: Path) -> None:
    """The catalog's file never shrinks: what is free in it counts."""
    with made(disk) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert {put(server, f"small{number}", SMALL) for number in range(600)} == {200}
        fill_up(disk, FLOOR // 2)
        assert (put(server, "more", SMALL), put(server, "large", LARGE)) == (503, 503)
        server.command("rm", "--recursive", "bucket/")
        assert "free in its own file" in server.command("collect", "--grace", "0")
        assert (put(server, "more", SMALL), put(server, "large", LARGE)) == (200, 503)


@pytest.mark.parametrize("killed", [False, True], ids=["stopped", "killed"])
def test_a_disk_that_others_filled_to_the_last_byte(disk: Path, *, killed: bool) -> None:
    """The server starts there, reads, and lets go; the reserve is there again once there is room."""
    server = made(disk)
    reserve = server.data / "reserve"
    with server:
        assert ask(server, "PUT", "/bucket").status == 200
        keys = [f"key{number}" for number in range(4)]
        assert [put(server, key, LARGE) for key in keys] == [200] * 4
        assert reserve.stat().st_blocks * 512 == 16 * MIB
        fill_up(disk)
        if killed:
            server.kill9()
    fill_up(disk)  # what was given back at the end, too
    assert left(disk) == 0
    with server:
        short = left(disk) < FLOOR  # who was killed has left a log, which went with the start
        assert short or killed
        assert health(server) == (200, "degraded" if short else "ok")
        assert put(server, "more", 10) == (503 if short else 200)
        assert ask(server, "GET", f"/bucket/{keys[0]}").status == 200
        with Wire(server) as wire:
            wire.send(head("GET", "/metrics", [("host", "a"), ("authorization", f"Bearer {TOKEN}")]))
            assert b"entrepot_requests_total" in wire.answer().body
        assert ask(server, "DELETE", f"/bucket/{keys[0]}").status == 204
        server.command("rm", f"bucket/{keys[1]}")
        assert "removed 2 blobs" in server.command("collect", "--grace", "0")
        (disk / "theirs").unlink()
        server.command("collect", "--grace", "0")
        assert reserve.stat().st_blocks * 512 == 16 * MIB
        assert put(server, "again", LARGE) == 200
        assert health(server) == (200, "ok")


def test_what_a_command_says_on_a_full_disk_leads_out(disk: Path) -> None:
    with made(disk) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        keys = fill(server, "large", LARGE)
        (disk.parent / "file").write_bytes(b"x")
        with pytest.raises(ServerFailed, match=r"entrepot rm what is not needed, then entrepot collect --grace 0"):
            server.command("put", str(disk.parent / "file"), "bucket/file")
        server.command("rm", f"bucket/{keys[0]}")
        server.command("collect", "--grace", "0")
        server.command("rm", f"bucket/{keys[1]}")
        server.command("collect", "--grace", "0")
        server.command("put", str(disk.parent / "file"), "bucket/file")
