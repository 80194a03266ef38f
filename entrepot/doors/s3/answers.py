"""The answers that many operations give."""

from __future__ import annotations

from typing import Final

from entrepot.wire.http import Response

Fields = list[tuple[bytes, bytes]]

_XML: Final = (b"content-type", b"application/xml")


def xml(document: bytes, headers: Fields | None = None) -> Response:
    """200 with a document."""
    fields = [_XML, (b"content-length", b"%d" % len(document)), *(headers or [])]
    return Response(200, fields, document)


def done(headers: Fields | None = None) -> Response:
    """200 with nothing to say."""
    return Response(200, [(b"content-length", b"0"), *(headers or [])])
