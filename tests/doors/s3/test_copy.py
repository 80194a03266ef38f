"""CopyObject and UploadPartCopy over the door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot.doors.s3.operations.copies import parse_copy_range
from entrepot.doors.s3.refusal import Refusal
from entrepot.errors import RangeInvalid
from entrepot.model import Right, Span
from tests.doors.s3.door import Door, path_of
from tests.doors.s3.multipart import LEAST, begin, complete

BODY = bytes(range(256)) * 100
VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        opened.ask(
            "PUT", "/bucket/source", body=BODY, headers={"content-type": "text/plain", "x-amz-meta-colour": "red"}
        ).ok()
        yield opened


@pytest.mark.parametrize(
    "source", ["bucket/source", "/bucket/source", "bucket/%73ource", "bucket%2Fsource", "%2Fbucket%2Fsource"]
)
def test_the_ways_to_name_a_source(door: Door, source: str) -> None:
    door.ask("PUT", "/bucket/copy", headers={"x-amz-copy-source": source}).ok()
    copy = door.ask("GET", "/bucket/copy").ok()
    assert copy.body == BODY
    assert (copy.headers["content-type"], copy.headers["x-amz-meta-colour"]) == ("text/plain", "red")


@pytest.mark.parametrize("key", ["a b", "a+b", "a%2Fb", "a?versionId=b", "é\U0001f980", "a//b", "../x", "#&"])
def test_any_key_can_be_copied(door: Door, key: str) -> None:
    door.ask("PUT", path_of("bucket", key), body=key.encode()).ok()
    door.ask("PUT", "/bucket/copied", headers={"x-amz-copy-source": path_of("bucket", key).replace("?", "%3F")}).ok()
    assert door.ask("GET", "/bucket/copied").body == key.encode()


def test_metadata_is_copied_or_replaced(door: Door) -> None:
    headers = {
        "x-amz-copy-source": "bucket/source", "x-amz-metadata-directive": "REPLACE", "x-amz-meta-size": "big",
        "content-type": "image/png",
    }  # fmt: skip
    door.ask("PUT", "/bucket/replaced", headers=headers).ok()
    head = door.ask("HEAD", "/bucket/replaced").ok().headers
    assert (head["content-type"], head["x-amz-meta-size"]) == ("image/png", "big")
    assert "x-amz-meta-colour" not in head
    wrong = headers | {"x-amz-metadata-directive": "MOVE"}
    door.ask("PUT", "/bucket/replaced", headers=wrong).refused(400, "InvalidArgument")


def test_a_copy_onto_itself_must_change_something(door: Door) -> None:
    door.ask("PUT", "/bucket/self", body=b"x").ok()
    source = {"x-amz-copy-source": "bucket/self"}
    door.ask("PUT", "/bucket/self", headers=source).refused(400, "InvalidRequest")
    replace = source | {"x-amz-metadata-directive": "REPLACE", "x-amz-meta-new": "1"}
    door.ask("PUT", "/bucket/self", headers=replace).ok()
    got = door.ask("GET", "/bucket/self").ok()
    assert (got.body, got.headers["x-amz-meta-new"]) == (b"x", "1")


@pytest.mark.parametrize(
    ("condition", "value", "status"),
    [
        ("if-match", "etag", 200),
        ("if-match", "other", 412),
        ("if-none-match", "etag", 412),
        ("if-none-match", "other", 200),
        ("if-modified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 200),
        ("if-unmodified-since", "Mon, 01 Jan 2001 00:00:00 GMT", 412),
    ],
)
def test_conditions_on_the_source(door: Door, condition: str, value: str, status: int) -> None:
    etag = door.ask("HEAD", "/bucket/source").headers["etag"]
    said = etag if value == "etag" else value
    headers = {"x-amz-copy-source": "bucket/source", f"x-amz-copy-source-{condition}": said}
    answer = door.ask("PUT", "/bucket/conditional", headers=headers)
    assert answer.status == status
    if status == 412:
        answer.refused(412, "PreconditionFailed")


def test_conditions_on_the_destination(door: Door) -> None:
    headers = {"x-amz-copy-source": "bucket/source", "if-none-match": "*"}
    door.ask("PUT", "/bucket/once", headers=headers).ok()
    door.ask("PUT", "/bucket/once", headers=headers).refused(412, "PreconditionFailed")


def test_sources_that_are_not_there(door: Door) -> None:
    door.ask("PUT", "/bucket/x", headers={"x-amz-copy-source": "bucket/none"}).refused(404, "NoSuchKey")
    door.ask("PUT", "/bucket/x", headers={"x-amz-copy-source": "absent/none"}).refused(404, "NoSuchBucket")
    door.ask("PUT", "/bucket/x", headers={"x-amz-copy-source": "bucket/source?versionId=0"}).refused(
        404, "NoSuchVersion"
    )


def test_versions_as_sources(door: Door) -> None:
    door.ask("PUT", "/versions").ok()
    door.ask("PUT", "/versions", "versioning", VERSIONING).ok()
    old = door.ask("PUT", "/versions/k", body=b"old").ok().headers["x-amz-version-id"]
    door.ask("PUT", "/versions/k", body=b"new").ok()
    marker = door.ask("DELETE", "/versions/k").ok(204).headers["x-amz-version-id"]
    door.ask("PUT", "/versions/c", headers={"x-amz-copy-source": "versions/k"}).refused(404, "NoSuchKey")
    named = {"x-amz-copy-source": f"versions/k?versionId={marker}"}
    door.ask("PUT", "/versions/c", headers=named).refused(400, "InvalidRequest")
    copied = door.ask("PUT", "/versions/k", headers={"x-amz-copy-source": f"versions/k?versionId={old}"}).ok()
    assert copied.headers["x-amz-copy-source-version-id"] == old
    assert copied.headers["x-amz-version-id"] != old
    assert door.ask("GET", "/versions/k").ok().body == b"old"


def test_a_checksum_that_the_source_has_not(door: Door) -> None:
    headers = {"x-amz-copy-source": "bucket/source", "x-amz-checksum-algorithm": "SHA256"}
    assert door.ask("PUT", "/bucket/summed", headers=headers).ok().word("ChecksumSHA256")
    assert door.ask("GET", "/bucket/summed").body == BODY


def test_parts_from_ranges_of_another_object(door: Door) -> None:
    whole = BODY * 240
    door.ask("PUT", "/bucket/long", body=whole).ok()
    upload = begin(door, "/bucket/joined")
    parts = []
    for number, (first, last) in enumerate([(0, LEAST), (LEAST + 1, len(whole) - 1)], 1):
        headers = {"x-amz-copy-source": "bucket/long", "x-amz-copy-source-range": f"bytes={first}-{last}"}
        answer = door.ask("PUT", "/bucket/joined", f"partNumber={number}&uploadId={upload}", headers=headers).ok()
        etag = answer.word("ETag")
        assert etag
        parts.append((number, etag))
    complete(door, "/bucket/joined", upload, parts).ok()
    assert door.ask("GET", "/bucket/joined").body == whole


@pytest.mark.parametrize(
    ("range_", "status", "code"),
    [
        ("bytes=0-", 400, "InvalidArgument"),
        ("bytes=5-2", 400, "InvalidArgument"),
        ("0-5", 400, "InvalidArgument"),
        (f"bytes=0-{len(BODY)}", 416, "InvalidRange"),
        ("bytes=a-b", 400, "InvalidArgument"),
    ],
)
def test_ranges_that_cannot_be_copied(door: Door, range_: str, status: int, code: str) -> None:
    upload = begin(door, "/bucket/badrange")
    headers = {"x-amz-copy-source": "bucket/source", "x-amz-copy-source-range": range_}
    door.ask("PUT", "/bucket/badrange", f"partNumber=1&uploadId={upload}", headers=headers).refused(status, code)
    door.ask("DELETE", "/bucket/badrange", f"uploadId={upload}").ok(204)


def test_a12_copying_needs_the_right_to_read_the_source(door: Door) -> None:
    """A key that may write one bucket does not read another one by copying from it."""
    writer = door.new_keys("writer", grants={"target": frozenset({Right.READ, Right.WRITE})})
    door.ask("PUT", "/target").ok()
    source = {"x-amz-copy-source": "bucket/source"}
    door.ask("PUT", "/target/stolen", headers=source, keys=writer).refused(403, "AccessDenied")
    upload = door.ask("POST", "/target/stolen", "uploads", keys=writer).ok().word("UploadId")
    part = f"partNumber=1&uploadId={upload}"
    door.ask("PUT", "/target/stolen", part, headers=source, keys=writer).refused(403, "AccessDenied")
    assert door.ask("GET", "/target/stolen", f"uploadId={upload}").ok().words("Part/Size") == []
    door.ask("PUT", "/bucket/written", headers={"x-amz-copy-source": "target/x"}, keys=writer).refused(
        403, "AccessDenied"
    )


@pytest.mark.parametrize(
    "source",
    [
        "",
        "/",
        "bucket",
        "bucket/",
        "/bucket/",
        "//",
        "?versionId=x",
        "bucket/k?versionId=",
        "bucket/%FF",
        "bucket/" + "k" * 1025,
    ],
)
def test_a19_copy_sources_that_name_nothing(door: Door, source: str) -> None:
    answer = door.ask("PUT", "/bucket/a19", headers={"x-amz-copy-source": source})
    assert answer.status == 400
    assert answer.word("Code") in ("InvalidArgument", "KeyTooLongError")
    door.ask("HEAD", "/bucket/a19").refused(404, "NoSuchKey")


def test_copy_range() -> None:
    assert parse_copy_range("bytes=0-9", 10) == Span(0, 10)
    assert parse_copy_range("bytes=3-3", 10) == Span(3, 4)
    for improper in (
        "0-2",
        "bytes=0",
        "bytes=hello-world",
        "bytes=0-bar",
        "bytes=hello-",
        "bytes=0-2,3-5",
        "bytes=5-",
        "bytes=-5",
        "bytes=4-3",
        "",
        f"bytes=0-{'9' * 5000}",
    ):
        with pytest.raises(Refusal, match="InvalidArgument"):
            parse_copy_range(improper, 10)
    for beyond in ("bytes=0-10", "bytes=0-21", "bytes=10-12"):
        with pytest.raises(RangeInvalid):
            parse_copy_range(beyond, 10)


def test_a_plus_in_the_source_is_a_space(door: Door) -> None:
    for key, body in (("a b", b"space"), ("a+b", b"plus")):
        door.ask("PUT", path_of("bucket", key), body=body).ok()
    for source, body in (("bucket/a+b", b"space"), ("bucket/a%2Bb", b"plus"), ("/bucket/a%20b", b"space")):
        door.ask("PUT", "/bucket/copied", headers={"x-amz-copy-source": source}).ok()
        assert door.ask("GET", "/bucket/copied").body == body


@pytest.mark.parametrize("name", ["range", "x-amz-copy-source-range"])
def test_an_object_is_copied_as_a_whole(door: Door, name: str) -> None:
    headers = {"x-amz-copy-source": "bucket/source", name: "bytes=0-1"}
    door.ask("PUT", "/bucket/part-of", headers=headers).refused(400, "InvalidRequest")


def test_a_copy_where_versions_were_kept_says_that_it_is_the_null_version(door: Door) -> None:
    door.ask("PUT", "/suspended").ok()
    headers = {"x-amz-copy-source": "bucket/source"}
    assert "x-amz-version-id" not in door.ask("PUT", "/suspended/k", headers=headers).ok().headers
    for status in (b"Enabled", b"Suspended"):
        door.ask("PUT", "/suspended", "versioning", VERSIONING.replace(b"Enabled", status)).ok()
    assert door.ask("PUT", "/suspended/k", headers=headers).ok().headers["x-amz-version-id"] == "null"
