"""The operations of S3 on multipart uploads."""

from __future__ import annotations

import contextlib
from typing import Final

from entrepot.core.content import Intake
from entrepot.core.uploads import Arriving, Outcome, Place, UploadQuery
from entrepot.doors.s3.acl import check_written_acl
from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.bodies.checksums import (
    DEFAULT_CHECKSUM,
    WORDS,
    checksum_fields,
    parse_completion,
    parse_upload_checksum,
    type_word,
)
from entrepot.doors.s3.calls import (
    SINGLE_LIMIT,
    Call,
    conditions,
    parse_meta,
    parse_number,
    version_field,
)
from entrepot.doors.s3.demands import check_demands, check_unencrypted, check_write_conditions
from entrepot.doors.s3.documents import lists, outgoing
from entrepot.doors.s3.documents.incoming import CompleteDocument
from entrepot.doors.s3.documents.outgoing import Owner
from entrepot.doors.s3.documents.tags import parse_tags
from entrepot.doors.s3.operations.assembling import OBJECT_LIMIT, Assembling
from entrepot.doors.s3.operations.copies import get_source, parse_copy_range, source_errors, source_fields
from entrepot.doors.s3.paging import parse_encoding, parse_limit
from entrepot.doors.s3.refusal import refuse
from entrepot.errors import ArgumentInvalid, DigestMismatch, UploadMissing
from entrepot.model import NO_CHECKSUMS, Span, Upload
from entrepot.wire.conditions import quote_etag
from entrepot.wire.dates import parse_date
from entrepot.wire.http import Response

MOST_PARTS: Final = 10_000

PAGE: Final = 1000
"""Entries of a page at most."""


def place_of(call: Call) -> Place:
    """The upload that a request names."""
    return Place(call.bucket, call.key, call.param("uploadId") or "")


def part_number(call: Call) -> int:
    """The number of the part to write. Raises the refusal InvalidArgument."""
    number = call.number("partNumber", 1, MOST_PARTS)
    if number is None:
        raise refuse("InvalidArgument", "The request needs a partNumber.", ArgumentName="partNumber")
    return number


async def create_upload(call: Call) -> Response:
    """S3 CreateMultipartUpload."""
    headers = call.request.headers
    check_demands(call, conditional=False)
    await check_written_acl(call)
    algorithm, composite = parse_upload_checksum(headers)
    upload = await call.core.uploads.create(
        call.who, call.bucket, call.key, parse_meta(call.request.headers),
        algorithm=algorithm, composite=composite, tags=parse_tags(headers),
    )  # fmt: skip
    fields = []
    if algorithm:
        fields = [
            (b"x-amz-checksum-algorithm", WORDS[algorithm].encode()),
            (b"x-amz-checksum-type", type_word(composite=composite).encode()),
        ]
    return xml(outgoing.create_upload(call.bucket, call.key, upload.upload_id), fields)


def kept_checksums(upload: Upload, announced: str | None) -> tuple[str, ...]:
    """The checksums to keep of a part. Raises the refusal InvalidRequest for one of another algorithm than the upload
    was begun with; where that was left open, a part may be announced by any.
    """
    if not upload.algorithm:
        return tuple(dict.fromkeys([DEFAULT_CHECKSUM, *([announced] if announced else [])]))
    if announced not in (None, upload.algorithm):
        raise refuse(
            "InvalidRequest", f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm}, "
            f"actual checksum Type: {announced}",
        )  # fmt: skip
    return (upload.algorithm,)


async def upload_part(call: Call) -> Response:
    """S3 UploadPart."""
    check_demands(call, conditional=False)
    number = part_number(call)
    incoming = call.incoming()

    def expect(upload: Upload) -> Arriving:
        keep = kept_checksums(upload, incoming.announced)
        return Arriving(incoming.intake(keep), keep)

    try:
        part = await call.core.uploads.put_part(call.who, place_of(call), number, incoming.stream(), expect)
    except DigestMismatch as error:
        raise incoming.refusal(error) from error
    fields = [field for field in checksum_fields(part.checksums) if field[0] != b"x-amz-checksum-type"]
    return Response(200, [(b"etag", quote_etag(part.etag)), (b"content-length", b"0"), *fields])


async def copy_part(call: Call) -> Response:
    """S3 UploadPartCopy."""
    headers = call.request.headers
    check_demands(call, conditional=False)
    if "range" in headers:
        raise refuse("InvalidRequest", "A part is copied by x-amz-copy-source-range, not by Range.")
    number = part_number(call)
    source = await get_source(call)

    def expect(upload: Upload) -> Arriving:
        keep = kept_checksums(upload, None)
        return Arriving(Intake(limit=SINGLE_LIMIT, digests=("md5",)), keep)

    asked = headers.get("x-amz-copy-source-range")
    span: Span | None = None if asked is None else parse_copy_range(asked, OBJECT_LIMIT)
    with source_errors():
        old, part = await call.core.uploads.copy_part(call.who, place_of(call), number, source, span, expect)
    return xml(outgoing.copy_part(part.etag, part.created_at, part.checksums), source_fields(old))


async def complete_upload(call: Call) -> Response:
    """S3 CompleteMultipartUpload."""
    headers = call.request.headers
    check_unencrypted(headers)
    check_write_conditions(headers)
    said = parse_completion(headers)
    named = await call.document(CompleteDocument(), announced=False)
    if said.parts is not None and said.parts != len(named):
        raise refuse("BadDigest", f"The checksum is said to be of {said.parts} parts; {len(named)} are named.")
    try:
        outcome = await call.core.uploads.complete(call.who, place_of(call), Assembling(named, said), conditions(call))
    except ArgumentInvalid as error:
        raise refuse("InvalidRequest", f"The upload cannot be completed so: {error}.") from error
    return _completed(call, outcome)


def _completed(call: Call, outcome: Outcome) -> Response:
    host = call.request.headers.get("host") or ""
    location = f"{call.request.scheme}://{host}{call.request.raw_path.decode('latin-1')}"
    checksums = NO_CHECKSUMS if outcome.version is None else outcome.version.checksums
    body = outgoing.complete_upload(location, call.bucket, call.key, outcome.etag, checksums)
    return xml(body, version_field(outcome.version_id))


async def abort_upload(call: Call) -> Response:
    """S3 AbortMultipartUpload. On the condition that it was initiated at a certain time, one that is not there is no
    error: it has been aborted.
    """
    initiated = call.request.headers.get("x-amz-if-match-initiated-time")
    opened_at = None if initiated is None else parse_date(initiated)
    if initiated is not None and opened_at is None:
        raise refuse("InvalidArgument", "x-amz-if-match-initiated-time is no date.")
    with contextlib.suppress(UploadMissing) if initiated is not None else contextlib.nullcontext():
        await call.core.uploads.abort(call.who, place_of(call), opened_at)
    return Response(204)


async def list_parts(call: Call) -> Response:
    """S3 ListParts."""
    limit = parse_limit(call.param("max-parts"), "max-parts", most=PAGE, default=PAGE)
    marker = parse_number("part-number-marker", call.param("part-number-marker") or "0", 0, (1 << 31) - 1) or 0
    upload, parts = await call.core.uploads.list_parts(call.who, place_of(call), marker, limit + 1)
    more = 0 < limit < len(parts)
    page = lists.PartPage(parts[:limit], marker, parts[limit - 1].number if more else None, limit)
    owners = await _owners(call, {upload.owner})
    return xml(lists.list_parts(upload, call.bucket, page, owners[upload.owner]))


async def list_uploads(call: Call) -> Response:
    """S3 ListMultipartUploads."""
    limit = parse_limit(call.param("max-uploads"), "max-uploads", most=PAGE, default=PAGE)
    key_marker = call.param("key-marker") or ""
    # S3 passes over an upload-id-marker that has no key-marker beside it.
    upload_marker = (call.param("upload-id-marker") or "") if key_marker else ""
    prefix, delimiter = call.param("prefix") or "", call.param("delimiter") or None
    query = UploadQuery(prefix, delimiter or "", (key_marker, upload_marker), limit)
    found = await call.core.uploads.list(call.who, call.bucket, query)
    next_key, next_upload = found.following or (None, None)
    page = lists.UploadListing(
        call.bucket, found.uploads, found.prefixes, prefix, delimiter, key_marker, upload_marker,
        next_key, next_upload, limit, url=parse_encoding(call.param("encoding-type")),
    )  # fmt: skip
    owners = await _owners(call, {upload.owner for upload in found.uploads})
    return xml(lists.list_uploads(page, owners.__getitem__))


async def _owners(call: Call, accounts: set[str]) -> dict[str, Owner]:
    return {account: Owner(account, await call.core.keys.display_name(account)) for account in accounts}
