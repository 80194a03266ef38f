"""What a request asks for, read from its head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final

from entrepot.protocols.resumable import refusals
from entrepot.protocols.resumable.dialects import BARE, DIALECTS, PARTIAL_UPLOAD, UNNAMED, Dialect
from entrepot.protocols.resumable.fields import (
    Malformed,
    parse_boolean,
    parse_content_length,
    parse_digests,
    parse_integer,
    parse_wanted,
)
from entrepot.protocols.resumable.refusals import Refusal
from entrepot.wire.http import Headers

INTEROP: Final = "upload-draft-interop-version"


_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Kind(Enum):
    CREATE = "create"
    APPEND = "append"
    STATUS = "status"
    CANCEL = "cancel"
    OPTIONS = "options"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One request of the protocol.

    ``interim`` tells that the client named a version which is spoken here, and so understands 104. ``length`` is that
    of the whole as Upload-Length has it, ``size`` that of this body, in bytes; None where it is not told. ``empty``
    tells that there is no body for sure. Digests are by the names of ``digests``: of this body, of the whole, and the
    algorithms of those that are ``wanted``, the most preferred one first. With a ``refusal`` the rest does not count.
    """

    kind: Kind
    dialect: Dialect
    interim: bool = False
    offset: int = 0
    complete: bool = False
    length: int | None = None
    size: int | None = None
    empty: bool = False
    content_digests: Mapping[str, bytes] = field(default_factory=dict)
    repr_digests: Mapping[str, bytes] = field(default_factory=dict)
    wanted: tuple[str, ...] = ()
    refusal: Refusal | None = None


def parse(method: str, headers: Headers, *, bare: bool = False) -> Act | None:
    """The act that a request is, or None when it is not one of this protocol. Raises nothing: what is wrong with it is
    its ``refusal``.

    PATCH is always an append, and POST and PUT are creations if they say whether they are complete: so a door asks
    for requests to its uploads, and to what uploads are created at. With ``bare`` a PATCH that has no field of the
    draft is taken for the rest of the upload (``dialects.BARE``).
    """
    dialect, interim = _dialect(headers)
    if method == "PATCH":
        if bare and not interim and _is_bare(headers):
            dialect = BARE
        return _append(headers, dialect, interim=interim)
    if method in ("POST", "PUT"):
        return _create(headers, dialect, interim=interim)
    if method == "HEAD" or (method == "GET" and dialect.get):
        return _without_stray(headers, Act(kind=Kind.STATUS, dialect=dialect, interim=interim), dialect.stray_status)
    if method == "DELETE":
        return _without_stray(headers, Act(kind=Kind.CANCEL, dialect=dialect, interim=interim), dialect.stray_cancel)
    if method == "OPTIONS":
        return Act(kind=Kind.OPTIONS, dialect=dialect, interim=interim)
    return None


def _dialect(headers: Headers) -> tuple[Dialect, bool]:
    """The row for a client, and whether the client named it."""
    interop = parse_integer(headers, INTEROP)
    named = None if interop is None else DIALECTS.get(interop)
    return (UNNAMED, False) if named is None else (named, True)


def _is_bare(headers: Headers) -> bool:
    return parse_boolean(headers, UNNAMED.completeness) is None and _media_type(headers) != PARTIAL_UPLOAD


def _completeness(headers: Headers, dialect: Dialect) -> bool | None:
    said = parse_boolean(headers, dialect.completeness)
    return said if said is None else said is not dialect.inverted


def _create(headers: Headers, dialect: Dialect, *, interim: bool) -> Act | None:
    complete = _completeness(headers, dialect)
    if complete is None:
        return None
    act = Act(kind=Kind.CREATE, dialect=dialect, interim=interim, complete=complete)
    return _with_body(headers, act)


def _append(headers: Headers, dialect: Dialect, *, interim: bool) -> Act:
    act = Act(kind=Kind.APPEND, dialect=dialect, interim=interim)
    if dialect.append_type and _media_type(headers) != dialect.append_type:
        return replace(act, refusal=refusals.foreign_type(dialect.append_type))
    offset = parse_integer(headers, "upload-offset")
    if offset is None:
        offset = dialect.unsaid_offset
    if offset is None:
        return replace(act, refusal=refusals.malformed("Upload-Offset"))
    complete = _completeness(headers, dialect)
    if complete is None:
        complete = dialect.unsaid
    if complete is None:
        return replace(act, refusal=refusals.malformed("Upload-Complete"))
    return _with_body(headers, replace(act, offset=offset, complete=complete))


def _with_body(headers: Headers, act: Act) -> Act:
    """An act with what a request with a body says about it."""
    content = parse_digests(headers, "content-digest")
    if isinstance(content, Malformed):
        return replace(act, refusal=refusals.malformed(content.name))
    whole = parse_digests(headers, "repr-digest") if act.kind is Kind.CREATE else {}
    if isinstance(whole, Malformed):
        return replace(act, refusal=refusals.malformed(whole.name))
    size = parse_content_length(headers)
    return replace(
        act,
        length=parse_integer(headers, "upload-length"),
        size=size,
        empty=size == 0 or headers.lacks(_FRAMING),
        content_digests=content,
        repr_digests=whole,
        wanted=parse_wanted(headers, "want-repr-digest"),
    )


def _without_stray(headers: Headers, act: Act, names: frozenset[bytes]) -> Act:
    if headers.lacks(names):
        return act
    name = min(name.decode("ascii") for name in names if headers.raw_get(name) is not None)
    return replace(act, refusal=refusals.stray(name))


def _media_type(headers: Headers) -> str:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()
