"""Answers in the words of tus 1.0.0."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from entrepot.protocols.tus.acts import CHECKSUMS
from entrepot.protocols.tus.refusals import VERSION, Refusal
from entrepot.protocols.tus.rules import State
from entrepot.wire.dates import http_date
from entrepot.wire.headers import make_field
from entrepot.wire.http import Response

Field = tuple[bytes, bytes]

EXTENSIONS: Final = (
    "creation", "creation-with-upload", "creation-defer-length", "expiration", "checksum", "termination",
    "concatenation", "concatenation-unfinished",
)  # fmt: skip
"""What is spoken here; a door may offer less."""

EXPOSED: Final = (
    "Location", "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length", "Upload-Concat",
    "Upload-Expires", "Tus-Version", "Tus-Resumable", "Tus-Max-Size", "Tus-Extension", "Tus-Checksum-Algorithm",
)  # fmt: skip
"""What a page of another origin has to be shown (Access-Control-Expose-Headers)."""

REQUEST_FIELDS: Final = (
    "Content-Type", "Tus-Resumable", "Upload-Offset", "Upload-Length", "Upload-Metadata", "Upload-Defer-Length",
    "Upload-Concat", "Upload-Checksum", "X-HTTP-Method-Override", "X-Requested-With", "X-Request-ID",
)  # fmt: skip
"""What a page of another origin has to be let send (Access-Control-Allow-Headers)."""

METHODS: Final = ("POST", "HEAD", "PATCH", "DELETE", "OPTIONS")

RESUMABLE: Final = (b"tus-resumable", VERSION.encode("ascii"))
"""What every answer has."""

_EMPTY: Final = (b"content-length", b"0")


def created(location: str, state: State) -> Response:
    """The answer to a creation, of a final upload too. Raises ArgumentInvalid for a location that cannot be a field."""
    fields = [RESUMABLE, _EMPTY, make_field("location", location), *_expiry(state)]
    if not state.pending:
        fields.append(_offset(state))
    return Response(201, fields)


def appended(state: State) -> Response:
    """The answer to PATCH."""
    return Response(204, [RESUMABLE, _offset(state), *_expiry(state)])


def told(state: State) -> Response:
    """The answer to HEAD. Raises ArgumentInvalid if what the creation gave cannot be a field."""
    fields = [RESUMABLE, (b"cache-control", b"no-store"), *_expiry(state)]
    if not state.pending:
        fields.append(_offset(state))
    if state.length is not None:
        fields.append((b"upload-length", b"%d" % state.length))
    elif not state.pending:
        fields.append((b"upload-defer-length", b"1"))
    if state.metadata_text:
        fields.append(make_field("upload-metadata", state.metadata_text))
    if state.concat:
        fields.append(make_field("upload-concat", state.concat))
    return Response(200, fields)


def terminated() -> Response:
    return Response(204, [RESUMABLE])


def options(max_size: int | None = None, extensions: Sequence[str] = EXTENSIONS) -> Response:
    """The answer to OPTIONS. What CORS adds is the door's."""
    fields = [RESUMABLE, _EMPTY, (b"tus-version", VERSION.encode("ascii"))]
    if extensions:
        fields.append((b"tus-extension", ",".join(extensions).encode("ascii")))
    if max_size is not None:
        fields.append((b"tus-max-size", b"%d" % max_size))
    if "checksum" in extensions:
        fields.append((b"tus-checksum-algorithm", ",".join(CHECKSUMS).encode("ascii")))
    return Response(200, fields)


def refused(refusal: Refusal, state: State | None = None) -> Response:
    """A line of text. To a PATCH of an upload that expires the ``state`` adds when."""
    body = refusal.text.encode() + b"\n"
    length = (b"content-length", b"%d" % len(body))
    expiry = [] if state is None else _expiry(state)
    fields = [RESUMABLE, (b"content-type", b"text/plain; charset=utf-8"), length, *refusal.fields, *expiry]
    return Response(refusal.status, [*fields, (b"cache-control", b"no-store")], body)


def _offset(state: State) -> Field:
    return b"upload-offset", b"%d" % state.offset


def _expiry(state: State) -> list[Field]:
    """When an unfinished upload goes; one that is complete or gone does not expire."""
    if state.expires is None or state.complete or state.gone:
        return []
    return [(b"upload-expires", http_date(state.expires))]
