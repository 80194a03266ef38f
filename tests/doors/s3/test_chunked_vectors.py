"""The worked examples that AWS publishes for signed chunks, and bodies framed by botocore."""

from __future__ import annotations

import io

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum, CrtCrc64NvmeChecksum
from hypothesis import given
from hypothesis import strategies as st

from entrepot.doors.s3.bodies.chunked import decoder_for
from entrepot.doors.s3.refusal import Refusal
from tests.doors.s3.framing import CRC32, UNSIGNED_TRAILER, crc32, decoded, put
from tests.doors.s3.signing import KEY, STAMP, Sent, verify

COMMON = [
    ("host", "s3.amazonaws.com"),
    ("x-amz-date", STAMP),
    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
    ("content-encoding", "aws-chunked"),
    ("x-amz-decoded-content-length", "66560"),
]
CONTENT = b"a" * 66560


def example(headers: list[tuple[str, str]], proof: str) -> Sent:
    every = [*COMMON, *headers]
    names = ";".join(sorted(name for name, _ in every))
    scope = f"{KEY}/20130524/us-east-1/s3/aws4_request"
    credentials = f"AWS4-HMAC-SHA256 Credential={scope},SignedHeaders={names},Signature={proof}"
    return Sent("PUT", "/examplebucket/chunkObject.txt", "", [*every, ("authorization", credentials)])


CHUNKS = example(
    [("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("content-length", "66824")],
    "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
)
CHUNKS_BODY = (
    b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
    + CONTENT[:65536]
    + b"\r\n400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
    + CONTENT[65536:]
    + b"\r\n0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
)
TRAILER = example(
    [
        ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        ("x-amz-trailer", "x-amz-checksum-crc32c"),
    ],
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
)
TRAILER_BODY = (
    b"10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n"
    + CONTENT[:65536]
    + b"\r\n400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n"
    + CONTENT[65536:]
    + b"\r\n0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n"
    b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
)


@pytest.mark.parametrize("step", [None, 1, 7, 4096])
def test_published_example_of_signed_chunks(step: int | None) -> None:
    assert len(CHUNKS_BODY) == int(dict(CHUNKS.headers)["content-length"])
    assert decoded(CHUNKS, CHUNKS_BODY, step) == (CONTENT, {})


@pytest.mark.parametrize("step", [None, 1, 7, 4096])
def test_published_example_of_signed_chunks_with_trailer(step: int | None) -> None:
    assert decoded(TRAILER, TRAILER_BODY, step) == (CONTENT, {"x-amz-checksum-crc32c": "sOO8/Q=="})


def test_published_example_of_signed_chunks_with_one_byte_changed() -> None:
    """Every byte of the body matters, wherever it is; a few hundred of them are tried."""
    for sent, body in ((CHUNKS, CHUNKS_BODY), (TRAILER, TRAILER_BODY)):
        for at in [*range(120), *range(60000, 66300, 331), *range(len(body) - 320, len(body))]:
            changed = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
            with pytest.raises(Refusal) as caught:
                decoded(sent, changed)
            assert caught.value.code in {"SignatureDoesNotMatch", "IncompleteBody", "MalformedTrailerError"}, at


@given(content=st.binary(max_size=400), chunk=st.integers(1, 150), step=st.integers(1, 200))
def test_bodies_framed_by_botocore(content: bytes, chunk: int, step: int) -> None:
    for checksum, name in ((Crc32Checksum, CRC32), (CrtCrc64NvmeChecksum, "x-amz-checksum-crc64nvme")):
        framed = AwsChunkedWrapper(io.BytesIO(content), checksum, name, chunk).read()
        found, trailers = decoded(put(UNSIGNED_TRAILER, len(content), name), framed, step)
        assert found == content
        assert trailers.keys() == {name}
        if name == CRC32:
            assert trailers[name] == crc32(content)


def test_published_examples_need_their_decoder() -> None:
    for sent in (CHUNKS, TRAILER):
        reader = decoder_for(verify(sent), sent.request().headers)
        assert reader is not None
        assert reader.size == 66560
