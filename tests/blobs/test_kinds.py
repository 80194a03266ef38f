"""A kind of stores is one file, and nothing else names it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from entrepot import blobs
from entrepot.app import open_core
from entrepot.blobs.kinds import kinds
from entrepot.config import load
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.errors import ConfigInvalid
from entrepot.model import Meta
from tests.core.services import ROOT, joined, pieces

TAPE: Final = """
import contextlib
from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from entrepot.blobs.kinds import StoreKind, StoreSettings
from entrepot.blobs.memory import MemoryStore

kept = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StoreSettings):
    kind: Annotated[Literal["tape"], msgspec.Meta(description="`tape` keeps blobs for long")] = "tape"
    length: Annotated[int, msgspec.Meta(ge=1, description="of the tape")] = 7


@contextlib.asynccontextmanager
async def opened(opening, settings):
    kept[opening.name] = store = MemoryStore(opening.name, limit=settings.length)
    try:
        yield store
    finally:
        kept[opening.name] = None


KIND = StoreKind(Settings, opened, max_blob=1 << 20)
"""


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A module more in the package of the stores."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "tape.py").write_text(TAPE)
    monkeypatch.setattr(blobs, "__path__", [*blobs.__path__, str(folder)])
    kinds.cache_clear()
    yield
    monkeypatch.undo()
    kinds.cache_clear()


def test_the_kinds_that_there_are() -> None:
    assert list(kinds()) == ["disk", "inline", "memory"]


@pytest.mark.usefixtures("planted")
def test_a_kind_is_found_set_up_opened_and_closed(tmp_path: Path) -> None:
    flags = {"data": str(tmp_path / "data"), "stores.main.kind": "tape", "blob_size": "1 MiB"}
    config = load(flags, {"ENTREPOT_STORES__MAIN__LENGTH": "200000"}).config
    data = bytes(100_000)

    async def story() -> None:
        async with open_core(config) as core:
            await core.buckets.create(ROOT, "bucket")
            await core.objects.put(ROOT, "bucket", "key", pieces([data]), Put(Meta(), Intake()))
            opened = await core.objects.open(ROOT, "bucket", "key")
            assert await joined(await opened.read()) == data
            assert kept()["main"] is not None

    asyncio.run(story())
    assert kept() == {"main": None}


def kept() -> dict[str, object]:
    module = __import__("entrepot.blobs.tape", fromlist=["kept"])
    found: dict[str, object] = module.kept
    return found


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"stores.main.kind": "tape", "stores.main.length": 0}, "stores.main.length: expected"),
        ({"stores.main.kind": "tape", "stores.main.path": "x"}, "nearest is stores.main."),
        ({"stores.main.kind": "tape"}, "longest blob of the tape store main"),
        ({"stores.main.kind": "threads"}, "expected one of disk, inline, memory, tape; it is 'threads'"),
    ],
)
def test_what_a_kind_does_not_take_is_refused(flags: dict[str, object], words: str) -> None:
    with pytest.raises(ConfigInvalid, match=words):
        load(flags, {})
