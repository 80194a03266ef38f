"""boto3's transfer manager and multipart uploads, over HTTP and over HTTPS."""

from __future__ import annotations

import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from boto3.s3.transfer import TransferConfig

from tests.clients.boto import refused
from tests.clients.trees import MIB, make_bytes

if TYPE_CHECKING:
    from pathlib import Path

PART = 5 * MIB


def upload_parts(s3: Any, bucket: str, key: str, parts: list[bytes], **create: Any) -> tuple[str, list[Any]]:
    """Create an upload and send its parts; return its id and the parts as Complete wants them."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key, **create)["UploadId"]
    done = []
    for number, body in enumerate(parts, 1):
        answer = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=number, Body=body)
        done.append({"PartNumber": number, "ETag": answer["ETag"]})
    return upload, done


def test_a_file_goes_up_and_comes_down(s3: Any, bucket: str, tmp_path: Path) -> None:
    body = make_bytes(30 * MIB + 12_345)
    (tmp_path / "up").write_bytes(body)
    s3.upload_file(str(tmp_path / "up"), bucket, "key", ExtraArgs={"ContentType": "video/mp4", "Metadata": {"a": "1"}})
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (len(body), "video/mp4", {"a": "1"})
    digests = [hashlib.md5(body[at : at + 8 * MIB]).digest() for at in range(0, len(body), 8 * MIB)]  # noqa: S324 - S3 defines it so
    assert head["ETag"] == f'"{hashlib.md5(b"".join(digests)).hexdigest()}-4"'  # noqa: S324 - S3 defines it so
    s3.download_file(bucket, "key", str(tmp_path / "down"))
    assert (tmp_path / "down").read_bytes() == body


def test_many_uploads_at_once(s3: Any, bucket: str) -> None:
    bodies = {f"key-{number}": make_bytes(6 * MIB + number, number) for number in range(8)}
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)

    def send(key: str) -> None:
        s3.upload_fileobj(io.BytesIO(bodies[key]), bucket, key, Config=config)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(send, bodies))
    assert {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in bodies} == bodies


def test_managed_copy_of_a_large_object(s3: Any, bucket: str) -> None:
    body = make_bytes(12 * MIB + 1)
    s3.put_object(Bucket=bucket, Key="from", Body=body)
    config = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    s3.copy({"Bucket": bucket, "Key": "from"}, bucket, "to", Config=config)
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == body
    assert s3.head_object(Bucket=bucket, Key="to", PartNumber=1)["PartsCount"] == 3


def test_parts_are_listed_read_one_by_one_and_replaced(s3: Any, bucket: str) -> None:
    bodies = [make_bytes(PART, 1), make_bytes(PART + 1, 2), make_bytes(3, 3)]
    upload, parts = upload_parts(s3, bucket, "key", [*bodies[:2], b"to be replaced"], ContentType="text/css")
    again = s3.upload_part(Bucket=bucket, Key="key", UploadId=upload, PartNumber=3, Body=bodies[2])
    parts[2]["ETag"] = again["ETag"]
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    pages = s3.get_paginator("list_parts").paginate(**where, PaginationConfig={"PageSize": 2})
    assert [part["Size"] for page in pages for part in page["Parts"]] == [len(body) for body in bodies]
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="key")
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"".join(bodies)
    for number, body in enumerate(bodies, 1):
        got = s3.get_object(Bucket=bucket, Key="key", PartNumber=number)
        assert (got["Body"].read(), got["PartsCount"], got["ContentType"]) == (body, 3, "text/css")
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_upload_part_copy_of_a_range(s3: Any, bucket: str) -> None:
    body = make_bytes(11 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=body)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="to")["UploadId"]
    parts = []
    for number, span in enumerate((f"bytes=3-{PART + 2}", f"bytes={PART + 3}-{len(body) - 2}"), 1):
        answer = s3.upload_part_copy(
            Bucket=bucket,
            Key="to",
            UploadId=upload,
            PartNumber=number,
            CopySource={"Bucket": bucket, "Key": "from"},
            CopySourceRange=span,
        )
        parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
    s3.complete_multipart_upload(Bucket=bucket, Key="to", UploadId=upload, MultipartUpload={"Parts": parts})
    assert s3.get_object(Bucket=bucket, Key="to")["Body"].read() == body[3:-1]


def test_an_aborted_upload_is_gone(s3: Any, bucket: str) -> None:
    upload, parts = upload_parts(s3, bucket, "key", [b"part"])
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    s3.abort_multipart_upload(**where)
    with refused(404, "NoSuchUpload"):
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    with refused(404, "NoSuchUpload"):
        s3.upload_part(**where, PartNumber=1, Body=b"late")


def test_wrong_parts_are_refused(s3: Any, bucket: str) -> None:
    upload, parts = upload_parts(s3, bucket, "key", [b"too small", b"last"])
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    with refused(400, "EntityTooSmall"):
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})
    with refused(400, "InvalidPartOrder"):
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts[::-1]})
    with refused(400, "InvalidPart"):
        s3.complete_multipart_upload(**where, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": '"0"'}]})
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts[1:]})
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"last"


def test_conditional_complete(s3: Any, bucket: str) -> None:
    upload, parts = upload_parts(s3, bucket, "key", [b"late"])
    s3.put_object(Bucket=bucket, Key="key", Body=b"first")
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload, "MultipartUpload": {"Parts": parts}}
    with refused(412, "PreconditionFailed"):
        s3.complete_multipart_upload(**where, IfNoneMatch="*")
    s3.complete_multipart_upload(**where)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"late"


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [
        ("CRC32", "COMPOSITE"),
        ("CRC32", "FULL_OBJECT"),
        ("CRC32C", "COMPOSITE"),
        ("CRC32C", "FULL_OBJECT"),
        ("CRC64NVME", "FULL_OBJECT"),
        ("SHA1", "COMPOSITE"),
        ("SHA256", "COMPOSITE"),
    ],
)
def test_checksum_of_the_whole(s3: Any, bucket: str, algorithm: str, kind: str) -> None:
    bodies = [make_bytes(PART, 1), make_bytes(1_234_567, 2)]
    name = f"Checksum{algorithm}"
    create = {"ChecksumAlgorithm": algorithm, "ChecksumType": kind}
    upload = s3.create_multipart_upload(Bucket=bucket, Key="key", **create)["UploadId"]
    where = {"Bucket": bucket, "Key": "key", "UploadId": upload}
    parts = []
    for number, body in enumerate(bodies, 1):
        sent = s3.upload_part(**where, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": sent["ETag"], name: sent[name]})
    done = s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts}, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    assert done[name].endswith("-2") is (kind == "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (done[name], kind)
    if kind == "FULL_OBJECT":
        whole = s3.put_object(Bucket=bucket, Key="at-once", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
        assert whole[name] == done[name]
    # botocore checks a full-object checksum itself while the body is read.
    got = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert got["Body"].read() == b"".join(bodies)
