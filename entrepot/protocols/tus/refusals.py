"""What is refused: a status of tus 1.0.0 and a line that says why."""

from __future__ import annotations

from typing import NamedTuple

VERSION = "1.0.0"

CHECKSUM_MISMATCH = 460
"""The status of the checksum extension."""


class Refusal(NamedTuple):
    status: int
    text: str
    fields: tuple[tuple[bytes, bytes], ...] = ()


def other_version() -> Refusal:
    return Refusal(412, f"Tus-Resumable has to be {VERSION}.", ((b"tus-version", VERSION.encode("ascii")),))


def malformed(name: str, hint: str) -> Refusal:
    return Refusal(400, f"{name} {hint}.")


def foreign_type() -> Refusal:
    return Refusal(415, "The body has to be of the type application/offset+octet-stream.")


def unknown() -> Refusal:
    return Refusal(404, "There is no such upload.")


def gone() -> Refusal:
    """The upload has failed, was terminated or expired, and that is still known."""
    return Refusal(410, "The upload is no more.")


def final() -> Refusal:
    return Refusal(403, "A final upload is made of others; nothing can be appended to it.")


def mismatching_offset(expected: int, provided: int) -> Refusal:
    return Refusal(409, f"The upload goes on at {expected}, the request begins at {provided}.")


def too_large(limit: int) -> Refusal:
    return Refusal(413, f"An upload has up to {limit} bytes here.")


def beyond_length(length: int) -> Refusal:
    return Refusal(413, f"The upload has {length} bytes, and there is more.")


def checksum_mismatch() -> Refusal:
    """The body is not what Upload-Checksum announced: nothing was appended."""
    return Refusal(CHECKSUM_MISMATCH, "The checksum does not match; nothing was appended.")


def not_partial() -> Refusal:
    return Refusal(400, "Only partial uploads can be concatenated.")
