"""Header fields that a presigned address carries in its query, where SDKs put them when they presign."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote, urlsplit

import pytest
from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doors.s3.door import HOST, ROOT, Answer, Door

SOURCE = b"bytes of the source"


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        opened.ask("PUT", "/bucket/source", body=SOURCE, headers={"x-amz-meta-of": "the source"}).ok()
        yield opened


def sign(method: str, path: str, fields: Mapping[str, str], headers: Mapping[str, str] | None = None) -> str:
    """The query of a presigned request, with these fields in it."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
    request = AWSRequest(method, f"http://{HOST}{path}?{query}", dict(headers or {}))
    S3SigV4QueryAuth(Credentials(ROOT.access, ROOT.secret), "s3", "us-east-1", expires=60).add_auth(request)
    url: str = request.url
    return urlsplit(url).query


def ask(door: Door, method: str, fields: Mapping[str, str], body: bytes = b"") -> Answer:
    return door.ask(method, "/bucket/key", sign(method, "/bucket/key", fields), body, keys=None)


@pytest.mark.parametrize("name", ["x-amz-meta-colour", "X-Amz-Meta-Colour"])
def test_metadata_is_kept(door: Door, name: str) -> None:
    ask(door, "PUT", {name: "blue & green"}, b"x").ok()
    assert door.ask("HEAD", "/bucket/key").ok().headers["x-amz-meta-colour"] == "blue & green"


@pytest.mark.parametrize(
    ("name", "value", "status", "code"),
    [
        ("x-amz-acl", "public-read", 501, "NotImplemented"),
        ("x-amz-acl", "nonsense", 400, "InvalidArgument"),
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("X-Amz-Object-Lock-Mode", "COMPLIANCE", 501, "NotImplemented"),
        ("x-amz-tagging", "a=b&a=c", 400, "InvalidArgument"),
        ("x-amz-storage-class", "COLD", 400, "InvalidStorageClass"),
        ("x-amz-meta-a", "b\r\nset-cookie: c", 400, "AuthorizationQueryParametersError"),
        ("x-amz-meta-a b", "c", 400, "InvalidArgument"),
        ("x-amz-meta-a", "b" * 2048, 400, "MetadataTooLarge"),
    ],
)
def test_what_cannot_be_done_is_refused(door: Door, name: str, value: str, status: int, code: str) -> None:
    """An address that asks for a locked or a public object never stores one that is neither."""
    door.ask("DELETE", "/bucket/key").ok(204)
    ask(door, "PUT", {quote(name): value}, b"x").refused(status, code)
    door.ask("HEAD", "/bucket/key").refused(404, "NoSuchKey")


def test_a_copy(door: Door) -> None:
    ask(door, "PUT", {"x-amz-copy-source": "bucket/source"}).ok()
    copy = door.ask("GET", "/bucket/key").ok()
    assert (copy.body, copy.headers["x-amz-meta-of"]) == (SOURCE, "the source")


def test_a_checksum_of_the_body_that_nobody_had(door: Door) -> None:
    """SDKs presign with the CRC32 of no bytes; S3 passes it over."""
    fields = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32"}
    ask(door, "PUT", fields, SOURCE).ok()
    assert ask(door, "GET", {"x-amz-checksum-mode": "ENABLED"}).ok().headers["x-amz-checksum-type"] == "FULL_OBJECT"
    assert door.ask("GET", "/bucket/key").ok().body == SOURCE


def test_a_field_stands_in_one_place(door: Door) -> None:
    headers = {"x-amz-meta-a": "signed"}
    query = sign("PUT", "/bucket/twice", {"x-amz-meta-a": "other"}, headers)
    door.ask("PUT", "/bucket/twice", query, b"x", headers=headers, keys=None).refused(
        400, "AuthorizationQueryParametersError"
    )
    query = sign("PUT", "/bucket/twice", {"x-amz-meta-a": "other"})
    door.ask("PUT", "/bucket/twice", query, b"x", headers=headers, keys=None).refused(403, "AccessDenied")
    door.ask("HEAD", "/bucket/twice").refused(404, "NoSuchKey")


@pytest.mark.parametrize("name", ["If-None-Match", "if-none-match"])
def test_a_precondition_is_enforced(door: Door, name: str) -> None:
    """An address for a new object never overwrites one; nobody who uses it can take that away."""
    path = "/bucket/once"
    door.ask("DELETE", path).ok(204)
    query = sign("PUT", path, {name: "*"})
    door.ask("PUT", path, query, b"first", keys=None).ok()
    door.ask("PUT", path, query, b"second", keys=None).refused(412, "PreconditionFailed")
    for other in ("If-None-Match", "if-none-match"):
        door.ask("PUT", path, query, b"x", headers={other: '"a"'}, keys=None).refused(
            400, "AuthorizationQueryParametersError"
        )
    assert door.ask("GET", path).body == b"first"


def test_other_preconditions(door: Door) -> None:
    path = "/bucket/source"
    old, new = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2094 08:49:37 GMT"
    for fields, status in (
        ({"If-Match": '"a"'}, 412), ({"If-Unmodified-Since": old}, 412), ({"If-Unmodified-Since": new}, 200),
        ({"If-None-Match": "*"}, 304), ({"If-Modified-Since": old}, 200),
    ):  # fmt: skip
        door.ask("GET", path, sign("GET", path, fields), keys=None).ok(status)
    door.ask("GET", path, "If-Match=a").ok()  # not signed in the query: no header


def test_a_digest_of_no_body_is_passed_over(door: Door) -> None:
    """Some clients say of every request what its body is; S3 serves a presigned GET all the same."""
    query = sign("GET", "/bucket/source", {})
    for value in ("UNSIGNED-PAYLOAD", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "x"):
        headers = {"x-amz-content-sha256": value}
        assert door.ask("GET", "/bucket/source", query, headers=headers, keys=None).ok().body == SOURCE
    query = sign("PUT", "/bucket/source", {})
    headers = {"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    door.ask("PUT", "/bucket/source", query, b"x", headers=headers, keys=None).refused(403, "AccessDenied")


def test_without_a_signature_a_query_is_no_header(door: Door) -> None:
    door.ask("PUT", "/bucket/plain", "x-amz-meta-a=b", b"x").ok()
    assert "x-amz-meta-a" not in door.ask("HEAD", "/bucket/plain").ok().headers
