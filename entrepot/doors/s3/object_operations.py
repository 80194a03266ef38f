"""The operations of S3 on single objects."""

from __future__ import annotations

from typing import Final

from entrepot.core.objects import Opened
from entrepot.doors.s3.calls import Call, parse_put
from entrepot.doors.s3.checksums import checksum_fields, wants_checksums
from entrepot.model import ALWAYS, NULL_VERSION, Precondition, Span, Version, Versioning
from entrepot.wire.conditions import parse_conditions, parse_delete_conditions, quote_etag, range_holds
from entrepot.wire.dates import http_date
from entrepot.wire.headers import make_field, user_metadata_fields
from entrepot.wire.http import Headers, Response
from entrepot.wire.ranges import content_range, parse_range

DEFAULT_TYPE: Final = b"binary/octet-stream"

_CONDITIONAL: Final = (b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since")


def conditions(headers: Headers) -> Precondition:
    """The preconditions of a request; the common case has none and costs next to nothing."""
    if all(headers.raw_get(name) is None for name in _CONDITIONAL):
        return ALWAYS
    return parse_conditions(headers)


async def put_object(call: Call) -> Response:
    """S3 PutObject."""
    body, put = parse_put(call, conditions(call.request.headers))
    version = await call.core.objects.put(call.who, call.bucket, call.key, body, put)
    headers = [(b"etag", quote_etag(version.etag)), (b"content-length", b"0"), *version_field(version)]
    headers.extend(checksum_fields(version.checksums))
    return Response(200, headers)


def version_field(version: Version) -> list[tuple[bytes, bytes]]:
    """The version id, unless the version was written while the bucket kept none."""
    if version.version_id == NULL_VERSION:
        return []
    return [(b"x-amz-version-id", version.version_id.encode())]


async def open_object(call: Call) -> Opened:
    """The version a GET or HEAD names, its preconditions met."""
    version_id = call.request.param("versionId")
    return await call.core.objects.open(
        call.who, call.bucket, call.key, version_id, conditions(call.request.headers)
    )


async def get_object(call: Call) -> Response:
    """S3 GetObject."""
    opened = await open_object(call)
    span = asked_span(call, opened.version)
    headers = object_fields(call, opened, partial=span is not None)
    if span is None:
        body = await opened.read()
        headers.append((b"content-length", b"%d" % opened.version.size))
        return Response(200, headers, body, size=opened.version.size)
    body = await opened.read(span)
    headers.append((b"content-length", b"%d" % span.size))
    headers.append((b"content-range", content_range(span, opened.version.size).encode()))
    return Response(206, headers, body, size=span.size)


async def head_object(call: Call) -> Response:
    """S3 HeadObject."""
    opened = await open_object(call)
    span = asked_span(call, opened.version)
    headers = object_fields(call, opened, partial=span is not None)
    headers.append((b"content-length", b"%d" % (opened.version.size if span is None else span.size)))
    if span is None:
        return Response(200, headers)
    headers.append((b"content-range", content_range(span, opened.version.size).encode()))
    return Response(206, headers)


def asked_span(call: Call, version: Version) -> Span | None:
    """The range a request asks for, None for everything. Raises RangeInvalid."""
    headers = call.request.headers
    asked = headers.get("range")
    if asked is None or not range_holds(headers.get("if-range"), version.etag, version.created_at):
        return None
    return parse_range(asked, version.size)


def object_fields(call: Call, opened: Opened, *, partial: bool) -> list[tuple[bytes, bytes]]:
    """The header fields that describe a version, but for its length. Part of one has no checksum."""
    version = opened.version
    meta = version.meta
    fields = [
        (b"content-type", meta.media_type.encode("latin-1", "replace") if meta.media_type else DEFAULT_TYPE),
        (b"etag", quote_etag(version.etag)),
        (b"last-modified", http_date(version.created_at // 1_000_000)),
        (b"accept-ranges", b"bytes"),
    ]
    if meta.headers:
        fields.extend(make_field(name, value) for name, value in meta.headers.items())
    if meta.user:
        fields.extend(user_metadata_fields(meta.user))
    if opened.bucket.versioning is not Versioning.OFF:
        fields.append((b"x-amz-version-id", version.version_id.encode()))
    if version.checksums.values and not partial and wants_checksums(call.request.headers):
        fields.extend(checksum_fields(version.checksums))
    return fields


async def delete_object(call: Call) -> Response:
    """S3 DeleteObject."""
    version_id = call.request.param("versionId")
    when = parse_delete_conditions(call.request.headers)
    deleted = await call.core.objects.delete(call.who, call.bucket, call.key, version_id, when)
    headers: list[tuple[bytes, bytes]] = []
    if deleted.version_id is not None:
        headers.append((b"x-amz-version-id", deleted.version_id.encode()))
    if deleted.marker:
        headers.append((b"x-amz-delete-marker", b"true"))
    return Response(204, headers)
