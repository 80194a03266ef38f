"""Single objects over the door: what a write may ask for, what a read may change, what is refused."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

import pytest

from entrepot.digests import digest_of
from tests.doors.s3.door import Call, Door
from tests.doors.s3.multipart import begin

VERSIONING = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"
ALGORITHMS = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        yield opened


@pytest.mark.parametrize(
    ("header", "value", "status", "code"),
    [
        ("x-amz-acl", "private", 200, ""),
        ("x-amz-acl", "bucket-owner-full-control", 200, ""),
        ("x-amz-acl", "public-read", 501, "NotImplemented"),
        ("x-amz-acl", "nonsense", 400, "InvalidArgument"),
        ("x-amz-grant-read", "id=1", 501, "NotImplemented"),
        ("x-amz-storage-class", "STANDARD", 200, ""),
        ("x-amz-storage-class", "GLACIER", 200, ""),
        ("x-amz-storage-class", "COLD", 400, "InvalidStorageClass"),
        ("x-amz-tagging", "a=b", 200, ""),
        ("x-amz-tagging", "a=b&a=c", 400, "InvalidArgument"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", 501, "NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/x", 501, "NotImplemented"),
        ("x-amz-write-offset-bytes", "0", 501, "NotImplemented"),
        ("content-md5", "nonsense", 400, "InvalidDigest"),
        ("content-md5", base64.b64encode(bytes(16)).decode(), 400, "BadDigest"),
        ("x-amz-meta-long", "x" * 2045, 400, "MetadataTooLarge"),
        ("x-amz-meta-long", "x" * 2044, 200, ""),
        ("x-amz-checksum-crc32", "nonsense", 400, "InvalidRequest"),
        ("x-amz-checksum-sha512", "AAAA", 400, "InvalidRequest"),
    ],
)
def test_headers_of_a_write(door: Door, header: str, value: str, status: int, code: str) -> None:
    """Whatever cannot be done is refused, never passed over, and then nothing is stored."""
    put = door.ask("PUT", "/bucket/asked", body=b"body", headers={header: value})
    begun = door.ask("POST", "/bucket/asked", "uploads", headers={header: value})
    if status == 200:
        put.ok()
        begun.ok()
        door.ask("DELETE", "/bucket/asked").ok(204)
    else:
        put.refused(status, code)
        door.ask("HEAD", "/bucket/asked").refused(404, "NoSuchKey")
        if not header.startswith(("content", "x-amz-checksum")):
            begun.refused(status, code)


@pytest.mark.parametrize("size", [0, 3, 20_000, 5 << 20])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_checksums(door: Door, algorithm: str, size: int) -> None:
    body = bytes(size)
    name = f"x-amz-checksum-{algorithm}"
    right = {name: base64.b64encode(digest_of(algorithm, body)).decode()}
    wrong = {name: base64.b64encode(digest_of(algorithm, body + b"!")).decode()}
    door.ask("PUT", "/bucket/wrong", body=body, headers=wrong).refused(400, "BadDigest")
    door.ask("HEAD", "/bucket/wrong").refused(404, "NoSuchKey")
    assert right.items() <= door.ask("PUT", "/bucket/right", body=body, headers=right).ok().headers.items()
    assert name not in door.ask("HEAD", "/bucket/right").ok().headers
    shown = door.ask("HEAD", "/bucket/right", headers={"x-amz-checksum-mode": "ENABLED"}).ok().headers
    assert right.items() <= shown.items()
    assert shown["x-amz-checksum-type"] == "FULL_OBJECT"


def test_a_checksum_is_kept_though_none_was_asked_for(door: Door) -> None:
    door.ask("PUT", "/bucket/default", body=b"body").ok()
    shown = door.ask("GET", "/bucket/default", headers={"x-amz-checksum-mode": "ENABLED"}).ok().headers
    assert shown["x-amz-checksum-crc64nvme"] == base64.b64encode(digest_of("crc64nvme", b"body")).decode()


class Tampered(Call):
    """A request whose body is changed once it is signed."""

    @property
    def pieces(self) -> list[bytes]:
        return [piece[:-1] + b"!" for piece in super().pieces]

    def signed(self, region: str = "us-east-1") -> list[tuple[bytes, bytes]]:
        return Call(self.method, self.path, body=self.body).signed(region)


@pytest.mark.parametrize("body", [b"body", bytes(20_000), bytes(9 << 20)])
def test_a_body_that_was_not_signed(door: Door, body: bytes) -> None:
    call = Tampered("PUT", "/bucket/unsigned", body=body)
    [answer] = door.ask_at_once([call])
    answer.refused(400, "XAmzContentSHA256Mismatch")
    assert answer.word("ClientComputedContentSHA256") == hashlib.sha256(body).hexdigest()
    assert answer.word("S3ComputedContentSHA256") == hashlib.sha256(body[:-1] + b"!").hexdigest()
    door.ask("HEAD", "/bucket/unsigned").refused(404, "NoSuchKey")


def test_a_body_without_a_length(door: Door) -> None:
    door.ask("PUT", "/bucket/lengthless", body=b"x", length=False).refused(411, "MissingContentLength")


@pytest.mark.parametrize("length", ["5", "3"])
def test_a_body_of_another_length(door: Door, length: str) -> None:
    headers = {"content-length": length, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    door.ask("PUT", "/bucket/length", body=b"four", headers=headers).refused(400, "IncompleteBody")
    door.ask("HEAD", "/bucket/length").refused(404, "NoSuchKey")


def test_a_body_over_the_limit_is_refused_before_it_is_read(door: Door) -> None:
    headers = {"content-length": str((5 << 30) + 1), "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    door.ask("PUT", "/bucket/large", body=b"", headers=headers).refused(400, "EntityTooLarge")


OVERRIDES = {
    "response-content-type": "text/html", "response-content-language": "de", "response-expires": "soon",
    "response-cache-control": "no-store", "response-content-disposition": "attachment",
    "response-content-encoding": "br",
}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), OVERRIDES.items())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_overrides(door: Door, method: str, name: str, value: str) -> None:
    door.ask("PUT", "/bucket/plain", body=b"body", headers={"content-type": "text/plain"}).ok()
    answer = door.ask(method, "/bucket/plain", f"{name}={value.replace('/', '%2F')}").ok()
    assert answer.headers[name.removeprefix("response-")] == value


@pytest.mark.parametrize("value", ["a%0D%0Ax-injected%3A%201", "a%0Ab", "a%00", "%0D"])
@pytest.mark.parametrize("name", OVERRIDES)
def test_a18_overrides_do_not_split_an_answer(door: Door, name: str, value: str) -> None:
    door.ask("PUT", "/bucket/plain", body=b"body").ok()
    door.ask("GET", "/bucket/plain", f"{name}={value}").refused(400, "InvalidArgument")


def test_a18_overrides_are_not_for_the_public(door: Door) -> None:
    door.ask("PUT", "/public", headers={"x-amz-acl": "public-read"}).ok()
    door.ask("PUT", "/public/page", body=b"<script>", headers={"content-type": "text/plain"}).ok()
    assert door.ask("GET", "/public/page", keys=None).ok().headers["content-type"] == "text/plain"
    door.ask("GET", "/public/page", "response-content-type=text%2Fhtml", keys=None).refused(400, "InvalidRequest")


def test_delete_markers_in_the_way(door: Door) -> None:
    door.ask("PUT", "/versions").ok()
    door.ask("PUT", "/versions/k", body=b"null").ok()
    assert door.ask("GET", "/versions/k", "versionId=null").ok().body == b"null"
    door.ask("PUT", "/versions", "versioning", VERSIONING).ok()
    kept = door.ask("PUT", "/versions/k", body=b"kept").ok().headers["x-amz-version-id"]
    marker = door.ask("DELETE", "/versions/k").ok(204).headers
    assert marker["x-amz-delete-marker"] == "true"
    for method in ("GET", "HEAD"):
        hidden = door.ask(method, "/versions/k").refused(404, "NoSuchKey").headers
        assert hidden["x-amz-delete-marker"] == "true"
        assert hidden["x-amz-version-id"] == marker["x-amz-version-id"]
        named = door.ask(method, "/versions/k", f"versionId={marker['x-amz-version-id']}")
        assert named.refused(405, "MethodNotAllowed").headers["x-amz-delete-marker"] == "true"
    assert door.ask("GET", "/versions/k", f"versionId={kept}").ok().body == b"kept"
    assert door.ask("GET", "/versions/k", "versionId=null").ok().body == b"null"
    for malformed in ("", "none", "NULL", "g" * 32, "a" * 33):
        for method in ("GET", "DELETE"):
            door.ask(method, "/versions/k", f"versionId={malformed}").refused(400, "InvalidArgument")
    door.ask("GET", "/versions/k", f"versionId={'0' * 32}").refused(404, "NoSuchVersion")
    gone = door.ask("DELETE", "/versions/k", f"versionId={marker['x-amz-version-id']}").ok(204).headers
    assert gone["x-amz-delete-marker"] == "true"
    assert door.ask("GET", "/versions/k").ok().body == b"kept"


def test_attributes(door: Door) -> None:
    door.ask("PUT", "/bucket/attributes", body=b"body").ok()
    asked = {"x-amz-object-attributes": "ETag, ObjectSize,StorageClass,ObjectParts"}
    told = door.ask("GET", "/bucket/attributes", "attributes", headers=asked).ok()
    md5 = hashlib.md5(b"body", usedforsecurity=False).hexdigest()
    assert (told.word("ETag"), told.word("ObjectSize"), told.word("StorageClass")) == (md5, "4", "STANDARD")
    assert told.words("ObjectParts") == []
    assert told.words("Checksum") == []
    for words in ("", "Nonsense", "ETag,Nonsense"):
        refused = door.ask("GET", "/bucket/attributes", "attributes", headers={"x-amz-object-attributes": words})
        refused.refused(400, "InvalidArgument" if words.strip() else "InvalidRequest")


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("PUT", "append"),
        ("PUT", "renameObject"),
        ("GET", "torrent"),
        ("POST", "select&select-type=2"),
        ("POST", "restore"),
    ],
)
def test_operations_that_are_not_here(door: Door, method: str, query: str) -> None:
    door.ask("PUT", "/bucket/kept", body=b"kept").ok()
    door.ask(method, "/bucket/kept", query, b"").refused(501, "NotImplemented")
    assert door.ask("GET", "/bucket/kept").ok().body == b"kept"


def test_a25_one_of_many_creates(door: Door) -> None:
    for round_ in range(5):
        path = f"/bucket/once{round_}"
        calls = [Call("PUT", path, body=b"%d" % number, headers={"if-none-match": "*"}) for number in range(16)]
        statuses = [answer.status for answer in door.ask_at_once(calls)]
        assert sorted(statuses) == [200] + [412] * 15
        assert door.ask("GET", path).body == b"%d" % statuses.index(200)


def test_a25_no_update_is_lost(door: Door) -> None:
    etag = door.ask("PUT", "/bucket/updated", body=b"0").ok().headers["etag"]
    calls = [Call("PUT", "/bucket/updated", body=b"new%d" % n, headers={"if-match": etag}) for n in range(16)]
    assert sorted(answer.status for answer in door.ask_at_once(calls)) == [200] + [412] * 15


@pytest.mark.parametrize("query", ["versionId=null", "versionId=", "versionId=abc"])
def test_a_write_names_no_version(door: Door, query: str) -> None:
    """A version is not there to be replaced: whoever names one is told so, and nothing is written."""
    door.ask("PUT", "/bucket/named", body=b"before").ok()
    source = {"x-amz-copy-source": "/bucket/named", "x-amz-metadata-directive": "REPLACE"}
    door.ask("PUT", "/bucket/named", query, body=b"after").refused(400, "InvalidArgument")
    door.ask("PUT", "/bucket/named", query, headers=source).refused(400, "InvalidArgument")
    door.ask("POST", "/bucket/named", f"uploads&{query}").refused(400, "InvalidArgument")
    assert door.ask("GET", "/bucket/named").ok().body == b"before"


def test_a_type_comes_back_as_it_was_sent(door: Door) -> None:
    """Header values are bytes to HTTP, and clients write UTF-8 into them."""
    sent = "text/plain; name=déjà 日本"
    door.ask("PUT", "/bucket/typed", body=b"x", headers={"content-type": sent}).ok()
    assert door.ask("GET", "/bucket/typed").ok().headers["content-type"].encode("latin-1").decode() == sent


LONG_AGO = "Mon, 01 Jan 2001 00:00:00 GMT"


@pytest.mark.parametrize(
    ("condition", "value", "deleting"),
    [("if-unmodified-since", LONG_AGO, False), ("if-modified-since", LONG_AGO, False), ("if-none-match", "*", True)],
)
def test_nothing_changes_on_a_condition_that_is_not_looked_at(
    door: Door, condition: str, value: str, *, deleting: bool
) -> None:
    """Who deletes what is unmodified since then must not lose what is newer."""
    door.ask("PUT", "/bucket/guarded", body=b"newer").ok()
    headers = {condition: value}
    door.ask("DELETE", "/bucket/guarded", headers=headers).refused(501, "NotImplemented")
    door.ask("DELETE", "/bucket/guarded", "versionId=null", headers=headers).refused(501, "NotImplemented")
    if not deleting:
        source = {"x-amz-copy-source": "bucket/guarded", "x-amz-metadata-directive": "REPLACE"}
        upload = door.ask("POST", "/bucket/guarded", "uploads").ok().word("UploadId")
        etag = door.ask("PUT", "/bucket/guarded", f"partNumber=1&uploadId={upload}", b"older").ok().headers["etag"]
        parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        door.ask("PUT", "/bucket/guarded", body=b"older", headers=headers).refused(501, "NotImplemented")
        door.ask("PUT", "/bucket/guarded", headers=headers | source).refused(501, "NotImplemented")
        door.ask("POST", "/bucket/guarded", f"uploadId={upload}", body, headers=headers).refused(501, "NotImplemented")
    assert door.ask("GET", "/bucket/guarded").ok().body == b"newer"


@pytest.mark.parametrize("version", ["%0A", "a%0D%0Aset-cookie%3A%20a", "a%0Db", "%00", "a%20b", "%7F", "%C3%A9", ""])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_a18_an_id_that_no_version_can_have(door: Door, method: str, version: str) -> None:
    """A deletion tells the id in a header field, which must not become two."""
    answer = door.ask(method, "/bucket/k", f"versionId={version}").refused(400, "InvalidArgument")
    assert not {"x-amz-version-id", "set-cookie"} & answer.headers.keys()


@pytest.mark.parametrize("name", ["if-match", "if-none-match", "x-amz-if-match-size"])
def test_a_part_is_not_written_on_a_condition(door: Door, name: str) -> None:
    """S3 has conditions for the completion; on what leads there they would be overlooked."""
    upload = begin(door, "/bucket/parts")
    headers = {name: "*"}
    door.ask("POST", "/bucket/parts", "uploads", headers=headers).refused(501, "NotImplemented")
    door.ask("PUT", "/bucket/parts", f"uploadId={upload}&partNumber=1", headers=headers).refused(501, "NotImplemented")


def test_not_modified_since_a_time_to_come_is_ignored(door: Door) -> None:
    door.ask("PUT", "/bucket/dated", body=b"x").ok()
    for date, status in (("Sun, 06 Nov 2094 08:49:37 GMT", 200), ("Sun, 06 Nov 1994 08:49:37 GMT", 200)):
        door.ask("GET", "/bucket/dated", headers={"if-modified-since": date}).ok(status)
    now = door.ask("HEAD", "/bucket/dated").headers["last-modified"]
    door.ask("GET", "/bucket/dated", headers={"if-modified-since": now}).ok(304)
