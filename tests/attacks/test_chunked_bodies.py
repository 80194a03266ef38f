"""Attack cases A1 and A5 in the framing of a body: nothing but the exact body finishes."""

from __future__ import annotations

import pytest

from entrepot.doors.s3.bodies.chunked import LONGEST_LINE, decoder_for
from entrepot.doors.s3.bodies.trailers import LIMIT
from entrepot.doors.s3.refusal import Refusal
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
    rejected,
    seed_of,
)
from tests.doors.s3.signing import Sent, hmac_hex, verify

HELLO = (CRC32, crc32(b"hello"))
STEPS = [None, 1, 3]


def sent_for(mode: str, size: int | str | None = 5) -> Sent:
    return put(mode, size, None if mode == SIGNED else CRC32)


def body_of(sent: Sent, *chunks: bytes) -> bytes:
    return frame(sent, chunks, [(CRC32, crc32(b"".join(chunks)))])


# --- A1: signatures of chunks


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a1_bogus_chunk_signature_is_refused(mode: str, number: int) -> None:
    sent = sent_for(mode)
    body = body_of(sent, b"hel", b"lo")
    parts = body.split(b"chunk-signature=")
    parts[number + 1] = b"0" * 64 + parts[number + 1][64:]
    refusal = rejected(sent, b"chunk-signature=".join(parts))
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)
    assert refusal.fields["StringToSign"].startswith("AWS4-HMAC-SHA256-PAYLOAD\n")
    assert refusal.fields["SignatureProvided"] == "0" * 64


@pytest.mark.parametrize("mode", [SIGNED, SIGNED_TRAILER])
def test_a1_chunk_signature_absent_is_refused(mode: str) -> None:
    sent = sent_for(mode)
    for head in (b"5", b"5;", b"5;chunk-signature", b"5;chunk-signature=", b"5;extra=1"):
        assert rejected(sent, head + b"\r\nhello\r\n0\r\n\r\n").code == "IncompleteBody"


def test_a1_changed_content_is_refused_at_the_end_of_its_chunk() -> None:
    sent = sent_for(SIGNED)
    reader = decoder(sent)
    body = body_of(sent, b"hello")
    cut = body.index(b"hello")
    reader.feed(body[:cut])
    reader.feed(b"hell")
    with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
        reader.feed(b"O")


def test_a1_chunks_in_another_order_are_refused() -> None:
    sent = put(SIGNED, 6)
    body = frame(sent, [b"one", b"two"])
    length = len(b"3;chunk-signature=\r\none\r\n") + 64
    first, second, end = body[:length], body[length : 2 * length], body[2 * length :]
    assert decoded(sent, first + second + end)[0] == b"onetwo"
    assert rejected(sent, second + first + end).code == "SignatureDoesNotMatch"
    assert rejected(sent, first + first + end).code == "SignatureDoesNotMatch"


def test_a1_chunks_of_another_request_are_refused() -> None:
    sent, other = put(SIGNED, 5), put(SIGNED, 5).but(path="/bucket/other")
    chain = Chain(hmac_hex(b"another seed", ""))
    body = f"5;chunk-signature={chain.chunk(b'hello')}\r\nhello\r\n0;chunk-signature={chain.chunk(b'')}\r\n\r\n"
    assert rejected(sent, body.encode()).code == "SignatureDoesNotMatch"
    with pytest.raises(Refusal, match="SignatureDoesNotMatch"):
        verify(other)


@pytest.mark.parametrize("forged", ["0" * 64, "", "x"])
def test_a1_bogus_trailer_signature_is_refused(forged: str) -> None:
    sent = sent_for(SIGNED_TRAILER)
    head, _, proof = body_of(sent, b"hello").partition(b"x-amz-trailer-signature:")
    refusal = rejected(sent, head + b"x-amz-trailer-signature:" + forged.encode() + proof[64:])
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)
    assert refusal.fields["StringToSign"].startswith("AWS4-HMAC-SHA256-TRAILER\n")


def test_a1_trailer_changed_under_its_signature_is_refused() -> None:
    sent = sent_for(SIGNED_TRAILER)
    body = body_of(sent, b"hello").replace(crc32(b"hello").encode(), crc32(b"jello").encode())
    assert rejected(sent, body).code == "SignatureDoesNotMatch"


def test_a1_trailer_signature_absent_is_refused() -> None:
    sent = sent_for(SIGNED_TRAILER)
    head = body_of(sent, b"hello").partition(b"x-amz-trailer-signature:")[0]
    assert rejected(sent, head).code == "IncompleteBody"
    assert rejected(sent, head + b"\r\n").code == "IncompleteBody"


# --- A5: sizes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [None, "", "x", "-5", "+5", "5.0", "0x5", "5 5", "\xb2", "9" * 17, "5,5"])
def test_a5_decoded_content_length_is_required_and_a_number(mode: str, size: str | None) -> None:
    sent = sent_for(mode, size)
    with pytest.raises(Refusal) as caught:
        decoder_for(verify(sent), sent.request().headers)
    assert (caught.value.code, caught.value.status) == ("MissingContentLength", 411)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("announced", [0, 4, 6, 10**15])
def test_a5_wrong_decoded_content_length_is_refused(mode: str, announced: int) -> None:
    sent = sent_for(mode, announced)
    refusal = rejected(sent, body_of(sent, b"hello"))
    assert (refusal.code, refusal.status) == ("IncompleteBody", 400)
    assert refusal.fields == {"NumberBytesExpected": str(announced), "NumberBytesProvided": "5"}


@pytest.mark.parametrize("mode", MODES)
def test_a5_a_chunk_beyond_the_announced_length_is_refused_before_its_bytes(mode: str) -> None:
    sent = sent_for(mode)
    head = body_of(sent, b"hello!").partition(b"hello!")[0]
    with pytest.raises(Refusal, match="IncompleteBody"):
        decoder(sent).feed(head)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    "size",
    [
        b"",
        b"-5",
        b"+5",
        b" 5",
        b"0x5",
        b"5h",
        b"zz",
        b"5_0",
        b"5.",
        b"\xb2",
        b"5\x00",
        b"5,5",
        b"f" * 16,
        b"f" * 17,
        b"8000000000000000",
        b"1" + b"0" * 16,
        b"0" * 17,
        b"0" * 900 + b"5",
    ],
)
def test_a5_chunk_size_that_is_junk_negative_or_too_large_is_refused(size: bytes, step: int | None) -> None:
    chunk = size + b"\r\nhello\r\n0\r\n"
    refusal = rejected(put(UNSIGNED_TRAILER, 5), chunk, step)
    assert (refusal.code, refusal.status) == ("IncompleteBody", 400)
    sent = put(SIGNED, 5)
    proof = Chain(seed_of(sent)).chunk(b"hello").encode()
    assert rejected(sent, size + b";chunk-signature=" + proof + b"\r\nhello\r\n", step).code == "IncompleteBody"


@pytest.mark.parametrize("mode", MODES)
def test_a5_giant_chunk_header_line_is_refused_early(mode: str) -> None:
    reader = decoder(sent_for(mode))
    for _ in range(LONGEST_LINE):
        reader.feed(b"0")
    with pytest.raises(Refusal, match="IncompleteBody"):
        reader.feed(b"0")
    with pytest.raises(Refusal):
        decoder(sent_for(mode)).feed(b"5;" + b"x" * 10**6)
    with pytest.raises(Refusal):
        decoder(sent_for(mode)).feed(b"5;" + b"x" * LONGEST_LINE + b"\r\nhello\r\n")


# --- A5: line ends


@pytest.mark.parametrize(
    "body",
    [
        b"5\nhello\r\n0\r\n\r\n",
        b"5\rhello\r\n0\r\n\r\n",
        b"5\r\nhello0\r\n\r\n",
        b"5\r\nhello\n0\r\n\r\n",
        b"5\r\nhello\r0\r\n\r\n",
        b"5\r\nhello \r\n0\r\n\r\n",
        b"5\r\nhello\r\n\r\n0\r\n\r\n",
        b"\r\n5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\n\r\n",
        b"hello",
        b"5\r\n\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello!\r\n0\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", STEPS)
def test_a5_missing_or_wrong_line_end_is_refused(body: bytes, step: int | None) -> None:
    refusal = rejected(put(UNSIGNED_TRAILER, 5), body, step)
    assert (refusal.code, refusal.status) == ("IncompleteBody", 400)


# --- A5: the end


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("step", STEPS)
def test_a5_missing_final_chunk_is_refused(mode: str, step: int | None) -> None:
    sent = sent_for(mode)
    body = body_of(sent, b"hello")
    end = body.index(b"hello\r\n") + 7
    for cut in (end, end - 1, end - 2, end - 3, 1, 0):
        refusal = rejected(sent, body[:cut], step)
        assert (refusal.code, refusal.status) == ("IncompleteBody", 400)


@pytest.mark.parametrize("mode", MODES)
def test_a5_final_chunk_too_early_is_refused(mode: str) -> None:
    sent = sent_for(mode)
    chain = Chain(seed_of(sent))
    proofs = [b"", b""]
    if mode != UNSIGNED_TRAILER:
        proofs = [f";chunk-signature={chain.chunk(content)}".encode() for content in (b"hel", b"")]
    refusal = rejected(sent, b"3" + proofs[0] + b"\r\nhel\r\n0" + proofs[1] + b"\r\n\r\n")
    assert refusal.code == "IncompleteBody"
    assert refusal.fields == {"NumberBytesExpected": "5", "NumberBytesProvided": "3"}


@pytest.mark.parametrize("extra", [b"x", b"\r\n", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"])
@pytest.mark.parametrize("step", STEPS)
def test_a5_bytes_after_the_end_are_refused(extra: bytes, step: int | None) -> None:
    sent = sent_for(SIGNED)
    assert rejected(sent, body_of(sent, b"hello") + extra, step).code == "IncompleteBody"
    if extra == b"\r\n":
        return
    for mode in (SIGNED_TRAILER, UNSIGNED_TRAILER):
        sent = sent_for(mode)
        refusal = rejected(sent, body_of(sent, b"hello") + extra, step)
        assert refusal.code in {"IncompleteBody", "MalformedTrailerError"}


def test_a5_endless_bytes_after_the_end_are_not_kept() -> None:
    for mode in MODES:
        sent = sent_for(mode)
        reader = decoder(sent)
        reader.feed(body_of(sent, b"hello").partition(CRC32.encode())[0])
        with pytest.raises(Refusal, match="IncompleteBody" if mode == SIGNED else "MalformedTrailerError"):
            reader.feed(b"x" * (LIMIT + 1))


# --- A5: trailers


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [("x-amz-checksum-crc32c", "AAAAAA==")],
        [HELLO, HELLO],
        [HELLO, ("x-amz-meta-a", "1")],
        [("x-amz-meta-a", "1"), HELLO],
        [HELLO, ("bonus", "1")],
        [("x-amz-acl", "public-read")],
        [("", "x")],
        [HELLO, ("x-amz-checksum-sha256", "x")],
    ],
)
@pytest.mark.parametrize("mode", [SIGNED_TRAILER, UNSIGNED_TRAILER])
def test_a5_trailer_not_announced_missing_extra_or_repeated_is_refused(
    mode: str,
    lines: list[tuple[str, str]],
) -> None:
    sent = sent_for(mode)
    refusal = rejected(sent, frame(sent, [b"hello"], lines))
    assert (refusal.code, refusal.status) == ("MalformedTrailerError", 400)
    if lines:
        sent = put(mode, 5)
        assert rejected(sent, frame(sent, [b"hello"], lines)).code == "MalformedTrailerError"


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b"no colon\r\n\r\n", "MalformedTrailerError"),
        (b"x-amz-checksum-crc32\r\n\r\n", "MalformedTrailerError"),
        (b"x-amz-checksum-crc32: \xff\r\n\r\n", "MalformedTrailerError"),
        (b"\r\nx-amz-checksum-crc32:NhCmhg==\r\n", "MalformedTrailerError"),
        (b"x-amz-checksum-crc32:NhCmhg==\r\n\r\nbonus:1\r\n", "MalformedTrailerError"),
        (b"x-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:0\r\n\r\n", "MalformedTrailerError"),
        (b"x-amz-checksum-crc32:NhCmhg==", "IncompleteBody"),
        (b"x-amz-checksum-crc32:NhCmhg==\n", "IncompleteBody"),
        (b"x-amz-checksum-crc32:NhCmhg==\r", "IncompleteBody"),
        (b"x-amz-checksum-crc32:NhCmhg==\r\n\r", "IncompleteBody"),
        (b"x-amz-checksum-crc32:Nh\rCmhg==\r\n\r\n", "MalformedTrailerError"),
    ],
)
def test_a5_trailer_that_is_malformed_is_refused(tail: bytes, code: str) -> None:
    sent = sent_for(UNSIGNED_TRAILER)
    assert decoded(sent, b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n") == (b"hello", dict([HELLO]))
    assert rejected(sent, b"5\r\nhello\r\n0\r\n" + tail).code == code


@pytest.mark.parametrize(
    "names",
    [
        "x-amz-meta-a",
        "content-md5",
        "x-amz-content-sha256",
        "x-amz-checksum-bad",
        ",x-amz-checksum-crc32",
        "x",
        "x-amz-checksum-crc32, ,",
        "x-amz-checksum-crc32,x-amz-meta-a",
        "x-amz-checksum-crc32,x-amz-checksum-sha1",
        "x-amz-checksum-crc32,x-amz-checksum-crc32",
        "x-amz-trailer-signature",
        "x-amz-checksum-\xe9",
    ],
)
def test_a5_announcement_of_anything_but_one_checksum_is_refused(names: str) -> None:
    sent = put(UNSIGNED_TRAILER, 5, names)
    with pytest.raises(Refusal) as caught:
        decoder_for(verify(sent), sent.request().headers)
    assert (caught.value.code, caught.value.status) == ("InvalidRequest", 400)


def test_a5_trailer_larger_than_its_limit_is_refused() -> None:
    sent = sent_for(UNSIGNED_TRAILER)
    refusal = rejected(sent, b"5\r\nhello\r\n0\r\n" + b"a:" + b"x" * LIMIT + b"\r\n\r\n")
    assert refusal.code == "MalformedTrailerError"
