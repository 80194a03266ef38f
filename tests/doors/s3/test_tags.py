"""Tags of objects and of buckets, in documents and in headers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.doors.s3.door import Answer, Door
from tests.doors.s3.golden import golden
from tests.doors.s3.multipart import begin, complete, put_part

ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def document(tags: Mapping[str, str]) -> bytes:
    rows = "".join(f"<Tag><Key>{name}</Key><Value>{value}</Value></Tag>" for name, value in tags.items())
    return f"<Tagging><TagSet>{rows}</TagSet></Tagging>".encode()


def tags_of(door: Door, path: str, query: str = "tagging") -> dict[str, str]:
    told = door.ask("GET", path, query).ok()
    return dict(zip(told.words("Tag/Key"), told.words("Tag/Value"), strict=True))


def put(door: Door, path: str, tags: Mapping[str, str], query: str = "tagging") -> Answer:
    return door.ask("PUT", path, query, document(tags))


@pytest.fixture
def filled(door: Door) -> Door:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/k", body=b"1").ok()
    return door


def test_tags_of_an_object(filled: Door) -> None:
    assert filled.ask("GET", "/mine/k", "tagging").ok().body == golden("Tagging", "<TagSet></TagSet>")
    put(filled, "/mine/k", {"colour": "b & w".replace("&", "&amp;"), "é": ""}).ok()
    assert tags_of(filled, "/mine/k") == {"colour": "b & w", "é": ""}
    for method in ("GET", "HEAD"):
        assert filled.ask(method, "/mine/k").ok().headers["x-amz-tagging-count"] == "2"
    put(filled, "/mine/k", {"a": "1"}).ok()
    assert tags_of(filled, "/mine/k") == {"a": "1"}
    filled.ask("DELETE", "/mine/k", "tagging").ok(204)
    assert tags_of(filled, "/mine/k") == {}
    assert "x-amz-tagging-count" not in filled.ask("HEAD", "/mine/k").headers


def test_tags_of_versions(filled: Door) -> None:
    filled.ask("PUT", "/mine", "versioning", ENABLED).ok()
    version = filled.ask("PUT", "/mine/k", body=b"2").ok().headers["x-amz-version-id"]
    assert put(filled, "/mine/k", {"new": "1"}).ok().headers["x-amz-version-id"] == version
    put(filled, "/mine/k", {"old": "1"}, "tagging&versionId=null").ok()
    assert tags_of(filled, "/mine/k") == {"new": "1"}
    assert tags_of(filled, "/mine/k", f"tagging&versionId={version}") == {"new": "1"}
    assert tags_of(filled, "/mine/k", "tagging&versionId=null") == {"old": "1"}
    unknown = f"tagging&versionId={'0' * 32}"
    for method in ("GET", "DELETE"):
        filled.ask(method, "/mine/k", unknown).refused(404, "NoSuchVersion")
    put(filled, "/mine/k", {"a": "b"}, unknown).refused(404, "NoSuchVersion")
    filled.ask("DELETE", "/mine/k").ok(204)
    put(filled, "/mine/k", {"a": "b"}).refused(404, "NoSuchKey")


def test_tags_in_a_header(filled: Door) -> None:
    said = {"x-amz-tagging": "colour=b%20w+c&empty=&bare"}
    want = {"bare": "", "colour": "b w c", "empty": ""}
    filled.ask("PUT", "/mine/k", body=b"1", headers=said).ok()
    assert tags_of(filled, "/mine/k") == want
    upload = begin(filled, "/mine/m", said)
    etag = put_part(filled, "/mine/m", upload, 1, b"1").ok().headers["etag"]
    complete(filled, "/mine/m", upload, [(1, etag)]).ok()
    assert tags_of(filled, "/mine/m") == want
    filled.ask("PUT", "/mine/k", body=b"1").ok()
    assert tags_of(filled, "/mine/k") == {}
    for bad in ("a=1&a=2", "a=%FF"):
        filled.ask("PUT", "/mine/k", body=b"1", headers={"x-amz-tagging": bad}).refused(400, "InvalidArgument")
    other = begin(filled, "/mine/m")
    filled.ask("PUT", "/mine/m", f"uploadId={other}&partNumber=1", b"1", headers=said).refused(501, "NotImplemented")


def test_tags_of_a_copy(filled: Door) -> None:
    put(filled, "/mine/k", {"a": "1"}).ok()
    source = {"x-amz-copy-source": "mine/k"}
    filled.ask("PUT", "/mine/c", headers=source).ok()
    assert tags_of(filled, "/mine/c") == {"a": "1"}
    replaced = source | {"x-amz-tagging-directive": "REPLACE"}
    filled.ask("PUT", "/mine/c", headers=replaced | {"x-amz-tagging": "b=2"}).ok()
    assert tags_of(filled, "/mine/c") == {"b": "2"}
    filled.ask("PUT", "/mine/c", headers=replaced).ok()
    assert tags_of(filled, "/mine/c") == {}
    filled.ask("PUT", "/mine/c", headers=source | {"x-amz-tagging": "b=2"}).refused(400, "InvalidArgument")
    filled.ask("PUT", "/mine/c", headers=source | {"x-amz-tagging-directive": "x"}).refused(400, "InvalidArgument")


def test_tags_of_a_bucket(filled: Door) -> None:
    filled.ask("GET", "/mine", "tagging").refused(404, "NoSuchTagSet")
    put(filled, "/mine", {"team": "red"}).ok(204)
    assert tags_of(filled, "/mine") == {"team": "red"}
    filled.ask("DELETE", "/mine", "tagging").ok(204)
    filled.ask("GET", "/mine", "tagging").refused(404, "NoSuchTagSet")
    for method in ("GET", "PUT", "DELETE"):
        filled.ask(method, "/none", "tagging", document({"a": "b"}) if method == "PUT" else b"").refused(
            404, "NoSuchBucket"
        )


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (document({str(number): "" for number in range(11)}), "BadRequest"),
        (document({str(number): "" for number in range(51)}), "BadRequest"),
        (document({"a" * 129: ""}), "InvalidTag"),
        (document({"a": "b" * 257}), "InvalidTag"),
        (document({"": "b"}), "InvalidTag"),
        (document({"a": "b"}).replace(b"</TagSet>", b"<Tag><Key>a</Key><Value/></Tag></TagSet>"), "InvalidTag"),
        (b"<Tagging/>", "MalformedXML"),
        (b"<Tagging><TagSet/><TagSet/></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>", "MalformedXML"),
        (b"<Tagging><TagSet><Tag><Key>a</Key><Value/><Other/></Tag></TagSet></Tagging>", "MalformedXML"),
        (b"", "MalformedXML"),
    ],
)
def test_tags_that_cannot_be(filled: Door, body: bytes, code: str) -> None:
    put(filled, "/mine/k", {"kept": "1"}).ok()
    filled.ask("PUT", "/mine/k", "tagging", body).refused(400, code)
    assert tags_of(filled, "/mine/k") == {"kept": "1"}


def test_as_many_and_as_long_as_may_be(filled: Door) -> None:
    tags = {f"{number:03}" + "n" * 125: "\U0001f980" * 256 for number in range(10)}
    put(filled, "/mine/k", tags).ok()
    assert tags_of(filled, "/mine/k") == tags
    many = {str(number): "" for number in range(50)}
    put(filled, "/mine", many).ok(204)
    assert tags_of(filled, "/mine") == many


def test_who_may_not_write_does_not_tag(door: Door) -> None:
    door.ask("PUT", "/mine", headers={"x-amz-acl": "public-read"}).ok()
    door.ask("PUT", "/mine/k", body=b"1", headers={"x-amz-tagging": "a=b"}).ok()
    for keys in (None, door.new_keys("stranger")):
        for method, path in (("PUT", "/mine/k"), ("DELETE", "/mine/k"), ("PUT", "/mine"), ("DELETE", "/mine")):
            body = document({"x": "y"}) if method == "PUT" else b""
            door.ask(method, path, "tagging", body, keys=keys).refused(403, "AccessDenied")
    assert tags_of(door, "/mine/k") == {"a": "b"}
