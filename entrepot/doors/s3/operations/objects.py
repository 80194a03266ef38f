"""The operations of S3 on single objects."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final

from entrepot.core.objects import Opened, Put
from entrepot.doors.s3.acl import check_written_acl
from entrepot.doors.s3.bodies.checksums import checksum_fields, wants_checksums
from entrepot.doors.s3.calls import METADATA_PREFIX, Call, conditions, parse_meta, version_field
from entrepot.doors.s3.demands import check_delete_conditions, check_demands, check_unencrypted
from entrepot.doors.s3.documents.tags import parse_tags
from entrepot.doors.s3.refusal import refuse
from entrepot.errors import DigestMismatch
from entrepot.model import NO_CHECKSUMS, STORAGE_CLASS, Checksums, Span, Versioning
from entrepot.wire.conditions import delete_condition, quote_etag, range_holds
from entrepot.wire.dates import http_date
from entrepot.wire.headers import check_text, make_field, user_metadata_fields
from entrepot.wire.http import Response
from entrepot.wire.ranges import content_range, parse_range

DEFAULT_TYPE: Final = b"binary/octet-stream"

_MOST_PARTS: Final = 10_000

_OVERRIDES: Final = {
    "response-cache-control": "cache-control",
    "response-content-disposition": "content-disposition",
    "response-content-encoding": "content-encoding",
    "response-content-language": "content-language",
    "response-content-type": "content-type",
    "response-expires": "expires",
}


_NAMES: Final = {STORAGE_CLASS: "x-amz-storage-class"}
"""Fields of which the name here is not the one on the wire."""


async def put_object(call: Call) -> Response:
    """S3 PutObject."""
    headers = call.request.headers
    check_demands(call)
    await check_written_acl(call)
    if call.param("partNumber") is not None:
        raise refuse("InvalidRequest", "A part needs an uploadId beside its partNumber.")
    incoming = call.incoming()
    asking = headers.raw_get(b"expect") is not None
    keep = (incoming.checksum,)
    put = Put(
        parse_meta(call.request.headers), incoming.intake(keep), keep, conditions(call), asking, parse_tags(headers)
    )
    try:
        version = await call.core.objects.put(call.who, call.bucket, call.key, incoming.stream(), put)
    except DigestMismatch as error:
        raise incoming.refusal(error) from error
    fields = [(b"etag", quote_etag(version.etag)), (b"content-length", b"0"), *version_field(version.version_id)]
    fields.extend(checksum_fields(version.checksums))
    return Response(200, fields)


def open_object(call: Call) -> Awaitable[Opened]:
    """The version a GET or HEAD names, its preconditions met."""
    check_unencrypted(call.request.headers)
    return call.core.objects.open(call.who, call.bucket, call.key, call.version_id(), conditions(call))


async def get_object(call: Call) -> Response:
    """S3 GetObject."""
    opened = await open_object(call)
    window = await find_window(call, opened)
    headers = object_fields(call, opened, window)
    if window.span is None:
        return Response(200, headers, await opened.read())
    return Response(206, headers, await opened.read(window.span))


async def head_object(call: Call) -> Response:
    """S3 HeadObject."""
    opened = await open_object(call)
    window = await find_window(call, opened)
    return Response(200 if window.span is None else 206, object_fields(call, opened, window))


@dataclass(frozen=True, slots=True)
class Window:
    """What of an object a request asks for: everything when ``span`` is None. ``parts`` is the number
    of parts it has, told when one of them was asked for; ``checksums`` belong to what is sent.
    """

    span: Span | None
    checksums: Checksums
    parts: int = 0


async def find_window(call: Call, opened: Opened) -> Window:
    """The part or range that a request asks for. Raises RangeInvalid, and the refusals InvalidPartNumber,
    InvalidArgument, InvalidRequest.
    """
    version = opened.version
    headers = call.request.headers
    asked = headers.get("range")
    number = call.number("partNumber", 1, _MOST_PARTS)
    if number is not None:
        if asked is not None:
            raise refuse("InvalidRequest", "A request has a Range or a partNumber, not both.")
        return await _part_window(opened, number)
    if asked is None or not range_holds(headers.get("if-range"), version.etag, version.created_at // 1_000_000):
        return Window(None, version.checksums)
    span = parse_range(asked, version.size)
    return Window(span, version.checksums if span is None else NO_CHECKSUMS)


async def _part_window(opened: Opened, number: int) -> Window:
    """Parts are counted from 1, whatever numbers they were uploaded under: a client that is told
    how many there are asks for each in turn. An object put in one piece is its own first part.
    """
    version = opened.version
    parts = await opened.parts()
    if number > max(len(parts), 1):
        raise refuse("InvalidPartNumber", PartNumberRequested=str(number), ActualPartCount=str(max(len(parts), 1)))
    if not parts:
        return Window(Span(0, version.size) if version.size else None, version.checksums)
    start = sum(part.size for part in parts[: number - 1])
    part = parts[number - 1]
    span = Span(start, start + part.size) if part.size else None
    if span is None and version.size:
        raise refuse("InvalidRange", "This part is empty.")
    return Window(span, Checksums(part.checksums.values, version.checksums.composite), len(parts))


def object_fields(call: Call, opened: Opened, window: Window) -> list[tuple[bytes, bytes]]:
    """The header fields that describe a version and what is sent of it."""
    version = opened.version
    meta = version.meta
    size = version.size if window.span is None else window.span.size
    fields = [
        (b"content-type", meta.media_type.encode() if meta.media_type else DEFAULT_TYPE),
        (b"etag", quote_etag(version.etag)),
        (b"last-modified", http_date(version.created_at // 1_000_000)),
        (b"accept-ranges", b"bytes"),
        (b"content-length", b"%d" % size),
    ]
    if window.span is not None:
        fields.append((b"content-range", content_range(window.span, version.size).encode()))
    if version.tags:
        fields.append((b"x-amz-tagging-count", b"%d" % version.tags))
    if window.parts:
        fields.append((b"x-amz-mp-parts-count", b"%d" % window.parts))
    if meta.headers:
        fields.extend(make_field(_NAMES.get(name, name), value) for name, value in meta.headers.items())
    if meta.user:
        fields.extend(user_metadata_fields(meta.user, METADATA_PREFIX))
    if opened.bucket.versioning is not Versioning.OFF:
        fields.append((b"x-amz-version-id", version.version_id.encode()))
    if window.checksums.values and wants_checksums(call.request.headers):
        fields.extend(checksum_fields(window.checksums))
    if b"response-" in call.request.raw_query:
        return _overridden(call, fields)
    return fields


def _overridden(call: Call, fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The fields with what response-… parameters put in their place. They are for those who sign:
    a link to a public object must not decide how a browser takes it.
    """
    asked = {}
    for name, field in _OVERRIDES.items():
        value = call.param(name)
        if value is not None:
            asked[field.encode()] = check_text(name, value).encode("utf-8")
    if asked and call.verified is None:
        raise refuse("InvalidRequest", "response- parameters are not for anonymous requests.")
    return [field for field in fields if field[0] not in asked] + list(asked.items())


async def delete_object(call: Call) -> Response:
    """S3 DeleteObject."""
    headers = call.request.headers
    check_delete_conditions(headers)
    when = delete_condition(
        headers.get("if-match"), headers.get("x-amz-if-match-last-modified-time"), headers.get("x-amz-if-match-size")
    )
    deleted = await call.core.objects.delete(call.who, call.bucket, call.key, call.version_id(), when)
    fields: list[tuple[bytes, bytes]] = []
    if deleted.version_id is not None:
        fields.append((b"x-amz-version-id", deleted.version_id.encode()))
    if deleted.marker:
        fields.append((b"x-amz-delete-marker", b"true"))
    return Response(204, fields)
