"""Bodies as S3 clients frame and sign them: bytes in as they arrive, content out, no I/O.

A decoder hands content on at once and judges it when it can: at the end of a chunk, or of the body.
So nothing may be published before :meth:`Decoder.finish` returned. A decoder that raised is spent.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final, Protocol

from entrepot.doors.s3.bodies import trailers
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing.authorization import Payload, payload_mode
from entrepot.doors.s3.signing.signature import Verified, mismatch, sign
from entrepot.wire.http import Buffer, Headers

LONGEST_LINE: Final = 1024
"""Bytes of the line before a chunk, its end included."""

_EMPTY_SHA256: Final = hashlib.sha256().hexdigest().encode()
_SIGNED: Final = re.compile(
    rb"([0-9A-Fa-f]{1,16})[ \t]*;[ \t]*chunk-signature[ \t]*=[ \t]*([^ \t;]+)[ \t]*\r\n",
)
# An extension is allowed and means nothing (RFC 9112 §7.1.1).
_UNSIGNED: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")
_SIZE: Final = re.compile(r"[0-9]{1,16}")

# What a ChunkedDecoder reads when it is not inside of a chunk.
_HEAD: Final = "the line before a chunk"
_AFTER: Final = "the line end after the bytes of a chunk"
_TAIL: Final = "what follows the last chunk"


class Decoder(Protocol):
    """One body on its way in."""

    @property
    def size(self) -> int | None:
        """Bytes of content, when the request announces them in a way that this decoder enforces."""
        ...

    def feed(self, data: Buffer) -> list[Buffer]:
        """The content in ``data``, as views of it; raises Refusal."""
        ...

    def finish(self) -> Mapping[str, str]:
        """Judge the body as a whole: trailers by lower-case name, or Refusal."""
        ...


def decoder_for(verified: Verified | None, headers: Headers) -> Decoder | None:
    """The decoder for a body, or None when its bytes are the content and nothing is signed of them.

    ``verified`` is None for an anonymous request, which may be framed but has no key to sign
    chunks with. A caller that computes the SHA-256 of the content itself needs no decoder for
    ``Payload.HASHED``: it compares with ``verified.sha256`` and raises :func:`payload_mismatch`.
    """
    if verified is not None:
        mode, sha256 = verified.mode, verified.sha256
    else:
        value = headers.raw_get(b"x-amz-content-sha256")
        mode = Payload.UNSIGNED if value is None else payload_mode(value)
        sha256 = value.decode().lower() if value is not None and mode is Payload.HASHED else None
    if mode is Payload.UNSIGNED:
        return None
    if sha256 is not None:
        return HashedDecoder(sha256)
    if mode is Payload.UNSIGNED_TRAILER:
        return ChunkedDecoder(_announced_size(headers), None, trailers.announced(headers))
    if verified is None:
        raise refuse("AccessDenied", "Signed chunks need a signed request.")
    names = trailers.announced(headers) if mode is Payload.CHUNKS_TRAILER else None
    return ChunkedDecoder(_announced_size(headers), verified, names)


def _announced_size(headers: Headers) -> int:
    value = headers.get("x-amz-decoded-content-length") or ""
    if not _SIZE.fullmatch(value):
        raise refuse("MissingContentLength", "The x-amz-decoded-content-length header must tell the size.")
    return int(value)


def payload_mismatch(signed: str, computed: str) -> Refusal:
    """A body whose SHA-256 is not the one that was signed; both in hex."""
    return refuse(
        "XAmzContentSHA256Mismatch",
        ClientComputedContentSHA256=signed,
        S3ComputedContentSHA256=computed,
    )


class HashedDecoder:
    """A body that is content as it is, with its SHA-256 signed beforehand."""

    __slots__ = ("_digest", "_sha256")

    size: int | None = None

    def __init__(self, sha256: str) -> None:
        self._sha256 = sha256
        self._digest = hashlib.sha256()

    def feed(self, data: Buffer) -> list[Buffer]:
        self._digest.update(data)
        return [data]

    def finish(self) -> Mapping[str, str]:
        computed = self._digest.hexdigest()
        if not hmac.compare_digest(computed, self._sha256):
            raise payload_mismatch(self._sha256, computed)
        return {}


class ChunkedDecoder:
    """An aws-chunked body: ``size in hex [;chunk-signature=…] CRLF, bytes, CRLF``, …, size 0, trailer.

    ``size`` is the announced length of the content, held against every chunk before its bytes are
    accepted. ``verified`` is given when chunks are signed; ``names`` are the trailers announced,
    None when this framing has no trailer.
    """

    __slots__ = ("_chain", "_left", "_line", "_names", "_received", "_state", "_tail", "size")

    def __init__(self, size: int, verified: Verified | None, names: frozenset[str] | None) -> None:
        self.size = size
        self._chain = None if verified is None else _Chain(verified)
        self._names = names
        self._received = 0
        self._left = 0
        self._line = b""
        self._tail = bytearray()
        self._state = _HEAD

    def feed(self, data: Buffer) -> list[Buffer]:
        view = memoryview(data)
        at, end = 0, len(view)
        content: list[Buffer] = []
        while at < end:
            if self._left:
                piece = view[at : at + self._left]
                at += len(piece)
                self._take(piece)
                content.append(piece)
            elif self._state is _TAIL:
                self._keep(view[at:])
                break
            else:
                at += self._read_line(view[at : at + LONGEST_LINE])
        return content

    def finish(self) -> Mapping[str, str]:
        if self._state is not _TAIL:
            raise self._incomplete()
        tail = bytes(self._tail)
        if self._names is None:
            if tail != b"\r\n":
                raise _broken("The last chunk must be followed by an empty line, and nothing more.")
            return {}
        trailer = trailers.Trailers(tail)
        if self._chain is not None:
            if trailer.signature is None:
                raise refuse("IncompleteBody", "The trailer has no x-amz-trailer-signature.")
            self._chain.check_trailer(trailer.signed_text(), trailer.signature.encode("ascii"))
            if not trailer.closed:
                raise refuse("IncompleteBody", "The trailer does not end with an empty line.")
        elif trailer.signature is not None:
            raise refuse("MalformedTrailerError")
        return trailer.checked(self._names)

    def _take(self, piece: memoryview) -> None:
        self._left -= len(piece)
        if self._chain is not None:
            self._chain.update(piece)
            if not self._left:
                self._chain.check_chunk()

    def _keep(self, rest: memoryview) -> None:
        if len(self._tail) + len(rest) > (2 if self._names is None else trailers.LIMIT):
            if self._names is None:
                raise _broken("There are bytes after the last chunk.")
            raise refuse("MalformedTrailerError")
        self._tail += rest

    def _read_line(self, window: memoryview) -> int:
        """Take a line, or what there is of it, and say how many bytes that was."""
        found = bytes(window).find(b"\n")
        taken = len(window) if found < 0 else found + 1
        self._line += window[:taken]
        if len(self._line) > LONGEST_LINE:
            raise _broken("The line before a chunk is too long.")
        if found >= 0:
            line, self._line = self._line, b""
            if self._state is _HEAD:
                self._begin_chunk(line)
            elif line == b"\r\n":
                self._state = _HEAD
            else:
                raise _broken("The bytes of a chunk are not followed by CRLF.")
        return taken

    def _begin_chunk(self, line: bytes) -> None:
        match = (_UNSIGNED if self._chain is None else _SIGNED).fullmatch(line)
        if match is None:
            raise _broken("The line before a chunk is malformed.")
        size = int(match[1], 16)
        if self._received + size > self.size or (not size and self._received != self.size):
            raise self._incomplete(size)
        self._received += size
        self._left = size
        self._state = _AFTER if size else _TAIL
        if self._chain is not None:
            self._chain.begin(match[2])
            if not size:
                self._chain.check_chunk()

    def _incomplete(self, more: int = 0) -> Refusal:
        return refuse(
            "IncompleteBody",
            NumberBytesExpected=str(self.size),
            NumberBytesProvided=str(self._received - self._left + more),
        )


class _Chain:
    """Signatures of chunks, each over the one before."""

    __slots__ = ("_access_key", "_context", "_digest", "_key", "_previous", "_provided")

    def __init__(self, verified: Verified) -> None:
        self._access_key = verified.access_key
        self._key = verified.key
        self._context = b"\n" + verified.timestamp + b"\n" + verified.scope + b"\n"
        self._previous = verified.signature
        self._provided = b""
        self._digest = hashlib.sha256()

    def begin(self, signature: bytes) -> None:
        self._provided = signature
        self._digest = hashlib.sha256()

    def update(self, piece: memoryview) -> None:
        self._digest.update(piece)

    def check_chunk(self) -> None:
        digest = self._digest.hexdigest().encode()
        self._check(b"AWS4-HMAC-SHA256-PAYLOAD", _EMPTY_SHA256 + b"\n" + digest, self._provided)

    def check_trailer(self, text: bytes, signature: bytes) -> None:
        self._check(b"AWS4-HMAC-SHA256-TRAILER", hashlib.sha256(text).hexdigest().encode(), signature)

    def _check(self, kind: bytes, digests: bytes, provided: bytes) -> None:
        to_sign = kind + self._context + self._previous + b"\n" + digests
        if not hmac.compare_digest(sign(self._key, to_sign), provided):
            raise mismatch(self._access_key, provided, to_sign)
        self._previous = provided


def _broken(text: str) -> Refusal:
    return refuse("IncompleteBody", text)
