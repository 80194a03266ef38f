"""What a started server does by itself, as its operator sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from tests.server import Server
from tests.serving.raw import Wire, ask, head

WAIT_SECONDS = 30.0  # less than it takes a runner to look by itself


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "data", workers=2) as server:
        yield server


def shown(server: Server, name: str) -> dict[str, str]:
    lines = server.command("jobs", "show", name).splitlines()
    return {line[:20].strip(): line[20:].strip() for line in lines}


def await_end(server: Server, name: str) -> dict[str, str]:
    end = time.monotonic() + WAIT_SECONDS
    while (job := shown(server, name))["state"] != "idle" or job["ended"] == "never":
        assert time.monotonic() < end, job
        time.sleep(0.2)
    return job


def counted(server: Server, pattern: str) -> float:
    with Wire(server) as wire:
        wire.send(head("GET", "/metrics", [("host", "a")]))
        text = wire.answer().body.decode()
    return sum(float(found) for found in re.findall(rf"^entrepot_job_{pattern} (\S+)$", text, re.MULTILINE))


def test_abandoned_uploads_end_by_themselves(server: Server) -> None:
    assert ask(server, "PUT", "/bucket").status == 200
    for key in ("left", "fresh"):
        assert ask(server, "POST", f"/bucket/{key}?uploads").status == 200
    aged = apsw.Connection(str(server.data / "catalog.sqlite"))
    aged.execute("UPDATE uploads SET created_at = created_at - 8 * 86400 * 1000000 WHERE key = CAST('left' AS BLOB)")
    aged.close()
    assert "expire " in server.command("jobs", "list")
    server.command("jobs", "run", "expire")
    job = await_end(server, "expire")
    assert job["ended_uploads"] == "1"
    listed = ask(server, "GET", "/bucket?uploads").body
    assert b"<Key>fresh</Key>" in listed
    assert b"<Key>left</Key>" not in listed
    assert counted(server, r'done_total{job="expire",what="ended_uploads"}') == 1
    assert counted(server, r'steps_total{job="expire",outcome="end"}') == 1


def test_what_nothing_names_goes_by_itself_and_what_is_damaged_is_told(tmp_path: Path) -> None:
    settings = {"ENTREPOT_GRACE_SECONDS": "0", "ENTREPOT_SCHEDULES__CPU_PERCENT": "50"}
    with Server(tmp_path / "data", environment=settings) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        for key in ("kept", "gone"):
            assert ask(server, "PUT", f"/bucket/{key}", key.encode() * 50_000).status == 200
        assert ask(server, "DELETE", "/bucket/gone").status == 204
        blobs = server.data / "blobs"
        [damaged] = [path for path in blobs.rglob("*") if path.is_file() and path.read_bytes() == b"kept" * 50_000]
        server.command("jobs", "run", "collect")
        job = await_end(server, "collect")
        assert (job["blobs"], job["bytes"]) == ("1", "200000")
        damaged.chmod(0o600)
        damaged.write_bytes(b"hurt" * 50_000)
        server.command("jobs", "run", "scrub")
        assert await_end(server, "scrub")["damaged"] == "1"
        assert counted(server, r'done_total{job="collect",what="blobs"}') == 1
        assert counted(server, r'done_total{job="scrub",what="damaged"}') == 1
        assert damaged.name in server.log_tail()
        assert {"collect", "scrub", "expire", "trim"} <= {line.split()[0] for line in job_lines(server)}


def job_lines(server: Server) -> list[str]:
    return server.command("jobs", "list").splitlines()
