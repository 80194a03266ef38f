"""S3 GetObjectAttributes: what is known of an object, and nothing of its bytes."""

from __future__ import annotations

from typing import Final

from entrepot.core.objects import Opened
from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.calls import Call, parse_number, version_field
from entrepot.doors.s3.documents.outgoing import AttributeParts, Attributes, object_attributes
from entrepot.doors.s3.operations.objects import open_object
from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.storage import class_of
from entrepot.wire.dates import http_date
from entrepot.wire.http import Headers, Response

_WORDS: Final = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})
_NONE_ASKED: Final = (
    "The x-amz-object-attributes header specifying the attributes to be retrieved is either missing or empty"
)
_PAGE: Final = 1000


async def get_object_attributes(call: Call) -> Response:
    """S3 GetObjectAttributes."""
    asked = _asked(call.request.headers)
    opened = await open_object(call)
    version = opened.version
    attributes = Attributes(
        version.etag if "ETag" in asked else None,
        version.checksums if "Checksum" in asked else None,
        await _parts(call.request.headers, opened) if "ObjectParts" in asked else None,
        class_of(version.meta.headers) if "StorageClass" in asked else None,
        version.size if "ObjectSize" in asked else None,
    )
    fields = [(b"last-modified", http_date(version.created_at // 1_000_000)), *version_field(version.version_id)]
    return xml(object_attributes(attributes), fields)


def _asked(headers: Headers) -> frozenset[str]:
    name = "x-amz-object-attributes"
    if not "".join(headers.all(name)).strip():
        raise refuse("InvalidRequest", sentence=_NONE_ASKED)
    words = frozenset(word.strip() for line in headers.all(name) for word in line.split(",") if word.strip())
    if not words or not words <= _WORDS:
        raise refuse(
            "InvalidArgument", f"Name some of {', '.join(sorted(_WORDS))}.",
            sentence="Invalid attribute name specified.", ArgumentName=name,
        )  # fmt: skip
    return words


async def _parts(headers: Headers, opened: Opened) -> AttributeParts | None:
    """A page of the parts; None for an object in one piece."""
    limit = parse_number("x-amz-max-parts", headers.get("x-amz-max-parts"), 0, (1 << 31) - 1)
    limit = _PAGE if limit is None else min(limit, _PAGE)
    name = "x-amz-part-number-marker"
    marker = parse_number(name, headers.get(name), 0, (1 << 31) - 1) or 0
    parts = await opened.parts()
    if not parts:
        return None
    rest = [part for part in parts if part.number > marker]
    page = rest[:limit]
    more = page[-1].number if page and len(rest) > len(page) else None
    return AttributeParts(len(parts), page, marker, more, limit)
