"""Trailers of aws-chunked bodies: what a request announces, and what comes after the last chunk.

The framing resembles that of RFC 9112 §7.1 but is S3's own, inside of the body. Lines end with
CRLF; the signers of MinIO end a trailer with LF and put an empty line after it, so that is read too.
"""

from __future__ import annotations

import re
from typing import Final

from entrepot.doors.s3.refusal import refuse
from entrepot.wire.http import Headers

LIMIT: Final = 16 * 1024
"""Bytes that may come after the last chunk."""

SIGNATURE: Final = "x-amz-trailer-signature"
_SUPPORTED: Final = frozenset(
    f"x-amz-checksum-{algorithm}" for algorithm in ("crc32", "crc32c", "crc64nvme", "sha1", "sha256")
)
_TRAILER: Final = re.compile(rb"((?:[^\r\n]+\r\n|(?:[^\r\n]+\n)+\r\n)*+)((?:\r\n)*)")


def announced(headers: Headers) -> frozenset[str]:
    """The trailer that ``x-amz-trailer`` announces, if any; raises Refusal unless it is one checksum."""
    names = ",".join(headers.all("x-amz-trailer")).strip().lower().split(",")
    while names and not names[-1]:
        names.pop()
    found = frozenset(name.strip() for name in names)
    if not found <= _SUPPORTED:
        raise refuse("InvalidRequest", "The value specified in the x-amz-trailer header is not supported")
    if len(names) > 1:
        raise refuse("InvalidRequest", "x-amz-trailer may announce a single checksum.")
    return found


class Trailers:
    """What came after the last chunk: the fields in order, and whether an empty line closed them."""

    __slots__ = ("closed", "fields", "signature")

    def __init__(self, raw: bytes) -> None:
        """Raises Refusal: IncompleteBody when it was cut off, MalformedTrailerError else."""
        match = _TRAILER.fullmatch(raw)
        if match is None:
            if raw.endswith(b"\r\n"):
                raise refuse("MalformedTrailerError")
            raise refuse("IncompleteBody", "The body ends inside of its trailer.")
        lines, end = match.groups()
        self.closed = bool(end)
        self.fields = [_field(line) for line in lines.splitlines() if line]
        self.signature: str | None = None
        if self.fields and self.fields[-1][0] == SIGNATURE:
            self.signature = self.fields.pop()[1]

    def signed_text(self) -> bytes:
        """What the signature of the trailer is over: ``name:value`` lines that end with LF."""
        text = "".join(f"{name}:{value}\n" for name, value in self.fields)
        return text.encode("ascii") or b"\n"

    def checked(self, names: frozenset[str]) -> dict[str, str]:
        """Values by name; raises Refusal unless every announced name, and no other, came once."""
        found = dict(self.fields)
        if len(found) != len(self.fields) or found.keys() != names:
            raise refuse("MalformedTrailerError")
        return found


def _field(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not line.isascii():
        raise refuse("MalformedTrailerError")
    return name.decode("ascii").strip().lower(), value.decode("ascii").strip()
