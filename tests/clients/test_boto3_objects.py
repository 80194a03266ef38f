"""boto3 with its defaults: single objects, over HTTP and over HTTPS.

Over HTTPS botocore sends every body as `STREAMING-UNSIGNED-PAYLOAD-TRAILER` without a Content-Length.
"""

from __future__ import annotations

import base64
import io
import urllib.error
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config

from tests.clients.boto import make_client, refused
from tests.clients.trees import MIB, make_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.awsrequest import AWSPreparedRequest

    from tests.server import Server

# Names that a server may be tempted to normalise, decode twice or take for a path.
KEYS = [
    "plain",
    "with space",
    "a/b/c/",
    "a//b///c",
    "/leading",
    "dots/../and/./more",
    "percent%2Fencoded%20%",
    "plus+and&and=and?and#",
    "quotes'\"`<tag>",
    "ünïcode/日本語/🚢",
    "tilde~and-under_score.and!star*(paren)",
    "k" * 1024,
]


@pytest.fixture
def sent(s3: Any) -> list[AWSPreparedRequest]:
    """Record the requests that the client really sends."""
    requests: list[AWSPreparedRequest] = []

    def record(request: AWSPreparedRequest, **_: Any) -> None:
        requests.append(request)

    s3.meta.events.register("before-send.s3", record)
    return requests


@pytest.mark.parametrize("size", [0, 1, 4096, 16 * 1024, 16 * 1024 + 1, 4 * MIB, 4 * MIB + 1, 9 * MIB])
def test_body_comes_back_as_it_went(s3: Any, bucket: str, size: int) -> None:
    body = make_bytes(size)
    put = s3.put_object(Bucket=bucket, Key="key", Body=body)
    got = s3.get_object(Bucket=bucket, Key="key")
    head = s3.head_object(Bucket=bucket, Key="key")
    assert got["Body"].read() == body
    assert got["ContentLength"] == head["ContentLength"] == size
    assert put["ETag"] == got["ETag"] == head["ETag"]
    assert head["ContentType"] == "binary/octet-stream"


def test_over_https_the_body_is_an_unsigned_trailer(
    server: Server, s3: Any, bucket: str, sent: list[AWSPreparedRequest]
) -> None:
    body = make_bytes(100_000)
    answer = s3.put_object(Bucket=bucket, Key="key", Body=body)
    headers = sent[0].headers
    assert answer["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
    if server.tls:
        assert headers["x-amz-content-sha256"] == b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"
        assert headers["x-amz-trailer"] == b"x-amz-checksum-crc32"
    else:
        assert headers["x-amz-checksum-crc32"].decode() == answer["ChecksumCRC32"]
    assert headers["Expect"] == b"100-continue"
    got = s3.get_object(Bucket=bucket, Key="key")
    assert "ContentEncoding" not in got
    assert got["ChecksumCRC32"] == answer["ChecksumCRC32"]
    assert got["Body"].read() == body


def test_a_stream_of_unknown_kind_is_stored(s3: Any, bucket: str) -> None:
    body = make_bytes(3 * MIB + 17)
    s3.put_object(Bucket=bucket, Key="stream", Body=io.BytesIO(body), ContentEncoding="gzip")
    got = s3.get_object(Bucket=bucket, Key="stream")
    assert got["Body"].read() == body
    assert got["ContentEncoding"] == "gzip"


@pytest.mark.parametrize("key", KEYS)
def test_key_is_kept_exactly(s3: Any, bucket: str, key: str) -> None:
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert s3.get_object(Bucket=bucket, Key="copy")["Body"].read() == key.encode()
    s3.delete_object(Bucket=bucket, Key=key)
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key=key)


def test_a_key_too_long_is_refused(s3: Any, bucket: str) -> None:
    with refused(400, "KeyTooLongError"):
        s3.put_object(Bucket=bucket, Key="é" * 513, Body=b"")


def test_metadata_and_system_headers_are_kept(s3: Any, bucket: str) -> None:
    kept = {
        "ContentType": "text/plain; charset=utf-8",
        "CacheControl": "max-age=60, public",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentLanguage": "nl, en",
        "ContentEncoding": "identity",
        "Metadata": {"one": "1", "with-dash": "a, b; c", "empty": ""},
    }
    s3.put_object(Bucket=bucket, Key="key", Body=b"text", **kept)
    for answer in (s3.head_object(Bucket=bucket, Key="key"), s3.get_object(Bucket=bucket, Key="key")):
        assert {name: answer[name] for name in kept} == kept


def test_response_headers_can_be_overridden(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"text", ContentType="text/plain")
    got = s3.get_object(
        Bucket=bucket, Key="key", ResponseContentType="text/css", ResponseContentDisposition="attachment"
    )
    assert (got["ContentType"], got["ContentDisposition"]) == ("text/css", "attachment")


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=5-9", 5, 9),
        ("bytes=-7", 9 * MIB - 7, 9 * MIB - 1),
        (f"bytes={4 * MIB - 3}-{4 * MIB + 3}", 4 * MIB - 3, 4 * MIB + 3),
        (f"bytes={8 * MIB}-", 8 * MIB, 9 * MIB - 1),
        (f"bytes={9 * MIB - 1}-{99 * MIB}", 9 * MIB - 1, 9 * MIB - 1),
    ],
)
def test_range(s3: Any, bucket: str, asked: str, first: int, last: int) -> None:
    body = make_bytes(9 * MIB)
    s3.put_object(Bucket=bucket, Key="key", Body=body)
    got = s3.get_object(Bucket=bucket, Key="key", Range=asked)
    assert got["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert got["ContentRange"] == f"bytes {first}-{last}/{len(body)}"
    assert got["Body"].read() == body[first : last + 1]


def test_range_beyond_the_end_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    with refused(416, "InvalidRange"):
        s3.get_object(Bucket=bucket, Key="key", Range="bytes=10-")


def test_conditional_get_and_head(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"1")["ETag"]
    stamp = s3.head_object(Bucket=bucket, Key="key")["LastModified"]
    assert s3.get_object(Bucket=bucket, Key="key", IfMatch=etag, IfUnmodifiedSince=stamp)["Body"].read() == b"1"
    with refused(412, "PreconditionFailed"):
        s3.get_object(Bucket=bucket, Key="key", IfMatch='"0"')
    with refused(304, "304"):
        s3.get_object(Bucket=bucket, Key="key", IfNoneMatch=etag)
    with refused(304, "304"):
        s3.head_object(Bucket=bucket, Key="key", IfModifiedSince=stamp)


def test_conditional_put(s3: Any, bucket: str) -> None:
    first = s3.put_object(Bucket=bucket, Key="key", Body=b"1", IfNoneMatch="*")["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"2", IfNoneMatch="*")
    second = s3.put_object(Bucket=bucket, Key="key", Body=b"3", IfMatch=first)["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"4", IfMatch=first)
    with refused(404, "NoSuchKey"):
        s3.put_object(Bucket=bucket, Key="absent", Body=b"5", IfMatch=first)
    got = s3.get_object(Bucket=bucket, Key="key")
    assert (got["Body"].read(), got["ETag"]) == (b"3", second)


def test_conditional_delete(s3: Any, bucket: str) -> None:
    etag = s3.put_object(Bucket=bucket, Key="key", Body=b"1")["ETag"]
    with refused(412, "PreconditionFailed"):
        s3.delete_object(Bucket=bucket, Key="key", IfMatch='"0"')
    s3.delete_object(Bucket=bucket, Key="key", IfMatch=etag)
    with refused(404, "404"):
        s3.head_object(Bucket=bucket, Key="key")


def test_copy_replaces_or_keeps_metadata(s3: Any, bucket: str) -> None:
    body = make_bytes(5 * MIB)
    etag = s3.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"a": "1"}, ContentType="text/css")["ETag"]
    source = {"Bucket": bucket, "Key": "from"}
    copied = s3.copy_object(Bucket=bucket, Key="kept", CopySource=source)["CopyObjectResult"]
    assert copied["ETag"] == etag
    kept = s3.get_object(Bucket=bucket, Key="kept")
    assert (kept["Metadata"], kept["ContentType"], kept["Body"].read()) == ({"a": "1"}, "text/css", body)
    s3.copy_object(Bucket=bucket, Key="changed", CopySource=source, MetadataDirective="REPLACE", Metadata={"b": "2"})
    assert s3.head_object(Bucket=bucket, Key="changed")["Metadata"] == {"b": "2"}
    with refused(412, "PreconditionFailed"):
        s3.copy_object(Bucket=bucket, Key="no", CopySource=source, CopySourceIfNoneMatch=etag)
    with refused(400, "InvalidRequest"):
        s3.copy_object(Bucket=bucket, Key="from", CopySource=source)


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksum_of_each_algorithm(s3: Any, bucket: str, algorithm: str) -> None:
    body = make_bytes(1_000_000)
    put = s3.put_object(Bucket=bucket, Key="key", Body=body, ChecksumAlgorithm=algorithm)
    name = f"Checksum{algorithm}"
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert put[name] == head[name]
    assert s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")["Body"].read() == body
    attributes = s3.get_object_attributes(
        Bucket=bucket, Key="key", ObjectAttributes=["ETag", "Checksum", "ObjectSize", "StorageClass"]
    )
    assert (attributes["ETag"], attributes["ObjectSize"]) == (put["ETag"].strip('"'), len(body))
    assert attributes["Checksum"][name] == put[name]


def test_a_wrong_checksum_publishes_nothing(s3: Any, bucket: str) -> None:
    with refused(400, "BadDigest"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"text", ChecksumCRC32="AAAAAA==")
    with refused(400, "BadDigest"):
        s3.put_object(Bucket=bucket, Key="key", Body=b"text", ContentMD5="AAAAAAAAAAAAAAAAAAAAAA==")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


@pytest.fixture(params=["s3", "s3v4"])
def signer(request: pytest.FixtureRequest, server: Server) -> Any:
    """A client for each version of signatures: for us-east-1 boto3's default is still version 2."""
    return make_client(server, config=Config(signature_version=request.param))


def test_presigned_put_and_get(s3: Any, signer: Any, bucket: str, fetch: Callable[..., bytes]) -> None:
    body = make_bytes(70_000)
    where = {"Bucket": bucket, "Key": "ünï/with space+plus"}
    # urllib has a Content-Type of its own, which version 2 signs.
    fetch(signer.generate_presigned_url("put_object", where), data=body, method="PUT", headers={"Content-Type": ""})
    assert s3.get_object(**where)["Body"].read() == body
    assert fetch(signer.generate_presigned_url("get_object", where)) == body
    assert b"<KeyCount>1<" in fetch(signer.generate_presigned_url("list_objects_v2", {"Bucket": bucket}))


def test_presigned_link_opens_nothing_else(s3: Any, signer: Any, bucket: str, fetch: Callable[..., bytes]) -> None:
    s3.put_object(Bucket=bucket, Key="other", Body=b"text")
    link = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "mine"})
    for changed in (link.replace("/mine?", "/other?"), link.replace("Expires=", "Expires=1", 1)):
        with pytest.raises(urllib.error.HTTPError) as refusal:
            fetch(changed)
        with refusal.value as answer:
            assert (answer.code, b"<Code>SignatureDoesNotMatch<" in answer.read()) == (403, True)


def test_presigned_by_a_client_with_nothing_set(s3: Any, bucket: str, fetch: Callable[..., bytes]) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    link = s3.generate_presigned_url("put_object", where | {"Metadata": {"a": "b"}, "ContentType": "text/css"})
    fetch(link, data=b"text", method="PUT", headers={"Content-Type": "text/css"})
    found = s3.head_object(**where)
    assert (found["Metadata"], found["ContentType"]) == ({"a": "b"}, "text/css")
    link = s3.generate_presigned_url("get_object", where | {"ResponseContentDisposition": 'attachment; filename="ü"'})
    assert "X-Amz" not in link
    assert fetch(link) == b"text"


def test_tags(s3: Any, bucket: str) -> None:
    where = {"Bucket": bucket, "Key": "key"}
    s3.put_object(**where, Body=b"text", Tagging="colour=red&size=x%20l")
    assert s3.get_object_tagging(**where)["TagSet"] == [
        {"Key": "colour", "Value": "red"}, {"Key": "size", "Value": "x l"},
    ]  # fmt: skip
    assert s3.get_object(**where)["TagCount"] == 2
    tags = [{"Key": "é", "Value": "1"}]
    s3.put_object_tagging(**where, Tagging={"TagSet": tags})
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=where)
    assert s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"] == tags
    s3.delete_object_tagging(**where)
    assert s3.get_object_tagging(**where)["TagSet"] == []
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.delete_bucket_tagging(Bucket=bucket)
