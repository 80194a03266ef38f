"""What a request asks for, read from its head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple

from entrepot.digests import SIZES
from entrepot.protocols.tus import refusals
from entrepot.protocols.tus.metadata import parse_base64, parse_metadata
from entrepot.protocols.tus.refusals import VERSION, Refusal
from entrepot.wire.http import Headers

CONTENT_TYPE: Final = "application/offset+octet-stream"

CHECKSUMS: Final = ("sha1", "sha256", "crc32", "blake3")
"""The algorithms of Upload-Checksum, by tus's names, which are those of ``digests``."""

MOST_PARTS: Final = 1000
"""The partial uploads that one final upload may be made of."""

PARTIAL: Final = "partial"
FINAL: Final = "final;"

_DIGITS: Final = 18  # of a number of 64 bits


class Kind(Enum):
    CREATE = "create"
    APPEND = "append"
    STATUS = "status"
    TERMINATE = "terminate"
    OPTIONS = "options"


_KINDS: Final = {
    "POST": Kind.CREATE,
    "PATCH": Kind.APPEND,
    "HEAD": Kind.STATUS,
    "DELETE": Kind.TERMINATE,
    "OPTIONS": Kind.OPTIONS,
}


class Checksum(NamedTuple):
    algorithm: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One request of the protocol. ``length`` is that of the whole, ``size`` that of this body, in bytes; None where it
    is not told. ``carries``: the body, if there is one, is content of the upload. ``concat`` and ``metadata_text`` are
    as the client wrote them, for HEAD to repeat; ``parts`` are the URLs of which a final upload is made, absolute or
    relative. With a ``refusal`` the rest does not count.
    """

    kind: Kind
    offset: int = 0
    length: int | None = None
    size: int | None = None
    carries: bool = False
    checksum: Checksum | None = None
    concat: str = ""
    parts: tuple[str, ...] = ()
    metadata: Mapping[str, bytes] = field(default_factory=dict)
    metadata_text: str = ""
    refusal: Refusal | None = None


def is_tus(headers: Headers) -> bool:
    """Whether a client speaks tus, at a URL where others may speak something else."""
    return "tus-resumable" in headers


def parse(method: str, headers: Headers) -> Act | None:
    """The act that a request is, or None for a method that is none of tus's (GET). Raises nothing: what is wrong with
    it is its ``refusal``.
    """
    kind = _KINDS.get((headers.get("x-http-method-override") or method).strip().upper())
    if kind is None:
        return None
    act = Act(kind=kind)
    if kind is Kind.OPTIONS:
        return act
    if _only(headers, "tus-resumable") != VERSION:
        return replace(act, refusal=refusals.other_version())
    if kind is Kind.CREATE:
        made = _create(headers)
    elif kind is Kind.APPEND:
        made = _append(headers)
    else:
        return act
    return replace(act, refusal=made) if isinstance(made, Refusal) else made


def _create(headers: Headers) -> Act | Refusal:
    text = _only(headers, "upload-metadata") if "upload-metadata" in headers else ""
    metadata = None if text is None else parse_metadata(text)
    if text is None or metadata is None:
        return refusals.malformed("Upload-Metadata", "has to be unique keys, each with a value in Base64")
    act = Act(kind=Kind.CREATE, size=_size(headers), metadata=metadata, metadata_text=text)
    concat = _only(headers, "upload-concat")
    if concat is None and "upload-concat" in headers:
        return _bad_concat()
    if concat is not None and concat != PARTIAL:
        return _final(headers, act, concat)
    length = _length(headers)
    if isinstance(length, Refusal):
        return length
    if length is None and "upload-defer-length" not in headers:
        return refusals.malformed("Upload-Length", "has to be there, or Upload-Defer-Length")
    if "upload-defer-length" in headers and (length is not None or _only(headers, "upload-defer-length") != "1"):
        return refusals.malformed("Upload-Defer-Length", "has to be 1, and stands instead of Upload-Length")
    return _with_body(headers, replace(act, length=length, concat=concat or ""))


def _final(headers: Headers, act: Act, concat: str) -> Act | Refusal:
    parts = tuple(concat.removeprefix(FINAL).split())
    printable = concat.isascii() and concat.isprintable()
    if not printable or not concat.startswith(FINAL) or not 0 < len(parts) <= MOST_PARTS:
        return _bad_concat()
    if "upload-length" in headers:
        return refusals.malformed("Upload-Length", "must not be given for a final upload: it follows from the parts")
    if act.size:
        return refusals.final()
    return replace(act, concat=concat, parts=parts)


def _append(headers: Headers) -> Act | Refusal:
    if _media_type(headers) != CONTENT_TYPE:
        return refusals.foreign_type()
    offset = _number(_only(headers, "upload-offset"))
    if offset is None:
        return refusals.malformed("Upload-Offset", "has to be a number of bytes")
    length = _length(headers)
    if isinstance(length, Refusal):
        return length
    return _with_body(headers, Act(kind=Kind.APPEND, offset=offset, length=length, size=_size(headers)))


def _with_body(headers: Headers, act: Act) -> Act | Refusal:
    carries = _media_type(headers) == CONTENT_TYPE
    if not carries and (act.size or "transfer-encoding" in headers):
        return refusals.foreign_type()
    checksum = _checksum(headers) if carries else None
    return checksum if isinstance(checksum, Refusal) else replace(act, carries=carries, checksum=checksum)


def _checksum(headers: Headers) -> Checksum | Refusal | None:
    if "upload-checksum" not in headers:
        return None
    algorithm, _, text = (_only(headers, "upload-checksum") or "").partition(" ")
    if algorithm not in CHECKSUMS:
        return refusals.malformed("Upload-Checksum", f"has to be of one of {', '.join(CHECKSUMS)}")
    value = parse_base64(text.strip())
    if value is None or len(value) != SIZES[algorithm]:
        return refusals.malformed("Upload-Checksum", f"has to be {SIZES[algorithm]} bytes in Base64 for {algorithm}")
    return Checksum(algorithm, value)


def _bad_concat() -> Refusal:
    return refusals.malformed("Upload-Concat", f"has to be partial, or final; with up to {MOST_PARTS} URLs")


def _length(headers: Headers) -> int | Refusal | None:
    """Upload-Length, None if it is not there."""
    if "upload-length" not in headers:
        return None
    length = _number(_only(headers, "upload-length"))
    return refusals.malformed("Upload-Length", "has to be a number of bytes") if length is None else length


def _size(headers: Headers) -> int | None:
    return _number(_only(headers, "content-length"))


def _number(text: str | None) -> int | None:
    sound = text is not None and text.isascii() and text.isdigit() and len(text) <= _DIGITS
    return int(text) if text is not None and sound else None


def _only(headers: Headers, name: str) -> str | None:
    """The value of a field that stands there once."""
    values = headers.all(name)
    return values[0].strip() if len(values) == 1 else None


def _media_type(headers: Headers) -> str:
    return (headers.get("content-type") or "").partition(";")[0].strip().lower()
