"""The operations of S3 that read another object: CopyObject, and the source of UploadPartCopy."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.core.objects import Copy, CopySource
from entrepot.doors.s3.acl import check_written_acl
from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.bodies.checksums import parse_algorithm
from entrepot.doors.s3.calls import Call, conditions, parse_meta
from entrepot.doors.s3.demands import check_demands
from entrepot.doors.s3.documents.outgoing import copy_object as copy_document
from entrepot.doors.s3.documents.tags import parse_tags
from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.storage import STANDARD, parse_class
from entrepot.errors import DeleteMarkerFound, RangeInvalid
from entrepot.model import NULL_VERSION, Span, Version, Versioning
from entrepot.wire.http import Headers, Response

_RANGE: Final = re.compile(r"bytes=([0-9]{1,20})-([0-9]{1,20})", re.ASCII)
_RANGES: Final = frozenset({b"range", b"x-amz-copy-source-range"})
_ONTO_ITSELF: Final = (
    "This copy request is illegal because it is trying to copy an object to itself without changing the object's "
    "metadata, storage class, website redirect location or encryption attributes."
)


def parse_copy_source(call: Call) -> CopySource:
    """``bucket/key``, percent-encoded, with or without a slash before and ``?versionId=`` behind. A ``+`` is a space,
    as S3 has it: clients that mean a plus encode it.

    Raises the refusal InvalidArgument.
    """
    raw = call.request.headers.raw_get(b"x-amz-copy-source") or b""
    path, mark, version = raw.rpartition(b"?versionId=")
    if not mark:
        path, version = raw, b""
    try:
        name, version_id = [unquote_to_bytes(part.replace(b"+", b" ")).decode("utf-8") for part in (path, version)]
    except UnicodeDecodeError:
        raise _source_invalid() from None
    # Many clients encode all of it at once, the slash behind the bucket too.
    bucket, _, key = name.removeprefix("/").partition("/")
    if not bucket or not key or (mark and not version):
        raise _source_invalid()
    return CopySource(bucket, key, version_id or None, conditions(call, "x-amz-copy-source-"))


def parse_copy_range(value: str, size: int) -> Span:
    """The range of a copy source of ``size`` bytes (S3 UploadPartCopy).

    Only ``bytes=first-last`` within the source will do: raises the refusal InvalidArgument for another form, and
    RangeInvalid for one that reaches beyond the end.
    """
    match = _RANGE.fullmatch(value.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise refuse(
            "InvalidArgument",
            sentence="The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are "
            "the zero-based offsets of the first and last bytes to copy",
            ArgumentName="x-amz-copy-source-range", ArgumentValue=value,
        )  # fmt: skip
    span = Span(int(match[1]), int(match[2]) + 1)
    if span.end > size:
        raise RangeInvalid(size, value)
    return span


async def get_source(call: Call) -> CopySource:
    """The source that a request names. Raises as :func:`parse_copy_source`, and Denied when its bucket is not
    of the account that the request expects.
    """
    source = parse_copy_source(call)
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
    if not headers.lacks(_RANGES):
        raise refuse("InvalidRequest", "An object is copied as a whole: a part of one with UploadPartCopy.")
    await check_written_acl(call)
    source = await get_source(call)
    replacing = _directive(headers, "x-amz-metadata-directive")
    tags = _tags(headers)
    if (
        not replacing
        and source.version_id is None
        and (source.bucket, source.key) == (call.bucket, call.key)
        and "x-amz-storage-class" not in headers
    ):
        raise refuse("InvalidRequest", sentence=_ONTO_ITSELF)
    algorithm = headers.get("x-amz-checksum-algorithm")
    copy = Copy(
        source, parse_meta(call.request.headers) if replacing else None,
        () if algorithm is None else (parse_algorithm(algorithm),), conditions(call), tags=tags,
        storage_class=_class(headers), digests=("md5",),
    )  # fmt: skip
    with source_errors():
        old, version = await call.core.objects.copy(call.who, call.bucket, call.key, copy)
    body = copy_document(version.etag, version.created_at, version.checksums)
    return xml(body, [*await _version_field(call, version.version_id), *source_fields(old)])


async def _version_field(call: Call, version_id: str) -> list[tuple[bytes, bytes]]:
    """The id of the copy, "null" too where versions were kept once."""
    if version_id == NULL_VERSION:
        target = await call.enter()
        if target.versioning is Versioning.OFF:
            return []
    return [(b"x-amz-version-id", version_id.encode())]


def _tags(headers: Headers) -> Mapping[str, str] | None:
    """The tags that the copy is to have instead of its source's. Raises the refusal InvalidArgument, also for tags
    that would be passed over.
    """
    tags = parse_tags(headers)
    if _directive(headers, "x-amz-tagging-directive"):
        return tags or {}
    if tags is not None:
        raise refuse(
            "InvalidArgument", "Tags of a copy need x-amz-tagging-directive: REPLACE.", ArgumentName="x-amz-tagging"
        )
    return None


def _class(headers: Headers) -> str:
    """The class of storage that the copy is to have, whatever its source has; '' for the usual one."""
    named = parse_class(headers.raw_get(b"x-amz-storage-class") or STANDARD.encode())
    return "" if named == STANDARD else named


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
