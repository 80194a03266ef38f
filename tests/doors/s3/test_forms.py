"""PostObject: forms as boto3 presigns them and a browser sends them, and what must not get in with one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config

from entrepot.doors.s3.bodies.forms import MOST_BEFORE, Form
from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing.post_policy import Policy, parse_policy
from tests.doors.s3.door import HOST, ROOT, Answer, Door

FILE = b"--x\r\n-- bytes of\r\n the file"
KIND = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        yield opened


def presign(
    key: str, fields: Mapping[str, str] | None = None, conditions: list[object] | None = None, *,
    version: str = "s3v4", secret: str = ROOT.secret, access: str = ROOT.access, seconds: int = 60,
) -> dict[str, str]:  # fmt: skip
    """The fields of a form as boto3 presigns it; each of ``fields`` is a condition too."""
    client = boto3.client(
        "s3", endpoint_url=f"http://{HOST}", region_name="us-east-1", aws_access_key_id=access,
        aws_secret_access_key=secret, config=Config(signature_version=version),
    )  # fmt: skip
    every = [*({name: value} for name, value in (fields or {}).items()), *(conditions or [])]
    made: dict[str, Any] = client.generate_presigned_post(
        "bucket", key, Fields=dict(fields or {}), Conditions=every, ExpiresIn=seconds
    )
    found: dict[str, str] = made["fields"]
    return found


def post(
    door: Door, fields: Mapping[str, str], content: bytes = FILE, *, filename: str = "a.txt", bucket: str = "bucket"
) -> Answer:
    """Send a form as httpx encodes it."""
    sent = httpx.Request("POST", f"http://{HOST}/{bucket}", data=dict(fields), files={"file": (filename, content)})
    body = sent.read()
    return door.ask("POST", f"/{bucket}", body=body, headers={"content-type": sent.headers["content-type"]}, keys=None)


# --- What gets in


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_what_boto3_presigns(door: Door, version: str) -> None:
    fields = {
        "Content-Type": "text/plain",
        "x-amz-meta-from": "a browser",
        "acl": "private",
        "Cache-Control": "no-store",
    }
    answer = post(door, presign("up/${filename}", fields, version=version), filename=f"{version} é.txt").ok(204)
    kept = door.ask("GET", f"/bucket/up/{version}%20%C3%A9.txt").ok()
    assert (kept.body, answer.headers["etag"]) == (FILE, f'"{hashlib.md5(FILE, usedforsecurity=False).hexdigest()}"')
    assert (kept.headers["content-type"], kept.headers["cache-control"]) == ("text/plain", "no-store")
    assert kept.headers["x-amz-meta-from"] == "a browser"
    assert answer.headers["location"] == f"http://{HOST}/bucket/up/{version}%20%C3%A9.txt"


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_who_did_not_sign_it(door: Door, version: str) -> None:
    fields = presign("key", version=version)
    post(door, presign("key", version=version, secret="another")).refused(403, "SignatureDoesNotMatch")
    post(door, presign("key", version=version, access="NOBODY")).refused(403, "InvalidAccessKeyId")
    other = base64.b64encode(base64.b64decode(fields["policy"]) + b" ").decode()
    post(door, {**fields, "policy": other}).refused(403, "SignatureDoesNotMatch")
    post(door, {"key": "key"}).refused(403, "AccessDenied")
    post(door, {**fields, "x-amz-security-token": "t"}).refused(400, "InvalidToken")
    for name in fields.keys() - {"key", "AWSAccessKeyId"}:
        less = {each: value for each, value in fields.items() if each != name}
        post(door, less).refused(400, "InvalidArgument")
    stranger = door.new_keys(f"stranger-{version}")
    post(door, presign("key", version=version, access=stranger.access, secret=stranger.secret)).refused(
        403, "AccessDenied"
    )
    post(door, {**fields, **presign("key", version="s3" if version == "s3v4" else "s3v4")}).refused(
        400, "InvalidRequest"
    )
    door.ask("GET", "/bucket/key").refused(404, "NoSuchKey")


def test_version_2_is_refused_with_its_links(tmp_path: Path) -> None:
    with Door(tmp_path / "data", doors={"s3": {"presigned_version_2": False}}) as door:
        door.ask("PUT", "/bucket").ok()
        post(door, presign("key", version="s3")).refused(400, "InvalidRequest")
        post(door, presign("key")).ok(204)


def test_what_is_answered(door: Door) -> None:
    def ask(**fields: str) -> Answer:
        return post(door, presign("a & b", fields))

    made = ask(success_action_status="201").ok(201)
    assert (made.word("Bucket"), made.word("Key")) == ("bucket", "a & b")
    assert (made.word("ETag"), made.word("Location")) == (made.headers["etag"], f"http://{HOST}/bucket/a%20%26%20b")
    assert made.xml.tag == "PostResponse"
    assert ask(success_action_status="200").ok().body == b""
    ask(success_action_status="404").ok(204)
    sent_on = ask(success_action_redirect="https://example.test/done?x=1#end", success_action_status="201").ok(303)
    assert parse_qs(urlsplit(sent_on.headers["location"]).query) == {
        "x": ["1"], "bucket": ["bucket"], "key": ["a & b"], "etag": [made.headers["etag"]],
    }  # fmt: skip
    assert sent_on.headers["location"].endswith("#end")
    for address in ("javascript:alert(1)", "https://a\r\nset-cookie: b", "//else.test", "https://[", "http://é"):
        assert "set-cookie" not in ask(success_action_redirect=address).ok(204).headers


def test_tags_and_checksums(door: Door) -> None:
    tags = "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>"
    right = base64.b64encode(hashlib.sha256(FILE).digest()).decode()
    fields = presign("tagged", {"tagging": tags})
    assert post(door, {**fields, "x-amz-checksum-sha256": right}).ok(204).headers["x-amz-checksum-sha256"] == right
    assert door.ask("GET", "/bucket/tagged", "tagging").ok().words("Tag/Key") == ["a"]
    wrong = base64.b64encode(bytes(32)).decode()
    post(door, {**presign("wrong"), "x-amz-checksum-sha256": wrong}).refused(400, "BadDigest")
    post(door, presign("wrong", {"Content-MD5": base64.b64encode(bytes(16)).decode()})).refused(400, "BadDigest")
    post(door, presign("wrong", {"tagging": "<Tagging>"})).refused(400, "MalformedXML")
    post(door, presign("wrong", {"acl": "public-read"})).refused(501, "NotImplemented")
    post(door, presign("wrong", {"x-amz-server-side-encryption": "AES256"})).refused(501, "NotImplemented")
    post(door, presign("wrong", {"x-amz-copy-source": "/bucket/tagged"})).refused(400, "InvalidArgument")
    post(door, presign("wrong", {"x-amz-meta-a": "b\nc: d"})).refused(400, "InvalidArgument")
    door.ask("GET", "/bucket/wrong").refused(404, "NoSuchKey")


def test_the_size_of_the_file(door: Door) -> None:
    bounds: list[object] = [["content-length-range", 4, 100_000]]
    for size, status, code in ((3, 400, "EntityTooSmall"), (100_001, 400, "EntityTooLarge")):
        post(door, presign("sized", {}, bounds), bytes(size)).refused(status, code)
        door.ask("GET", "/bucket/sized").refused(404, "NoSuchKey")
    for size in (4, 100_000):
        post(door, presign("sized", {}, bounds), bytes(size)).ok(204)
        assert door.ask("GET", "/bucket/sized").ok().body == bytes(size)


def test_a_key_that_cannot_be(door: Door) -> None:
    post(door, {"key": ""}).refused(400, "InvalidArgument")
    post(door, {}).refused(400, "InvalidArgument")
    post(door, presign("k" * 1025)).refused(400, "KeyTooLongError")
    post(door, {"key": "${filename}" * 90}, filename="f" * 999).refused(400, "KeyTooLongError")
    post(door, presign("key"), bucket="nowhere").refused(403, "AccessDenied")  # its policy is for another bucket
    post(door, {"key": "key"}, bucket="nowhere").refused(404, "NoSuchBucket")
    body = b'--x\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--x--\r\n'
    door.ask("POST", "/bucket", body=body, headers=KIND).refused(400, "InvalidRequest")  # signed in its head


def test_who_may_not_write_is_told_before_the_file_is_read(door: Door) -> None:
    """The file has no end here; to look for it would be to say so."""
    stranger = door.new_keys("early")
    signed = presign("key", access=stranger.access, secret=stranger.secret)
    for fields in (signed, {"key": "key"}):
        body = b"".join(part(name, value.encode()) for name, value in fields.items()) + part("file", FILE)
        door.ask("POST", "/bucket", body=[body, bytes(9999)], headers=KIND, keys=None).refused(403, "AccessDenied")


# --- The policy

CONDITIONS: list[tuple[object, dict[str, str], bool]] = [
    ({"acl": "private"}, {"acl": "private"}, True),
    ({"AcL": "private"}, {"acl": "private"}, True),
    ({"acl": "private"}, {"acl": "Private"}, False),
    ({"acl": "private"}, {}, False),
    (["eq", "$acl", "private"], {"acl": "private"}, True),
    (["EQ", "$ACL", "private"], {"acl": "private"}, True),
    (["eq", "$acl", "private"], {"acl": "private2"}, False),
    (["starts-with", "$acl", "pri"], {"acl": "private"}, True),
    (["starts-with", "$acl", ""], {"acl": "anything"}, True),
    (["starts-with", "$acl", "pri"], {"acl": "xpri"}, False),
    ({"acl": "private"}, {"acl": "private", "x-amz-meta-a": "b"}, False),
    ({"acl": "private"}, {"acl": "private", "x-ignore-a": "b"}, True),
    ({"acl": "private"}, {"acl": "private", "submit": "b"}, False),
    ({"acl": "private"}, {"acl": "private", "bucket": "another"}, True),  # the bucket is that of the address
]


def policy_of(document: object) -> Policy:
    return parse_policy(base64.b64encode(json.dumps(document).encode()))


@pytest.mark.parametrize(("condition", "fields", "good"), CONDITIONS)
def test_conditions(condition: object, fields: dict[str, str], good: bool) -> None:  # noqa: FBT001 - a table's column
    every = [{"bucket": "bucket"}, ["starts-with", "$key", "a/"], condition]
    policy = policy_of({"expiration": "2030-01-01T00:00:00.000Z", "conditions": every})

    def check(key: str, bucket: str, now: float) -> None:
        policy.check({**fields, "key": key}, bucket, now)

    late = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    if good:
        check("a/b", "bucket", late)
    for key, bucket, now in [("a/b", "bucket", late + 1), ("b", "bucket", 0), ("a/b", "another", 0)] + (
        [] if good else [("a/b", "bucket", 0.0)]
    ):
        with pytest.raises(Refusal, match="Invalid according to Policy"):
            check(key, bucket, now)


def test_bucket_and_key_have_to_be_named() -> None:
    for conditions in ([{"bucket": "b"}], [{"key": "k"}], []):
        policy = policy_of({"expiration": "2030-01-01T00:00:00Z", "conditions": conditions})
        with pytest.raises(Refusal, match="Extra input fields"):
            policy.check({"key": "k"}, "b", 0)


@pytest.mark.parametrize("document", [
    [], 1, None, {}, {"expiration": "2030-01-01T00:00:00Z"}, {"conditions": []},
    {"EXPIRATION": "2030-01-01T00:00:00Z", "conditions": []},
    *({"expiration": when, "conditions": []} for when in (
        "", 1, "2030-01-01", "2030-01-01 00:00:00Z", "2030-13-01T00:00:00Z",
    )),
    *({"expiration": "2030-01-01T00:00:00Z", "conditions": [each]} for each in (
        {}, [], 1, "a", None, {"a": 1}, ["eq", "$a"], ["eq", "a", "b"], ["ends-with", "$a", "b"], ["eq", "$a", 1],
        ["content-length-range", 0], ["content-length-range", -1, 0], ["content-length-range", "a", "b"],
    )),
])  # fmt: skip
def test_a_policy_that_is_none(document: object) -> None:
    with pytest.raises(Refusal, match="Invalid Policy"):
        policy_of(document)


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff", b"[" * 12_000, b'{"expiration": ' + b"1" * 9000 + b"}"])
def test_a_policy_that_cannot_be_read(raw: bytes) -> None:
    with pytest.raises(Refusal, match="Invalid Policy"):
        parse_policy(base64.b64encode(raw))


def test_bounds_of_the_size_narrow_each_other() -> None:
    ranges = [["content-length-range", 0, 10], ["Content-Length-Range", 5, 100]]
    policy = policy_of({"expiration": "2030-01-01T00:00:00Z", "conditions": ranges})
    assert (policy.least, policy.most) == (5, 10)


def test_a_policy_is_refused_in_a_document_that_can_be_read(door: Door) -> None:
    """What is not XML, or not even Unicode, can stand in a policy and in the name of a field."""
    post(door, {**presign("key"), "a\x01\ufffe": "b"}).refused(403, "AccessDenied")
    post(door, presign("key", {}, [["eq", "$a", "\ud800\x01"]])).refused(403, "AccessDenied")
    post(door, presign("key", seconds=-60)).refused(403, "AccessDenied")


def test_a_form_that_is_signed_for_later_or_elsewhere(door: Door) -> None:
    def sign(day: str, region: str, **more: str) -> dict[str, str]:
        document = {"expiration": "2099-01-01T00:00:00Z", "conditions": [{"bucket": "bucket"}, {"key": "key"}]}
        policy = base64.b64encode(json.dumps(document).encode())
        key = b"AWS4" + ROOT.secret.encode()
        for part in (day, region, "s3", "aws4_request", policy.decode()):
            key = hmac.digest(key, part.encode(), "sha256")
        return {
            "key": "key", "policy": policy.decode(),
            "x-amz-algorithm": "AWS4-HMAC-SHA256", "x-amz-signature": key.hex(),
            "x-amz-credential": f"{ROOT.access}/{day}/{region}/s3/aws4_request", "x-amz-date": f"{day}T000000Z", **more,
        }  # fmt: skip

    today = time.strftime("%Y%m%d", time.gmtime())
    post(door, sign("20980101", "us-east-1")).refused(403, "AccessDenied")
    post(door, sign(today, "elsewhere")).refused(400, "InvalidArgument")
    for more in ({"x-amz-date": "now"}, {"x-amz-date": "20200101T000000Z"}, {"x-amz-algorithm": "none"},
                 {"x-amz-credential": "a/b"}):  # fmt: skip
        post(door, sign(today, "us-east-1", **more)).refused(400, "InvalidArgument")
    post(door, sign(today, "us-east-1")).ok(204)


# --- The form


def part(name: str, value: bytes, more: str = "") -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode() + value + b"\r\n"


WHOLE = (
    part("Key", b"a/${filename}")
    + part("policy", b"p")
    + b'--x\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; name="file"; filename="f.txt"\r\n\r\n'
    + FILE
    + b"\r\n"
    + part("acl", b"public-read")
    + b"--x--\r\nand so on"
)


def read(*pieces: bytes) -> tuple[dict[str, str], str, bytes]:
    form = Form(b"x")
    content = b"".join(each for piece in pieces for each in form.feed(piece))
    form.finish()
    return form.fields, form.filename, content


def test_a_form_is_the_same_wherever_it_is_cut() -> None:
    expected = ({"key": "a/${filename}", "policy": "p"}, "f.txt", FILE)
    assert read(*(WHOLE[at : at + 1] for at in range(len(WHOLE)))) == expected
    for at in range(len(WHOLE)):
        assert read(WHOLE[:at], WHOLE[at:]) == expected


def test_a_form_is_stored_wherever_it_is_cut(door: Door) -> None:
    policy = presign("cut")
    body = b"".join(part(name, value.encode()) for name, value in policy.items()) + part("file", FILE) + b"--x--\r\n"
    for step in (1, 7, 64, len(body)):
        pieces = [body[at : at + step] for at in range(0, len(body), step)]
        door.ask("POST", "/bucket", body=pieces, headers=KIND, keys=None).ok(204)
        assert door.ask("GET", "/bucket/cut").ok().body == FILE
        door.ask("DELETE", "/bucket/cut").ok(204)
    end = body.rindex(b"\r\n--x--")
    for at in (0, 10, body.index(FILE), end, end + 6):
        code = "InvalidArgument" if at == 10 else "MalformedPOSTRequest"
        door.ask("POST", "/bucket", body=body[:at], headers=KIND, keys=None).refused(400, code)
        door.ask("GET", "/bucket/cut").refused(404, "NoSuchKey")


def test_what_stands_behind_the_file_is_nothing() -> None:
    fine = part("key", b"k") + part("file", b"content")
    for behind in (
        b"--x--",
        b"--x--\r\n" + b"y" * 9999,
        part("key", b"other") + b"--x--",
        b"--x\r\n\0: \0\r\n",
        b"--x\r\nA",
    ):
        whole = fine + behind
        assert read(whole) == read(*(whole[at : at + 1] for at in range(len(whole)))) == ({"key": "k"}, "", b"content")


@pytest.mark.parametrize("body", [
    b"nothing", b"--y\r\n", b"--x--\r\n", b"--x\r\n\r\nv\r\n" + part("file", b""), part("", b"v"),
    part("key", b"a") + part("KEY", b"b"), part("key", b"\xff"), part("key", b"a") * 2,
    b"--x\r\nContent-Disposition: attachment; name=key\r\n\r\n", b"--x\r\nA: " + b"b" * 9000 + b"\r\n\r\n",
    b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"\r\n\r\n',
    b"--x\r\n" + b"A: b\r\n" * 99, b"--x\r\n: v\r\n\r\n", b"--x\nA: b\n\n", part("key", b"a"),
])  # fmt: skip
def test_a_form_that_is_none(door: Door, body: bytes) -> None:
    answer = door.ask("POST", "/bucket", body=body, headers=KIND, keys=None)
    assert answer.status == 400
    assert answer.word("Code") in {"MalformedPOSTRequest", "InvalidArgument"}


@pytest.mark.parametrize(("kind", "status"), [
    ("", 412), ("text/plain", 412), ("application/x-www-form-urlencoded", 412), ("multipart/form-data", 400),
    ("multipart/form-data; boundary=", 400), ("multipart/form-data; boundary=" + "x" * 71, 400),
])  # fmt: skip
def test_a_body_that_is_no_form(door: Door, kind: str, status: int) -> None:
    assert door.ask("POST", "/bucket", body=WHOLE, headers={"content-type": kind}, keys=None).status == status


@pytest.mark.parametrize("before", [
    part("a", bytes(MOST_BEFORE)), b"".join(part(f"n{n}", b"") for n in range(600)), b"\r\n" + b"y" * MOST_BEFORE,
    b"--x" + b" " * MOST_BEFORE,
])  # fmt: skip
def test_what_stands_before_the_file_is_bounded(before: bytes) -> None:
    whole = before + part("file", b"content") + b"--x--"
    for step in (1, 1000, len(whole)):
        with pytest.raises(Refusal) as caught:
            read(*(whole[at : at + step] for at in range(0, len(whole), step)))
        assert caught.value.code in {"MaxPostPreDataLengthExceededError", "MalformedPOSTRequest"}


def test_the_last_byte_before_the_file() -> None:
    rest = len(part("a", b"")) + len(part("file", b"")) - 2
    whole = part("a", b"v" * (MOST_BEFORE - rest)) + part("file", b"content") + b"--x--"
    assert read(whole)[2] == b"content"
    with pytest.raises(Refusal, match="MaxPostPreDataLengthExceededError"):
        read(b"\r\n" + whole)
