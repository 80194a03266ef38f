"""How an upload ends over the door: completed twice, aborted on a condition, and what a copy of it is then."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.digests import digest_of
from entrepot.wire.dates import http_date, parse_date
from tests.doors.s3.door import Call, Door
from tests.doors.s3.multipart import LEAST, begin, complete, put_part, upload_parts

BIG, SMALL = b"a" * LEAST, b"b" * 100


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder: Path = tmp_path_factory.mktemp("door")
    with Door(folder / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        yield opened


def b64(name: str, body: bytes) -> str:
    return base64.b64encode(digest_of(name, body)).decode()


def test_the_same_completion_again_is_answered_while_its_object_stands(door: Door) -> None:
    path = "/bucket/again"
    upload, parts = upload_parts(door, path, [BIG, SMALL])
    first = complete(door, path, upload, parts).ok()
    assert complete(door, path, upload, parts).ok().body == first.body
    for other in (parts[:1], parts[1:], [(1, parts[0][1]), (2, "0" * 32)], [(1, parts[0][1]), (3, parts[1][1])]):
        complete(door, path, upload, other).refused(404, "NoSuchUpload")
    told = f"<ChecksumCRC64NVME>{b64('crc64nvme', BIG)}</ChecksumCRC64NVME>"
    complete(door, path, upload, [(*parts[0], told), parts[1]]).ok()
    complete(door, path, upload, [parts[0], (*parts[1], told)]).refused(404, "NoSuchUpload")


def test_its_preconditions_hold(door: Door) -> None:
    path = "/bucket/held"
    upload, parts = upload_parts(door, path, [SMALL])
    etag = complete(door, path, upload, parts).ok().word("ETag") or ""
    complete(door, path, upload, parts, {"if-none-match": "*"}).refused(412, "PreconditionFailed")
    complete(door, path, upload, parts, {"if-match": '"x"'}).refused(412, "PreconditionFailed")
    complete(door, path, upload, parts, {"if-match": etag}).ok()


@pytest.mark.parametrize("then", ["overwritten", "deleted", "copied over", "uploaded once more"])
def test_a_completion_whose_object_is_gone(door: Door, then: str) -> None:
    path = "/bucket/gone"
    upload, parts = upload_parts(door, path, [SMALL])
    complete(door, path, upload, parts).ok()
    if then == "overwritten":
        door.ask("PUT", path, body=b"x").ok()
    elif then == "deleted":
        door.ask("DELETE", path).ok(204)
    elif then == "copied over":
        over = {"x-amz-copy-source": path, "x-amz-metadata-directive": "REPLACE"}
        door.ask("PUT", path, headers=over).ok()
    else:
        other, same = upload_parts(door, path, [SMALL])
        complete(door, path, other, same).ok()
    complete(door, path, upload, parts).refused(404, "NoSuchUpload")


def test_a_version_stands_behind_others(door: Door) -> None:
    door.ask("PUT", "/kept").ok()
    enabled = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
    door.ask("PUT", "/kept", "versioning", enabled).ok()
    upload, parts = upload_parts(door, "/kept/key", [SMALL])
    first = complete(door, "/kept/key", upload, parts).ok()
    door.ask("PUT", "/kept/key", body=b"newer").ok()
    again = complete(door, "/kept/key", upload, parts).ok()
    assert again.headers["x-amz-version-id"] == first.headers["x-amz-version-id"]
    assert door.ask("GET", "/kept/key").ok().body == b"newer"
    door.ask("DELETE", "/kept/key", f"versionId={first.headers['x-amz-version-id']}").ok(204)
    complete(door, "/kept/key", upload, parts).refused(404, "NoSuchUpload")


def test_an_abort_on_the_time_of_its_beginning(door: Door) -> None:
    name = "x-amz-if-match-initiated-time"
    upload = begin(door, "/bucket/aborted")
    text = door.ask("GET", "/bucket", "uploads&prefix=aborted").ok().word("Initiated")
    at = parse_date(text or "")
    assert at is not None
    query = f"uploadId={upload}"
    door.ask("DELETE", "/bucket/aborted", query, headers={name: "soon"}).refused(400, "InvalidArgument")
    late = {name: http_date(at + 1).decode()}
    door.ask("DELETE", "/bucket/aborted", query, headers=late).refused(412, "PreconditionFailed")
    put_part(door, "/bucket/aborted", upload, 1, SMALL).ok()
    for _ in range(2):
        door.ask("DELETE", "/bucket/aborted", query, headers={name: http_date(at).decode()}).ok(204)
    door.ask("DELETE", "/bucket/aborted", query).refused(404, "NoSuchUpload")


@pytest.mark.parametrize(("begun", "status"), [("SHA256", 400), ("CRC64NVME", 400), ("CRC32", 200), (None, 200)])
def test_the_algorithm_is_that_of_the_beginning(door: Door, begun: str | None, status: int) -> None:
    upload = begin(door, "/bucket/fixed", {"x-amz-checksum-algorithm": begun} if begun else None)
    sent = {"x-amz-checksum-crc32": b64("crc32", SMALL)}
    answer = put_part(door, "/bucket/fixed", upload, 1, SMALL, sent)
    if status == 200:
        assert answer.ok().headers["x-amz-checksum-crc32"] == sent["x-amz-checksum-crc32"]
    else:
        answer.refused(400, "InvalidRequest")
    put_part(door, "/bucket/fixed", upload, 1, SMALL).ok()


def test_a_copy_of_an_object_of_one_part_is_one_put_in_one_piece(door: Door) -> None:
    composite = {"x-amz-checksum-algorithm": "SHA256"}
    upload = begin(door, "/bucket/one", composite)
    etag = put_part(door, "/bucket/one", upload, 1, SMALL).ok().headers["etag"]
    told = f"<ChecksumSHA256>{b64('sha256', SMALL)}</ChecksumSHA256>"
    complete(door, "/bucket/one", upload, [(1, etag, told)]).ok()
    copied = door.ask("PUT", "/bucket/copy", headers={"x-amz-copy-source": "/bucket/one"}).ok()
    assert copied.word("ETag") == f'"{hashlib.md5(SMALL, usedforsecurity=False).hexdigest()}"'
    assert (copied.word("ChecksumSHA256"), copied.word("ChecksumType")) == (b64("sha256", SMALL), "FULL_OBJECT")


def test_a_copy_of_an_object_of_parts_keeps_its_etag(door: Door) -> None:
    upload, parts = upload_parts(door, "/bucket/two", [BIG, SMALL])
    etag = complete(door, "/bucket/two", upload, parts).ok().word("ETag")
    assert door.ask("PUT", "/bucket/copy", headers={"x-amz-copy-source": "/bucket/two"}).ok().word("ETag") == etag


def test_a_copy_under_another_algorithm_has_that_checksum_alone(door: Door) -> None:
    door.ask("PUT", "/bucket/plain", body=SMALL, headers={"x-amz-checksum-crc32": b64("crc32", SMALL)}).ok()
    asked = {"x-amz-copy-source": "/bucket/plain", "x-amz-checksum-algorithm": "SHA1"}
    copied = door.ask("PUT", "/bucket/summed", headers=asked).ok()
    assert (copied.word("ChecksumSHA1"), copied.word("ChecksumCRC32")) == (b64("sha1", SMALL), None)


@pytest.mark.parametrize("query", ["", "partNumber=1&uploadId={}"])
def test_a_copy_has_no_range(door: Door, query: str) -> None:
    door.ask("PUT", "/bucket/source", body=SMALL).ok()
    headers = {"x-amz-copy-source": "/bucket/source", "range": "bytes=0-9"}
    upload = begin(door, "/bucket/ranged")
    door.ask("PUT", "/bucket/ranged", query.format(upload), headers=headers).refused(400, "InvalidRequest")


@pytest.mark.parametrize("value", ["bad", "AAAAAA", "AAAAAA=", "AAAAAB==", "AAAA AA==", "AAAAAA==-1"])
def test_a_checksum_that_cannot_be_read(door: Door, value: str) -> None:
    door.ask("PUT", "/bucket/x", body=b"x", headers={"x-amz-checksum-crc32": value}).refused(400, "InvalidRequest")
    door.ask("HEAD", "/bucket/x").refused(404, "NoSuchKey")


class Exchanged(Call):
    """A request whose body was exchanged for another after it had been signed."""

    def signed(self, region: str = "us-east-1") -> list[tuple[bytes, bytes]]:
        return Call(self.method, self.path, body=b"y", headers=self.headers).signed(region)


@pytest.mark.parametrize("size", [1, 100_000])
def test_of_two_digests_that_are_wrong_the_signed_one_is_told(door: Door, size: int) -> None:
    """The payload is another than the one that was signed: nothing else about it is worth a word."""
    for headers in ({"content-md5": base64.b64encode(bytes(16)).decode()}, {"x-amz-checksum-crc32": "AAAAAA=="}):
        sent = {**headers, "content-length": str(size)}
        (told,) = door.ask_at_once([Exchanged("PUT", "/bucket/x", body=b"x" * size, headers=sent)])
        told.refused(400, "XAmzContentSHA256Mismatch")
        door.ask("PUT", "/bucket/x", body=b"x" * size, headers=headers).refused(400, "BadDigest")
