"""The check sees each kind of damage that is planted for it, and says whom it concerns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from entrepot.blobs.store import digest
from entrepot.core.inspection import Finding
from entrepot.model import BlobId
from tests.upkeep.house import BLOB, ROOT, House, data, opened

LARGE = data(3 * BLOB + 17)
BLOBS = {"blob": data(BLOB), "inline": data(100)}

DOUBLE = """INSERT INTO versions SELECT NULL, bucket, key, version_id, 0, marker, size, etag, hash, inline_id,
    inline_digest, store, blob, manifest, sealed_with, media_type, headers, metadata, checksums, parts, tags, owner,
    created_at, archived_at FROM versions WHERE key = x'626c6f62'"""

RULES = [
    ("UPDATE versions SET bucket = 99 WHERE key = x'626c6f62'", "is in no bucket"),
    ("UPDATE versions SET marker = 1 WHERE key = x'626c6f62'", "is a delete marker and live"),
    ("UPDATE versions SET live = 0 WHERE key = x'626c6f62'", "is the newest and neither live nor a delete marker"),
    ("UPDATE versions SET live = 0 WHERE key = x'626c6f62'", "is history in a bucket that keeps none"),
    (DOUBLE, "is live although a newer one is there"),
    (DOUBLE, "is not the only null version of its key"),
    ("UPDATE versions SET manifest = 1 WHERE key = x'626c6f62'", "version does not name its bytes in exactly one way"),
    ("UPDATE versions SET parts = 2 WHERE key = x'626c6f62'", "was completed from parts that are not recorded"),
    ("UPDATE parts SET upload = 99", "belongs to no upload"),
    ("UPDATE parts SET blob = NULL, manifest = NULL", "part does not name its bytes in exactly one way"),
    ("UPDATE uploads SET finished_at = 1", "belongs to an upload that is complete"),
    ("UPDATE uploads SET bucket = 99", "upload is in no bucket"),
    ("DELETE FROM inline_blobs", "has lost its bytes"),
    ("UPDATE inline_blobs SET damaged = 1", "has lost its bytes"),
    ("UPDATE versions SET inline_digest = x'00' WHERE key = x'696e6c696e65'", "has lost its bytes"),
    ("UPDATE versions SET tags = 2 WHERE key = x'626c6f62'", "has another number of tags than it counts"),
    ("INSERT INTO version_tags VALUES (99, 'name', 'value')", "tag is of a version that is absent"),
    ("INSERT INTO bucket_tags VALUES (99, 'name', 'value')", "tag is of a bucket that is absent"),
    ("UPDATE versions SET store = 'other' WHERE key = x'626c6f62'", "version names a blob that is not placed"),
    ("UPDATE parts SET store = 'other'", "part names a blob that is not placed"),
    ("DELETE FROM placements WHERE size = 4096", "version names a blob that is not placed"),
    ("UPDATE placements SET size = 7 WHERE size = 4096", "version names a blob that is not placed"),
    ("UPDATE placements SET condemned = 1", "version names a blob that is not placed"),
    ("DELETE FROM placements", "part names a blob that is not placed"),
    ("DELETE FROM placements", "manifest has a piece whose blob is not placed"),
    ("DELETE FROM manifests", "version names a manifest that is absent"),
    ("UPDATE manifests SET size = size + 1", "version names a manifest that is absent"),
    ("UPDATE parts SET manifest = 99, blob = NULL", "part names a manifest that is absent"),
    ("UPDATE pieces SET start = start + 1 WHERE start > 0", "has a piece that is not where the one before it ends"),
    ("DELETE FROM pieces WHERE start = 0", "has a piece that is not where the one before it ends"),
    ("DELETE FROM pieces WHERE start = 12288", "is not as long as its pieces together"),
    ("DELETE FROM manifests", "manifest is absent but has pieces"),
    ("UPDATE pieces SET nested = 1", "has a piece that is empty or names not exactly one thing"),
    ("UPDATE pieces SET nested = 99, blob = NULL", "holds a manifest that is absent"),
]


@asynccontextmanager
async def furnished(folder: Path) -> AsyncIterator[House]:
    async with opened(folder) as house:
        await house.buckets.create(ROOT, "bucket")
        for key, content in BLOBS.items():
            await house.put(key, content)
        await house.put("large", LARGE)
        await house.complete(await house.upload("joined", LARGE, data(BLOB)), 2)
        await house.upload("open", data(BLOB - 1))
        assert await house.check() == []
        yield house


def plant(folder: Path, text: str) -> None:
    connection = apsw.Connection(str(folder / "catalog.sqlite"))
    connection.execute(text)
    connection.close()


@pytest.mark.parametrize(("text", "broken"), RULES)
async def test_a_broken_rule_is_found(text: str, broken: str, tmp_path: Path) -> None:
    async with furnished(tmp_path) as house:
        plant(tmp_path, text)
        found = await house.check(deep=False)
        assert any(broken in f"{finding.what} {finding.hint}" or _matches(finding, broken) for finding in found), found
        assert not any(finding.harmless for finding in found if finding.kind == "structure")


def _matches(finding: Finding, broken: str) -> bool:
    noun, _, rest = broken.partition(" ")
    return finding.what.startswith(noun) and rest in finding.hint


async def test_lost_bytes_are_found_with_everybody_who_needs_them(tmp_path: Path) -> None:
    async with furnished(tmp_path) as house:
        await house.copy("blob", "copy")
        await house.store.remove([digest(BLOBS["blob"]), digest(LARGE[:BLOB])])
        found = await house.check(deep=False)
        assert {finding.kind for finding in found} == {"missing"}
        assert {finding.what for finding in found} == {
            f"version bucket/{key} (null)" for key in ("blob", "copy", "large", "joined")
        }


async def test_a_deep_check_reads_everything(tmp_path: Path) -> None:
    async with furnished(tmp_path) as house:
        name = digest(LARGE[BLOB : 2 * BLOB]).hex()
        path = tmp_path / "blobs" / name[:2] / name[2:4] / name
        path.write_bytes(path.read_bytes()[::-1])
        plant(tmp_path, "UPDATE inline_blobs SET data = CAST(x'ff' || substr(data, 2) AS BLOB)")
        assert await house.check(deep=False) == []
        found = await house.check(deep=True)
        assert {(finding.kind, finding.what) for finding in found} == {
            ("damaged", "version bucket/large (null)"),
            ("damaged", "version bucket/joined (null)"),
            ("structure", "version bucket/inline (null)"),
        }
        assert len(list((tmp_path / "blobs" / "quarantine").iterdir())) == 1
        await house.put("large", LARGE)
        await house.put("mended", BLOBS["inline"])
        assert await house.check(deep=True) == []


async def test_a_store_that_is_not_configured_is_found(tmp_path: Path) -> None:
    async with furnished(tmp_path) as house:
        plant(tmp_path, "UPDATE buckets SET store = 'elsewhere'")
        assert Finding("store", "store elsewhere", "is not configured, but buckets are bound to it") in (
            await house.check(deep=False)
        )


async def test_what_is_being_put_is_not_missing(tmp_path: Path) -> None:
    async with furnished(tmp_path) as house:
        await house.content.claim("main", digest(b"soon"), 4)
        assert await house.check() == []


async def test_what_is_put_and_named_meanwhile_is_not_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check looks for a blob that is claimed; until it asks who needs it, it is there, and somebody does."""
    async with furnished(tmp_path) as house:
        await house.content.claim("main", digest(LARGE[:BLOB][::-1]), BLOB)
        stat = house.store.stat

        async def late(ids: Collection[BlobId]) -> Mapping[BlobId, int]:
            found = await stat(ids)
            await house.put("late", LARGE[:BLOB][::-1])
            return found

        monkeypatch.setattr(house.store, "stat", late)
        assert await house.check(deep=False) == []
