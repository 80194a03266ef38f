"""Answers in the words of the draft.

What some dialect demands and none forbids is always there: the offset, the completeness, the length if it is known,
the limits if there are any, and the version that the client named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entrepot.protocols.resumable.acts import INTEROP, Act, Kind
from entrepot.protocols.resumable.dialects import PARTIAL_UPLOAD, Dialect
from entrepot.protocols.resumable.fields import make_boolean, make_dictionary, make_digests, make_integer
from entrepot.protocols.resumable.refusals import Refusal, problem_document
from entrepot.protocols.resumable.rules import NO_LIMITS, Limits, State
from entrepot.wire.headers import make_field
from entrepot.wire.http import Response

Field = tuple[bytes, bytes]

EXPOSED: Final = (
    "Location", "Upload-Offset", "Upload-Complete", "Upload-Incomplete", "Upload-Length", "Upload-Limit",
    "Upload-Draft-Interop-Version", "Repr-Digest", "Accept-Patch",
)  # fmt: skip
"""What a page of another origin has to be shown (Access-Control-Expose-Headers)."""

REQUEST_FIELDS: Final = (
    "Content-Type", "Content-Disposition", "Upload-Offset", "Upload-Complete", "Upload-Incomplete", "Upload-Length",
    "Upload-Draft-Interop-Version", "Content-Digest", "Repr-Digest", "Want-Repr-Digest",
)  # fmt: skip
"""What a page of another origin has to be let send (Access-Control-Allow-Headers)."""


def announcement(act: Act, location: str, limits: Limits = NO_LIMITS) -> list[Field] | None:
    """The fields of the first 104 to a creation: where the upload is; None where no interim answer may be sent.
    Raises ArgumentInvalid for a location that cannot be a field.
    """
    if not act.interim:
        return None
    return [make_field("location", location), *limit_fields(act.dialect, limits), *_interop(act)]


def progress(act: Act, offset: int) -> list[Field] | None:
    """The fields of a 104 that tells how much is durable by now; None where no such answer may be sent."""
    if not act.interim or not act.dialect.progress:
        return None
    return [(b"upload-offset", make_integer(offset)), *_interop(act)]


def state_fields(act: Act, state: State, limits: Limits = NO_LIMITS) -> list[Field]:
    """What every answer about an upload has, a door's own final one too."""
    fields = [(b"upload-offset", make_integer(state.offset)), completeness(act.dialect, complete=state.complete)]
    if state.length is not None:
        fields.append((b"upload-length", make_integer(state.length)))
    return [*fields, *limit_fields(act.dialect, limits), (b"cache-control", b"no-store"), *_interop(act)]


def completeness(dialect: Dialect, *, complete: bool) -> Field:
    """Whether the upload is complete; in an answer to a body, whether that is the final one (draft §4.1.2)."""
    return dialect.completeness.encode("ascii"), make_boolean(complete is not dialect.inverted)


def limit_fields(dialect: Dialect, limits: Limits, *, always: bool = False) -> list[Field]:
    """Upload-Limit. Without any limit it is left out, or says so by ``min-size=0`` if it is ``always`` wanted."""
    members = {
        "max-size": limits.max_size,
        "min-size": limits.min_size,
        "max-append-size": limits.max_append_size,
        "min-append-size": limits.min_append_size,
        dialect.age: limits.max_age,
    }
    said = {key: value for key, value in members.items() if value is not None}
    if not said and always:
        said = {"min-size": 0}
    return [(b"upload-limit", make_dictionary(said))] if said else []


def digest_fields(digests: Mapping[str, bytes]) -> list[Field]:
    """Repr-Digest of what is there so far, from digests by our names."""
    value = make_digests(digests)
    return [(b"repr-digest", value)] if value else []


def created(act: Act, location: str, state: State, limits: Limits = NO_LIMITS) -> Response:
    """The answer to a creation after which more has to come. Raises ArgumentInvalid for a location that cannot be a
    field.
    """
    return Response(201, [_EMPTY, make_field("location", location), *state_fields(act, state, limits)])


def appended(act: Act, state: State, limits: Limits = NO_LIMITS) -> Response:
    """The answer to an append after which more has to come."""
    status = act.dialect.appended
    return Response(status, [*([] if status == 204 else [_EMPTY]), *state_fields(act, state, limits)])


def told(act: Act, state: State, limits: Limits = NO_LIMITS) -> Response:
    """The answer to HEAD, or GET."""
    return Response(204, state_fields(act, state, limits))


def cancelled(act: Act) -> Response:
    return Response(204, _interop(act))


def options(act: Act, limits: Limits = NO_LIMITS) -> Response:
    """The answer to OPTIONS at something that uploads are created at. What CORS adds is the door's."""
    fields = [_EMPTY, *limit_fields(act.dialect, limits, always=True), *_interop(act)]
    if act.dialect.accept_patch:
        fields.append((b"accept-patch", PARTIAL_UPLOAD.encode("ascii")))
    return Response(200, fields)


def refused(act: Act, refusal: Refusal, state: State | None = None, limits: Limits = NO_LIMITS) -> Response:
    """A problem document. With a body that was not taken the answer is not the final one, and says so, unless the
    upload has ended with it.
    """
    document = problem_document(refusal, act.dialect)
    fields = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(document)),
        (b"cache-control", b"no-store"),
        *refusal.fields,
        *limit_fields(act.dialect, limits),
        *_interop(act),
    ]
    if act.kind in (Kind.CREATE, Kind.APPEND):
        fields.append(completeness(act.dialect, complete=refusal.final))
        if state is not None and not state.gone:
            fields.append((b"upload-offset", make_integer(state.offset)))
    return Response(refusal.status, fields, document)


_EMPTY: Final = (b"content-length", b"0")


def _interop(act: Act) -> list[Field]:
    """The version that the client named."""
    named = act.dialect.interop
    return [] if named is None else [(INTEROP.encode("ascii"), make_integer(named))]
