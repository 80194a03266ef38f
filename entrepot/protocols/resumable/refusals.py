"""What is refused, and the problem document (RFC 9457) that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

import msgspec

from entrepot.protocols.resumable.dialects import (
    COMPLETED_UPLOAD,
    INCONSISTENT_LENGTH,
    MISMATCHING_OFFSET,
    PARTIAL_UPLOAD,
    Dialect,
)

_REGISTRY: Final = "https://iana.org/assignments/http-problem-types#"

_TITLES: Final = {
    MISMATCHING_OFFSET: "the offset of the request is not the offset of the upload",
    COMPLETED_UPLOAD: "the upload is complete",
    INCONSISTENT_LENGTH: "the lengths that were given for the upload contradict each other",
}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that is not done. ``problem`` is one of the registered types or empty, ``members`` are what the type
    adds to the document. ``final``: the upload has ended with this, so that there is nothing to resume.
    """

    status: int
    detail: str
    problem: str = ""
    members: Mapping[str, int] = field(default_factory=dict)
    fields: tuple[tuple[bytes, bytes], ...] = ()
    final: bool = False


def problem_document(refusal: Refusal, dialect: Dialect) -> bytes:
    """As JSON. A type that the dialect does not know yet, or no more, is ``about:blank`` (RFC 9457 §4.2.1)."""
    known = refusal.problem in dialect.problems
    return msgspec.json.encode(
        {
            "type": _REGISTRY + refusal.problem if known else "about:blank",
            "title": _TITLES[refusal.problem] if known else HTTPStatus(refusal.status).phrase,
            "status": refusal.status,
            "detail": refusal.detail,
            **refusal.members,
        }
    )


def malformed(name: str) -> Refusal:
    return Refusal(400, f"The field {name} is missing or malformed.")


def stray(name: str) -> Refusal:
    return Refusal(400, f"The field {name} does not belong to this request.")


def foreign_type(wanted: str) -> Refusal:
    return Refusal(
        415, f"What is appended has to be of the type {wanted}.", fields=((b"accept-patch", PARTIAL_UPLOAD.encode()),)
    )


def unknown() -> Refusal:
    return Refusal(404, "There is no such upload.")


def gone(dialect: Dialect) -> Refusal:
    """The upload has failed, was cancelled or expired."""
    return Refusal(dialect.gone, "The upload is no more.")


def mismatching_offset(expected: int, provided: int) -> Refusal:
    detail = f"The upload goes on at {expected}, the request begins at {provided}."
    return Refusal(409, detail, MISMATCHING_OFFSET, {"expected-offset": expected, "provided-offset": provided})


def completed() -> Refusal:
    return Refusal(400, "Nothing can be appended to a complete upload.", COMPLETED_UPLOAD)


def inconsistent_length(detail: str) -> Refusal:
    return Refusal(400, detail, INCONSISTENT_LENGTH)


def too_large(limit: int) -> Refusal:
    return Refusal(413, f"An upload has up to {limit} bytes here.")


def too_small(limit: int) -> Refusal:
    return Refusal(400, f"An upload has at least {limit} bytes here.")


def append_too_large(limit: int) -> Refusal:
    return Refusal(413, f"One request brings up to {limit} bytes here.")


def append_too_small(limit: int) -> Refusal:
    return Refusal(400, f"One request brings at least {limit} bytes here, unless it completes the upload.")


def content_mismatch() -> Refusal:
    """The content of the request is not what Content-Digest announced: nothing was appended."""
    return Refusal(400, "The content does not have the digest that was announced for it; nothing was appended.")


def representation_mismatch() -> Refusal:
    """The whole is not what Repr-Digest announced: the upload has failed."""
    return Refusal(
        400, "What was uploaded does not have the digest that was announced for it; the upload has failed.", final=True
    )
