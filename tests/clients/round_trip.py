"""A round trip by boto3 alone: `BUCKET PATH` as arguments, endpoint, keys and trust from the AWS environment.

Run as a program, because botocore decides at its import whether the AWS C runtime signs and sums for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.compat import HAS_CRT


def main(bucket: str, path: Path) -> None:
    """Store a file at once, in parts and by copy; read each back whole and in pieces; list; delete."""
    assert not HAS_CRT
    s3 = boto3.client("s3")
    body = path.read_bytes()
    s3.put_object(Bucket=bucket, Key="whole/ünï code", Body=body, Metadata={"a": "1"})
    s3.upload_file(str(path), bucket, "whole/parts", Config=TransferConfig(multipart_threshold=5 * 1024 * 1024))
    s3.copy_object(Bucket=bucket, Key="whole/copy", CopySource={"Bucket": bucket, "Key": "whole/parts"})
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="whole/")["Contents"]]
    assert keys == ["whole/copy", "whole/parts", "whole/ünï code"]
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == body
        assert s3.get_object(Bucket=bucket, Key=key, Range="bytes=7-99")["Body"].read() == body[7:100]
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
