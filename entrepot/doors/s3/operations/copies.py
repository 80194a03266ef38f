"""The operations of S3 that read another object: CopyObject, and the source of UploadPartCopy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.core.objects import Copy, Source
from entrepot.doors.s3.acl import check_written_acl
from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.bodies.checksums import parse_algorithm
from entrepot.doors.s3.calls import Call, conditions, parse_meta, version_field
from entrepot.doors.s3.demands import check_demands
from entrepot.doors.s3.documents.outgoing import copy_object as copy_document
from entrepot.doors.s3.refusal import refuse
from entrepot.errors import DeleteMarkerFound
from entrepot.model import NULL_VERSION, Version
from entrepot.wire.conditions import parse_source_conditions
from entrepot.wire.http import Headers, Response

_ONTO_ITSELF: Final = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


def parse_copy_source(headers: Headers) -> Source:
    """``bucket/key``, percent-encoded, with or without a slash before and ``?versionId=`` behind.

    Raises the refusal InvalidArgument.
    """
    raw = headers.raw_get(b"x-amz-copy-source") or b""
    path, mark, version = raw.rpartition(b"?versionId=")
    if not mark:
        path, version = raw, b""
    try:
        name, version_id = [unquote_to_bytes(part).decode("utf-8") for part in (path, version)]
    except UnicodeDecodeError:
        raise _source_invalid() from None
    # Many clients encode all of it at once, the slash behind the bucket too.
    bucket, _, key = name.removeprefix("/").partition("/")
    if not bucket or not key or (mark and not version):
        raise _source_invalid()
    return Source(bucket, key, version_id or None, parse_source_conditions(headers))


async def get_source(call: Call) -> Source:
    """The source that a request names. Raises as :func:`parse_copy_source`, and Denied when its bucket is not
    of the account that the request expects.
    """
    source = parse_copy_source(call.request.headers)
    await call.check_owner(b"x-amz-source-expected-bucket-owner", source.bucket)
    return source


def _source_invalid() -> Exception:
    return refuse(
        "InvalidArgument",
        "It is percent-encoded, and has ?versionId= behind it for a version.",
        sentence="Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
        ArgumentName="x-amz-copy-source",
    )


@contextlib.contextmanager
def source_errors() -> Iterator[None]:
    """A delete marker named as a source by its id is a request that cannot be right."""
    try:
        yield
    except DeleteMarkerFound as error:
        if error.current:
            raise
        raise refuse("InvalidRequest", "The copy source is a delete marker: it has nothing to copy.") from error


async def copy_object(call: Call) -> Response:
    """S3 CopyObject."""
    headers = call.request.headers
    check_demands(call)
    await check_written_acl(call)
    source = await get_source(call)
    replacing = _directive(headers, "x-amz-metadata-directive")
    _directive(headers, "x-amz-tagging-directive")
    if (
        not replacing
        and source.version_id is None
        and (source.bucket, source.key) == (call.bucket, call.key)
        and "x-amz-storage-class" not in headers
    ):
        raise refuse("InvalidRequest", sentence=_ONTO_ITSELF)
    algorithm = headers.get("x-amz-checksum-algorithm")
    copy = Copy(
        source, parse_meta(call.request) if replacing else None,
        () if algorithm is None else (parse_algorithm(algorithm),), conditions(headers),
    )  # fmt: skip
    with source_errors():
        old, version = await call.core.objects.copy(call.who, call.bucket, call.key, copy)
    body = copy_document(version.etag, version.created_at, version.checksums)
    return xml(body, [*version_field(version.version_id), *source_fields(old)])


def source_fields(version: Version) -> list[tuple[bytes, bytes]]:
    """The version that was copied from, where there are versions."""
    if version.version_id == NULL_VERSION:
        return []
    return [(b"x-amz-copy-source-version-id", version.version_id.encode())]


def _directive(headers: Headers, name: str) -> bool:
    """Whether a directive says REPLACE; COPY when there is none."""
    word = headers.get(name, "COPY")
    if word not in ("COPY", "REPLACE"):
        raise refuse("InvalidArgument", f"{name} must be COPY or REPLACE.", ArgumentName=name)
    return word == "REPLACE"
