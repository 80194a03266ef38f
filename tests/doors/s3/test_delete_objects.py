"""DeleteObjects: each entry has a fate of its own."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

import pytest

from entrepot.catalog.operations.objects import Deleted
from entrepot.core.objects import Objects
from entrepot.doors.s3.operations.deletions import AT_ONCE
from entrepot.model import Principal, Right
from tests.doors.s3.door import Answer, Door, Keys
from tests.doors.s3.golden import golden

ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def entry(key: str, **more: str) -> str:
    rest = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in more.items())
    return f"<Object><Key>{escape(key)}</Key>{rest}</Object>"


def document(entries: Iterable[str], *, quiet: bool = False) -> bytes:
    return f"<Delete>{''.join(entries)}{'<Quiet>true</Quiet>' if quiet else ''}</Delete>".encode()


def md5(body: bytes) -> dict[str, str]:
    return {"content-md5": base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()}


def delete(
    door: Door, *entries: str, quiet: bool = False, keys: Keys | None = Door.root, bucket: str = "mine"
) -> Answer:
    body = document(entries, quiet=quiet)
    return door.ask("POST", f"/{bucket}", "delete", body, headers=md5(body), keys=keys)


def fill(door: Door, *keys: str, bucket: str = "mine") -> dict[str, str]:
    """Put objects; their etags by key."""
    door.ask("PUT", f"/{bucket}").ok()
    return {key: door.ask("PUT", f"/{bucket}/{key}", body=b"four").ok().headers["etag"] for key in keys}


def keys_of(door: Door) -> list[str]:
    return door.ask("GET", "/mine").ok().words("Contents/Key")


def test_what_is_there_and_what_is_not(door: Door) -> None:
    fill(door, "a", "b", "c")
    answer = delete(door, entry("a"), entry("none"), entry("c")).ok()
    assert answer.body == golden("DeleteResult", *(f"<Deleted><Key>{k}</Key></Deleted>" for k in ("a", "none", "c")))
    assert keys_of(door) == ["b"]
    assert delete(door, entry("b"), quiet=True).ok().body == golden("DeleteResult")
    assert keys_of(door) == []


def test_a_thousand_and_one_more(door: Door) -> None:
    fill(door, "k0", "k999", "k1000")
    delete(door, *(entry(f"k{i}") for i in range(1001))).refused(400, "MalformedXML")
    assert keys_of(door) == ["k0", "k1000", "k999"]
    assert len(delete(door, *(entry(f"k{i}") for i in range(1000))).ok().words("Deleted")) == 1000
    assert keys_of(door) == ["k1000"]


def test_a_long_list_lets_others_have_their_turn(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few entries at a time are under way; the event loop is everybody's between them."""
    fill(door, "k0", "k999")
    under_way: list[str] = []
    most = 0
    real = Objects.delete

    async def watched(self: Objects, who: Principal, bucket: str, key: str, *rest: Any) -> Deleted:
        nonlocal most
        under_way.append(key)
        most = max(most, len(under_way))
        try:
            return await real(self, who, bucket, key, *rest)
        finally:
            under_way.remove(key)

    monkeypatch.setattr(Objects, "delete", watched)
    assert len(delete(door, *(entry(f"k{i}") for i in range(1000))).ok().words("Deleted")) == 1000
    assert 1 < most <= AT_ONCE
    assert keys_of(door) == []


def test_the_body_needs_a_digest(door: Door) -> None:
    fill(door, "a")
    body = document([entry("a")])
    door.ask("POST", "/mine", "delete", body).refused(400, "InvalidRequest")
    door.ask("POST", "/mine", "delete", body, headers=md5(b"other")).refused(400, "BadDigest")
    wrong = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(b"other").to_bytes(4, "big")).decode()}
    door.ask("POST", "/mine", "delete", body, headers=wrong).refused(400, "BadDigest")
    assert keys_of(door) == ["a"]
    right = {"x-amz-checksum-crc32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
    door.ask("POST", "/mine", "delete", body, headers=right).ok()
    assert keys_of(door) == []


def test_versions_and_markers(door: Door) -> None:
    fill(door)
    door.ask("PUT", "/mine", "versioning", ENABLED).ok()
    version = door.ask("PUT", "/mine/a", body=b"1").ok().headers["x-amz-version-id"]
    answer = delete(door, entry("a"), entry("b")).ok()
    assert answer.words("Deleted/DeleteMarker") == ["true", "true"]
    markers = answer.words("Deleted/DeleteMarkerVersionId")
    assert answer.words("Deleted/VersionId") == []
    assert door.ask("GET", "/mine", "versions").words("DeleteMarker/VersionId") == markers
    answer = delete(door, entry("a", VersionId=markers[0]), entry("a", VersionId="never-was")).ok()
    assert answer.words("Deleted/VersionId") == [markers[0], "never-was"]
    assert answer.words("Deleted/DeleteMarkerVersionId") == [markers[0]]
    assert keys_of(door) == ["a"]
    answer = delete(door, entry("a", VersionId=version)).ok()
    assert (answer.words("Deleted/VersionId"), answer.words("Deleted/DeleteMarker")) == ([version], [])
    assert door.ask("GET", "/mine", "versions").words("Version/Key") == []


def test_conditions_of_each_entry(door: Door) -> None:
    etags = fill(door, "a", "b", "c", "d", "e", "f")
    modified = door.ask("HEAD", "/mine/a").headers["last-modified"]
    answer = delete(
        door,
        entry("a", ETag=etags["a"]), entry("b", ETag='"other"'), entry("c", Size="4"), entry("d", Size="5"),
        entry("e", LastModifiedTime=modified), entry("f", LastModifiedTime="Sun, 06 Nov 1994 08:49:37 GMT"),
        entry("none", ETag='"other"', Size="9"),
        quiet=True,
    ).ok()  # fmt: skip
    assert answer.words("Error/Key") == ["b", "d", "f"]
    assert set(answer.words("Error/Code")) == {"PreconditionFailed"}
    assert keys_of(door) == ["b", "d", "f"]


def test_a_key_that_is_too_long_harms_no_other(door: Door) -> None:
    fill(door, "a")
    answer = delete(door, entry("é" * 513), entry("a")).ok()
    assert (answer.words("Error/Code"), answer.words("Deleted/Key")) == (["KeyTooLongError"], ["a"])
    assert keys_of(door) == []


def test_many_requests_at_once_delete_everything(door: Door) -> None:
    every = [f"k{i:03}" for i in range(60)]
    fill(door, *every)
    for answer in [delete(door, *map(entry, every[start : start + 20])) for start in range(0, 60, 20)]:
        answer.ok()
    assert keys_of(door) == []


@pytest.mark.parametrize("body", [b"", b"<Delete></Delete>", b"<Delete><Object></Object></Delete>", b"<Delete", b"x"])
def test_bodies_that_are_none(door: Door, body: bytes) -> None:
    fill(door, "a")
    door.ask("POST", "/mine", "delete", body, headers=md5(body)).refused(400, "MalformedXML")
    door.ask("POST", "/none", "delete", body, headers=md5(body)).refused(404, "NoSuchBucket")


def test_a12_who_may_delete_nothing_is_told_so_before_the_body_is_read(door: Door) -> None:
    fill(door, "a", "b")
    door.ask("PUT", "/mine", "acl", headers={"x-amz-acl": "public-read"}).ok()
    delete(door, entry("a"), keys=None).refused(403, "AccessDenied")
    reader = door.new_keys("reader", grants={"mine": frozenset({Right.READ, Right.WRITE})})
    delete(door, entry("a"), entry("b"), entry("none"), keys=reader).refused(403, "AccessDenied")
    assert keys_of(door) == ["a", "b"]
    deleter = door.new_keys("deleter", grants={"mine": frozenset({Right.DELETE})})
    assert delete(door, entry("a"), keys=deleter).ok().words("Deleted/Key") == ["a"]
