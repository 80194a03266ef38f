"""A plain client-side encoder of aws-chunked bodies, and the requests that announce them."""

from __future__ import annotations

import base64
import hashlib
import zlib
from collections.abc import Iterable, Sequence

from entrepot.doors.s3.bodies.chunked import Decoder, decoder_for
from entrepot.doors.s3.refusal import Refusal
from tests.doors.s3.signing import (
    EMPTY,
    REGION,
    STAMP,
    Sent,
    hmac_hex,
    signed,
    signing_key,
    verify,
)

CRC32 = "x-amz-checksum-crc32"
SIGNED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNED_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
MODES = [SIGNED, SIGNED_TRAILER, UNSIGNED_TRAILER]


def crc32(content: bytes) -> str:
    return base64.b64encode(zlib.crc32(content).to_bytes(4, "big")).decode()


def put(mode: str, size: int | str | None, trailer: str | None = None) -> Sent:
    """A signed PutObject that announces a framed body."""
    headers = [("content-encoding", "aws-chunked")]
    if size is not None:
        headers.append(("x-amz-decoded-content-length", str(size)))
    if trailer is not None:
        headers.append(("x-amz-trailer", trailer))
    return signed("PUT", "/bucket/key", headers=headers, payload=mode)


def seed_of(sent: Sent) -> str:
    return dict(sent.headers)["authorization"].rpartition("Signature=")[2]


def decoder(sent: Sent) -> Decoder:
    """The decoder of a request that must have one."""
    found = decoder_for(verify(sent), sent.request().headers)
    assert found is not None
    return found


class Chain:
    """Chunk signatures as a client makes them."""

    def __init__(self, seed: str, stamp: str = STAMP) -> None:
        self.previous = seed
        self.context = f"{stamp}\n{stamp[:8]}/{REGION}/s3/aws4_request"
        self.key = signing_key(stamp)

    def chunk(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        return self._next(f"AWS4-HMAC-SHA256-PAYLOAD\n{self.context}\n{self.previous}\n{EMPTY}\n{digest}")

    def trailer(self, text: bytes) -> str:
        digest = hashlib.sha256(text).hexdigest()
        return self._next(f"AWS4-HMAC-SHA256-TRAILER\n{self.context}\n{self.previous}\n{digest}")

    def _next(self, text: str) -> str:
        self.previous = hmac_hex(self.key, text)
        return self.previous


def frame(sent: Sent, chunks: Sequence[bytes], trailers: Iterable[tuple[str, str]] = ()) -> bytes:
    """The body of a request in its own mode; the final empty chunk is added."""
    mode = dict(sent.headers)["x-amz-content-sha256"]
    chain = None if mode == UNSIGNED_TRAILER else Chain(seed_of(sent))
    body = b""
    for chunk in [*chunks, b""]:
        head = b"%x" % len(chunk)
        if chain is not None:
            head += b";chunk-signature=" + chain.chunk(chunk).encode()
        body += head + b"\r\n" + chunk + (b"\r\n" if chunk else b"")
    if mode != SIGNED:
        body += b"".join(f"{name}:{value}\r\n".encode() for name, value in trailers)
    if mode == SIGNED_TRAILER and chain is not None:
        text = "".join(f"{name}:{value}\n" for name, value in trailers).encode() or b"\n"
        body += f"x-amz-trailer-signature:{chain.trailer(text)}\r\n".encode()
    return body + b"\r\n"


def decoded(sent: Sent, body: bytes, step: int | None = None) -> tuple[bytes, dict[str, str]]:
    """Content and trailers of a body that arrives ``step`` bytes at a time."""
    reader = decoder(sent)
    step = step or max(len(body), 1)
    content = b"".join(bytes(piece) for at in range(0, len(body), step) for piece in reader.feed(body[at : at + step]))
    return content, dict(reader.finish())


def rejected(sent: Sent, body: bytes, step: int | None = None) -> Refusal:
    """The refusal that a body must meet, at the latest at its end."""
    try:
        content, trailers = decoded(sent, body, step)
    except Refusal as refusal:
        return refusal
    raise AssertionError(f"accepted {len(content)} bytes with {trailers}")
