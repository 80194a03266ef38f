"""Multipart uploads over the door: what parts must be, what a completion may say, and lists of both."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from entrepot.digests import digest_of
from tests.doors.s3.door import Call, Door
from tests.doors.s3.multipart import LEAST, begin, complete, document, put_part, upload_parts

BIG, SMALL = b"a" * LEAST, b"b" * 100


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("door")
    with Door(folder / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        yield opened


def test_the_object_is_its_parts(door: Door) -> None:
    upload, parts = upload_parts(door, "/bucket/whole", [BIG, SMALL])
    door.ask("HEAD", "/bucket/whole").refused(404, "NoSuchKey")
    done = complete(door, "/bucket/whole", upload, parts).ok()
    md5s = b"".join(hashlib.md5(part, usedforsecurity=False).digest() for part in (BIG, SMALL))
    assert done.word("ETag") == f'"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-2"'
    assert done.word("ChecksumCRC64NVME") == base64.b64encode(digest_of("crc64nvme", BIG + SMALL)).decode()
    assert done.word("Location") == "http://store.test/bucket/whole"
    assert door.ask("GET", "/bucket/whole").ok().body == BIG + SMALL
    again = complete(door, "/bucket/whole", upload, parts).ok()
    assert again.body == done.body
    door.ask("DELETE", "/bucket/whole", f"uploadId={upload}").refused(404, "NoSuchUpload")
    put_part(door, "/bucket/whole", upload, 3, SMALL).refused(404, "NoSuchUpload")


def test_parts_are_read_one_by_one(door: Door) -> None:
    upload = begin(door, "/bucket/numbers")
    etags = [
        (number, put_part(door, "/bucket/numbers", upload, number, body).headers["etag"])
        for number, body in ((2, BIG), (9, SMALL))
    ]
    complete(door, "/bucket/numbers", upload, etags).ok()
    for method in ("GET", "HEAD"):
        part = door.ask(method, "/bucket/numbers", "partNumber=2", headers={"x-amz-checksum-mode": "ENABLED"}).ok(206)
        assert part.headers["x-amz-mp-parts-count"] == "2"
        assert part.headers["content-range"] == f"bytes {LEAST}-{LEAST + 99}/{LEAST + 100}"
        assert part.headers["content-length"] == "100"
        assert part.headers["x-amz-checksum-crc64nvme"] == base64.b64encode(digest_of("crc64nvme", SMALL)).decode()
        assert part.body == (SMALL if method == "GET" else b"")
    door.ask("GET", "/bucket/numbers", "partNumber=3").refused(416, "InvalidPartNumber")
    door.ask("GET", "/bucket/numbers", "partNumber=0").refused(400, "InvalidArgument")
    door.ask("GET", "/bucket/numbers", "partNumber=x").refused(400, "InvalidArgument")
    door.ask("GET", "/bucket/numbers", "partNumber=1", headers={"range": "bytes=0-1"}).refused(400, "InvalidRequest")


def test_an_object_in_one_piece_is_its_first_part(door: Door) -> None:
    door.ask("PUT", "/bucket/single", body=SMALL).ok()
    part = door.ask("GET", "/bucket/single", "partNumber=1").ok(206)
    assert part.body == SMALL
    assert "x-amz-mp-parts-count" not in part.headers
    door.ask("GET", "/bucket/single", "partNumber=2").refused(416, "InvalidPartNumber")


@pytest.mark.parametrize(
    ("named", "code"),
    [
        (lambda parts: [parts[1], parts[0]], "InvalidPartOrder"),
        (lambda parts: [parts[0], parts[0]], "InvalidPartOrder"),
        (lambda parts: [parts[0], (4, parts[1][1])], "InvalidPart"),
        (lambda parts: [parts[0], (2, "0" * 32)], "InvalidPart"),
        (lambda parts: [parts[1], (3, parts[2][1])], "EntityTooSmall"),
        (lambda parts: parts[:0], "MalformedXML"),
    ],
)
def test_a_completion_that_does_not_fit(door: Door, named: object, code: str) -> None:
    assert callable(named)
    upload, parts = upload_parts(door, "/bucket/unfit", [BIG, SMALL, SMALL])
    complete(door, "/bucket/unfit", upload, named(parts)).refused(400, code)
    door.ask("HEAD", "/bucket/unfit").refused(404, "NoSuchKey")
    door.ask("DELETE", "/bucket/unfit", f"uploadId={upload}").ok(204)


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({"x-amz-mp-object-size": str(LEAST + 100)}, 200, ""),
        ({"x-amz-mp-object-size": str(LEAST)}, 400, "InvalidRequest"),
        ({"x-amz-checksum-crc64nvme": base64.b64encode(digest_of("crc64nvme", BIG + SMALL)).decode()}, 200, ""),
        ({"x-amz-checksum-crc64nvme": base64.b64encode(bytes(8)).decode()}, 400, "BadDigest"),
        ({"x-amz-checksum-sha256": base64.b64encode(bytes(32)).decode()}, 200, ""),
        ({"x-amz-checksum-type": "COMPOSITE"}, 400, "BadDigest"),
        ({"x-amz-checksum-type": "FULL_OBJECT"}, 200, ""),
        ({"if-none-match": "*"}, 200, ""),
        ({"if-match": '"' + "0" * 32 + '"'}, 404, "NoSuchKey"),
    ],
)
def test_what_a_completion_says_of_the_whole(door: Door, headers: dict[str, str], status: int, code: str) -> None:
    upload, parts = upload_parts(door, "/bucket/said", [BIG, SMALL])
    answer = complete(door, "/bucket/said", upload, parts, headers)
    if status == 200:
        answer.ok()
        door.ask("DELETE", "/bucket/said").ok(204)
    else:
        answer.refused(status, code)
        door.ask("HEAD", "/bucket/said").refused(404, "NoSuchKey")
        door.ask("DELETE", "/bucket/said", f"uploadId={upload}").ok(204)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_composite_checksums(door: Door, algorithm: str) -> None:
    name = algorithm.lower()
    upload = begin(door, "/bucket/composite", {"x-amz-checksum-algorithm": algorithm})
    parts = []
    for number, body in enumerate((BIG, SMALL), 1):
        sent = {f"x-amz-checksum-{name}": base64.b64encode(digest_of(name, body)).decode()}
        wrong = {f"x-amz-checksum-{name}": base64.b64encode(digest_of(name, body + b"!")).decode()}
        put_part(door, "/bucket/composite", upload, number, body, wrong).refused(400, "BadDigest")
        answer = put_part(door, "/bucket/composite", upload, number, body, sent).ok()
        assert sent.items() <= answer.headers.items()
        element = f"<Checksum{algorithm}>{sent[f'x-amz-checksum-{name}']}</Checksum{algorithm}>"
        parts.append((number, answer.headers["etag"], element))
    bare = [(number, etag) for number, etag, _ in parts]
    complete(door, "/bucket/composite", upload, bare).refused(400, "InvalidRequest")
    value = digest_of(name, b"".join(digest_of(name, body) for body in (BIG, SMALL)))
    expected = base64.b64encode(value).decode() + "-2"
    complete(door, "/bucket/composite", upload, parts, {f"x-amz-checksum-{name}": expected[:-1] + "3"}).refused(
        400, "BadDigest"
    )
    done = complete(door, "/bucket/composite", upload, parts, {f"x-amz-checksum-{name}": expected}).ok()
    assert (done.word(f"Checksum{algorithm}"), done.word("ChecksumType")) == (expected, "COMPOSITE")
    head = door.ask("HEAD", "/bucket/composite", headers={"x-amz-checksum-mode": "ENABLED"}).ok()
    assert head.headers[f"x-amz-checksum-{name}"] == expected
    told = door.ask(
        "GET", "/bucket/composite", "attributes", headers={"x-amz-object-attributes": "Checksum,ObjectParts,ObjectSize"}
    ).ok()
    assert told.words("Part/Size") == [str(LEAST), "100"]
    assert told.word("PartsCount") == "2"
    assert len(told.words(f"Part/Checksum{algorithm}")) == 2
    door.ask("DELETE", "/bucket/composite").ok(204)


@pytest.mark.parametrize("number", ["0", "10001", "-1", "", "1x", "%C2%B2"])
def test_part_numbers(door: Door, number: str) -> None:
    upload = begin(door, "/bucket/n")
    door.ask("PUT", "/bucket/n", f"partNumber={number}&uploadId={upload}", b"x").refused(400, "InvalidArgument")
    door.ask("DELETE", "/bucket/n", f"uploadId={upload}").ok(204)


def test_a_part_number_alone_does_not_write_an_object(door: Door) -> None:
    door.ask("PUT", "/bucket/alone", "partNumber=1", b"x").refused(400, "InvalidRequest")
    door.ask("HEAD", "/bucket/alone").refused(404, "NoSuchKey")


def test_an_upload_belongs_to_its_key(door: Door) -> None:
    upload = begin(door, "/bucket/mine")
    put_part(door, "/bucket/other", upload, 1, b"x").refused(404, "NoSuchUpload")
    complete(door, "/bucket/other", upload, [(1, "x")]).refused(404, "NoSuchUpload")
    door.ask("DELETE", "/bucket/other", f"uploadId={upload}").refused(404, "NoSuchUpload")
    door.ask("GET", "/bucket/other", f"uploadId={upload}").refused(404, "NoSuchUpload")
    door.ask("DELETE", "/bucket/mine", f"uploadId={upload}").ok(204)
    door.ask("DELETE", "/bucket/mine", f"uploadId={upload}").refused(404, "NoSuchUpload")


def test_parts_in_pages(door: Door) -> None:
    upload, _ = upload_parts(door, "/bucket/paged", [b"1", b"22", b"333"])
    query = f"uploadId={upload}&max-parts=2"
    first = door.ask("GET", "/bucket/paged", query).ok()
    assert (first.words("Part/Size"), first.word("IsTruncated")) == (["1", "2"], "true")
    assert door.ask("GET", "/bucket/paged", f"{query}&part-number-marker=").ok().words("Part/Size") == ["1", "2"]
    last = door.ask("GET", "/bucket/paged", f"{query}&part-number-marker={first.word('NextPartNumberMarker')}").ok()
    assert (last.words("Part/Size"), last.word("IsTruncated")) == (["3"], "false")
    door.ask("GET", "/bucket/paged", f"uploadId={upload}&max-parts=x").refused(400, "InvalidArgument")
    door.ask("DELETE", "/bucket/paged", f"uploadId={upload}").ok(204)


def test_uploads_in_pages_and_groups(door: Door) -> None:
    door.ask("PUT", "/listed").ok()
    for key in ("a", "b/1", "b/2", "c%20%C3%A9", "b/1"):
        begin(door, f"/listed/{key}")
    assert door.ask("GET", "/listed", "uploads").ok().words("Upload/Key") == ["a", "b/1", "b/1", "b/2", "c é"]
    seen: list[str] = []
    markers = ""
    while True:
        page = door.ask("GET", "/listed", f"uploads&delimiter=%2F&max-uploads=1&encoding-type=url{markers}").ok()
        seen += page.words("Upload/Key") + page.words("CommonPrefixes/Prefix")
        if page.word("IsTruncated") == "false":
            break
        marker, last = page.word("NextKeyMarker"), page.word("NextUploadIdMarker")
        markers = f"&key-marker={quote(unquote(marker or ''), safe='')}&upload-id-marker={last or ''}"
    assert seen == ["a", "b/", "c%20%C3%A9"]
    assert door.ask("GET", "/listed", "uploads&prefix=b%2F").ok().words("Upload/Key") == ["b/1", "b/1", "b/2"]
    within = door.ask("GET", "/listed", "uploads&delimiter=%2F&key-marker=b%2F1").ok()  # a group is behind its keys
    assert (within.words("Upload/Key"), within.words("CommonPrefixes/Prefix")) == (["c é"], [])


def test_complete_and_abort_at_once(door: Door) -> None:
    """One of them wins; the object is there if and only if it was the completion."""
    for _ in range(10):
        upload, parts = upload_parts(door, "/bucket/race", [SMALL])
        query = f"uploadId={upload}"
        done, gone = door.ask_at_once(
            [Call("POST", "/bucket/race", query, document(parts)), Call("DELETE", "/bucket/race", query)]
        )
        assert {(200, 404), (404, 204)} >= {(done.status, gone.status)}
        assert door.ask("HEAD", "/bucket/race").status == (200 if done.status == 200 else 404)
        door.ask("DELETE", "/bucket/race").ok(204)
