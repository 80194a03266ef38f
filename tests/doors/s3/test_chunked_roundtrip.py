"""Whatever the chunks and however the body is cut on its way, the content comes out as it went in."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.doors.s3.bodies.chunked import decoder_for, payload_mismatch
from entrepot.doors.s3.refusal import Refusal
from entrepot.wire.http import Headers
from tests.doors.s3.framing import (
    CRC32,
    MODES,
    SIGNED,
    SIGNED_TRAILER,
    UNSIGNED_TRAILER,
    Chain,
    crc32,
    decoded,
    decoder,
    frame,
    put,
    seed_of,
)
from tests.doors.s3.signing import EMPTY, signed, verify

contents = st.lists(st.binary(min_size=1, max_size=80), max_size=6)


@pytest.mark.parametrize("mode", MODES)
@given(chunks=contents, data=st.data(), with_trailer=st.booleans())
def test_any_chunks_cut_anywhere(
    *,
    mode: str,
    chunks: list[bytes],
    data: st.DataObject,
    with_trailer: bool,
) -> None:
    content = b"".join(chunks)
    with_trailer = with_trailer and mode != SIGNED
    sent = put(mode, len(content), CRC32 if with_trailer else None)
    trailers = {CRC32: crc32(content)} if with_trailer else {}
    body = frame(sent, chunks, trailers.items())
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=12)) | {0, len(body)})
    reader = decoder(sent)
    out = b""
    for start, end in pairwise(cuts):
        for piece in reader.feed(memoryview(body)[start:end]):
            out += piece
    assert (out, dict(reader.finish())) == (content, trailers)


@pytest.mark.parametrize("mode", MODES)
@given(chunks=contents, data=st.data())
def test_no_beginning_of_a_body_is_a_body(mode: str, chunks: list[bytes], data: st.DataObject) -> None:
    content = b"".join(chunks)
    trailer = mode != SIGNED
    sent = put(mode, len(content), CRC32 if trailer else None)
    body = frame(sent, chunks, [(CRC32, crc32(content))] if trailer else [])
    # The empty line after an unsigned trailer carries nothing, and S3 does without it.
    last = len(body) - (2 if mode == UNSIGNED_TRAILER else 1)
    end = data.draw(st.integers(0, last - (mode == UNSIGNED_TRAILER)))
    with pytest.raises(Refusal) as caught:
        decoded(sent, body[:end])
    assert caught.value.code in {"IncompleteBody", "MalformedTrailerError"}
    assert caught.value.status == 400


@pytest.mark.parametrize("size", [1 << 20, (16 << 20) + 1])
@pytest.mark.parametrize("mode", MODES)
def test_large_chunks_pass_without_being_collected(mode: str, size: int) -> None:
    content = bytes(size)
    trailer = mode != SIGNED
    sent = put(mode, size, CRC32 if trailer else None)
    body = frame(sent, [content], [(CRC32, crc32(content))] if trailer else [])
    reader = decoder(sent)
    assert reader.size == size
    view = memoryview(body)
    seen = 0
    for at in range(0, len(body), 262144):
        pieces = reader.feed(view[at : at + 262144])
        assert all(isinstance(piece, memoryview) and piece.obj is body for piece in pieces), "a copy was made"
        seen += sum(map(len, pieces))
        # Nothing but a line may be held back.
        assert seen >= min(at + 262144, size) - 1024
    assert seen == size
    reader.finish()


def test_framing_that_minio_clients_send() -> None:
    """Their trailers end with LF alone, and an empty line comes before the signature."""
    content = b"hello"
    sent = put(UNSIGNED_TRAILER, 5, CRC32)
    body = b"5\r\nhello\r\n0\r\n" + f"{CRC32}:{crc32(content)}\n\r\n\r\n".encode()
    assert decoded(sent, body) == (content, {CRC32: crc32(content)})

    sent = put(SIGNED_TRAILER, 5, CRC32)
    chain = Chain(seed_of(sent))
    text = f"{CRC32}:{crc32(content)}\n"
    body = (
        f"5;chunk-signature={chain.chunk(content)}\r\nhello\r\n0;chunk-signature={chain.chunk(b'')}\r\n"
        f"{text}\r\nx-amz-trailer-signature:{chain.trailer(text.encode())}\r\n\r\n"
    ).encode()
    assert decoded(sent, body) == (content, {CRC32: crc32(content)})


def test_white_space_that_s3_allows() -> None:
    sent = put(SIGNED, 5)
    chain = Chain(seed_of(sent))
    body = (
        f"5 ; chunk-signature = {chain.chunk(b'hello')} \r\nhello\r\n0;chunk-signature={chain.chunk(b'')}\r\n\r\n"
    ).encode()
    assert decoded(sent, body) == (b"hello", {})
    sent = put(UNSIGNED_TRAILER, 5, f" {CRC32.upper()},, ")
    body = f"5 ;name=value\r\nhello\r\n0\r\n{CRC32.title()} : {crc32(b'hello')} \r\n\r\n\r\n".encode()
    assert decoded(sent, body) == (b"hello", {CRC32: crc32(b"hello")})


def test_trailer_modes_do_without_a_trailer() -> None:
    for body in (b"5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\n"):
        assert decoded(put(UNSIGNED_TRAILER, 5), body) == (b"hello", {})
    sent = put(SIGNED_TRAILER, 5)
    assert decoded(sent, frame(sent, [b"hello"])) == (b"hello", {})


# --- Bodies without framing


def test_an_unsigned_payload_needs_no_decoder() -> None:
    sent = signed("PUT", "/b/k", payload="UNSIGNED-PAYLOAD")
    assert decoder_for(verify(sent), sent.request().headers) is None
    assert decoder_for(None, Headers([(b"host", b"store.test")])) is None
    assert decoder_for(None, Headers([(b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")])) is None


@given(pieces=st.lists(st.binary(max_size=50), max_size=5), upper=st.booleans())
def test_a_hashed_payload_is_hashed_again(*, pieces: list[bytes], upper: bool) -> None:
    digest = hashlib.sha256(b"".join(pieces)).hexdigest()
    sent = signed("PUT", "/b/k", payload=digest.upper() if upper else digest)
    reader = decoder(sent)
    assert reader.size is None
    assert [reader.feed(piece) for piece in pieces] == [[piece] for piece in pieces]
    assert reader.finish() == {}

    reader = decoder(sent)
    for piece in [*pieces, b"x"]:
        reader.feed(piece)
    with pytest.raises(Refusal) as caught:
        reader.finish()
    refusal = caught.value
    assert (refusal.code, refusal.status) == ("XAmzContentSHA256Mismatch", 400)
    assert refusal.fields == {
        "ClientComputedContentSHA256": digest,
        "S3ComputedContentSHA256": hashlib.sha256(b"".join([*pieces, b"x"])).hexdigest(),
    }


def test_a_caller_that_hashes_for_itself_gets_digest_and_refusal() -> None:
    verified = verify(signed("PUT", "/b/k", payload=EMPTY.upper()))
    assert verified.sha256 == EMPTY
    assert payload_mismatch(EMPTY, "00").fields["S3ComputedContentSHA256"] == "00"


# --- Anonymous requests


def test_an_anonymous_body_may_be_framed_or_hashed() -> None:
    headers = Headers(
        [
            (b"x-amz-content-sha256", UNSIGNED_TRAILER.encode()),
            (b"x-amz-decoded-content-length", b"5"),
            (b"x-amz-trailer", CRC32.encode()),
        ]
    )
    reader = decoder_for(None, headers)
    assert reader is not None
    assert b"".join(reader.feed(f"5\r\nhello\r\n0\r\n{CRC32}:{crc32(b'hello')}\r\n\r\n".encode())) == b"hello"
    assert reader.finish() == {CRC32: crc32(b"hello")}

    reader = decoder_for(None, Headers([(b"x-amz-content-sha256", EMPTY.encode())]))
    assert reader is not None
    reader.feed(b"not empty")
    with pytest.raises(Refusal, match="XAmzContentSHA256Mismatch"):
        reader.finish()


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_an_anonymous_body_cannot_be_signed(mode: str) -> None:
    headers = Headers([(b"x-amz-content-sha256", mode.encode()), (b"x-amz-decoded-content-length", b"5")])
    with pytest.raises(Refusal) as caught:
        decoder_for(None, headers)
    assert (caught.value.code, caught.value.status) == ("AccessDenied", 403)
