"""Whether the work of a put tells that an account has the same bytes already."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from entrepot.app import open_core
from entrepot.blobs.files import Files
from entrepot.config import Config
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.model import Meta
from tests.core.services import ROOT, pieces

DATA = bytes(range(256)) * 2000


@pytest.mark.parametrize(("dedup", "written"), [("all", 1), ("account", 2)])
async def test_how_often_the_same_bytes_are_written(
    dedup: Literal["all", "account"], written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    fdatasync = Files.fdatasync

    def count(self: Files, fd: int) -> None:
        synced.append(fd)
        fdatasync(self, fd)

    monkeypatch.setattr(Files, "fdatasync", count)
    async with open_core(Config(data=tmp_path, dedup=dedup)) as core:
        for bucket in ("mine", "theirs"):
            await core.buckets.create(ROOT, bucket)
            await core.objects.put(ROOT, bucket, "key", pieces([DATA]), Put(Meta(), Intake(size=len(DATA))))
        assert len(synced) == written
        assert len([blob async for blob in core.health.stores["main"].list()]) == 1
