"""What a disk without room does to the server itself."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from entrepot.config import load
from entrepot.observe import Observer
from entrepot.wire.http import Headers, Request, Response
from tests.server import Server
from tests.serving.raw import ask


def test_metrics_have_their_room_from_the_start(tmp_path: Path) -> None:
    """Their files are mapped to memory: a hole in one, filled when the disk is full, ends the worker."""
    with Server(tmp_path / "data", workers=2) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        files = list((server.data / "metrics").rglob("*.db"))
        assert len(files) == 4
        for file in files:
            found = file.stat()
            assert found.st_blocks * 512 >= found.st_size > 0


def test_a_disk_that_is_full_from_the_start_costs_the_metrics_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def answer(request: Request) -> Response:
        request.note["operation"] = "OnAFullDisk"
        return Response(200)

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(os, "posix_fallocate", full)

    async def nothing() -> AsyncIterator[bytes]:
        for data in list[bytes]():
            yield data

    async def count() -> None:
        observer = Observer(answer, load({"data": str(tmp_path)}, {}).config)
        assert (await observer(Request("GET", b"/", b"", Headers([]), nothing()))).status == 200
        observer.flush()

    asyncio.run(count())
    labels = {"operation": "OnAFullDisk", "status": "200"}
    assert REGISTRY.get_sample_value("entrepot_requests_total", labels) is None
