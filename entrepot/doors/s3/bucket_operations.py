"""The operations of S3 on buckets themselves."""

from __future__ import annotations

from typing import Final

from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents_in import parse_create_bucket
from entrepot.doors.s3.refusal import refuse
from entrepot.wire.http import Response

DOCUMENT_LIMIT: Final = 64 * 1024
"""Bytes of a configuration document."""


async def create_bucket(call: Call) -> Response:
    """S3 CreateBucket."""
    location = parse_create_bucket(await call.document(DOCUMENT_LIMIT))
    if location not in (None, "", call.region):
        raise refuse("IllegalLocationConstraintException", f"This server's region is {call.region}.")
    await call.core.buckets.create(call.who, call.bucket)
    return Response(200, [(b"location", b"/" + call.bucket.encode()), (b"content-length", b"0")])


async def head_bucket(call: Call) -> Response:
    """S3 HeadBucket."""
    await call.core.buckets.get(call.who, call.bucket)
    return Response(200, [(b"x-amz-bucket-region", call.region.encode()), (b"content-length", b"0")])


async def delete_bucket(call: Call) -> Response:
    """S3 DeleteBucket."""
    await call.core.buckets.delete(call.who, call.bucket)
    return Response(204)
