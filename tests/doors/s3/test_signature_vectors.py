"""The worked examples that AWS publishes for Signature Version 4 in S3."""

from __future__ import annotations

import hashlib

import pytest

from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing.signature import Payload
from tests.doors.s3.signing import EMPTY, KEY, NOW, SECRET, STAMP, Sent, refused, verify

HOST = "examplebucket.s3.amazonaws.com"
SCOPE = f"{KEY}/20130524/us-east-1/s3/aws4_request"


def example(method: str, path: str, query: str, headers: list[tuple[str, str]], proof: str) -> Sent:
    every = [("host", HOST), ("x-amz-date", STAMP), *headers]
    names = ";".join(sorted(name for name, _ in every))
    credentials = f"AWS4-HMAC-SHA256 Credential={SCOPE},SignedHeaders={names},Signature={proof}"
    return Sent(method, path, query, [*every, ("authorization", credentials)])


WELCOME = hashlib.sha256(b"Welcome to Amazon S3.").hexdigest()
IN_HEADER = {
    "get object": example(
        "GET",
        "/test.txt",
        "",
        [("range", "bytes=0-9"), ("x-amz-content-sha256", EMPTY)],
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": example(
        "PUT",
        "/test%24file.text",
        "",
        [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ("x-amz-content-sha256", WELCOME),
        ],
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get lifecycle": example(
        "GET",
        "/",
        "lifecycle",
        [("x-amz-content-sha256", EMPTY)],
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": example(
        "GET",
        "/",
        "max-keys=2&prefix=J",
        [("x-amz-content-sha256", EMPTY)],
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}
PRESIGNED = Sent(
    "GET",
    "/test.txt",
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2F"
    "aws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
    "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
    [("host", HOST)],
)


@pytest.mark.parametrize("name", sorted(IN_HEADER))
def test_published_example_in_header(name: str) -> None:
    sent = IN_HEADER[name]
    verified = verify(sent)
    assert verified.access_key == KEY
    assert verified.mode is Payload.HASHED
    assert verified.sha256 == dict(sent.headers)["x-amz-content-sha256"]
    assert (verified.scope, verified.timestamp) == (SCOPE.removeprefix(KEY + "/").encode(), STAMP.encode())
    assert verified.signature.decode() in dict(sent.headers)["authorization"]


@pytest.mark.parametrize("name", sorted(IN_HEADER))
def test_published_example_needs_its_own_secret(name: str) -> None:
    assert refused(IN_HEADER[name], secret=SECRET + "x").code == "SignatureDoesNotMatch"


def test_published_example_presigned() -> None:
    verified = verify(PRESIGNED)
    assert verified.mode is Payload.UNSIGNED
    assert verified.sha256 is None


def test_published_example_presigned_until_its_last_second() -> None:
    verify(PRESIGNED, now=NOW + 86400)
    refusal = refused(PRESIGNED, now=NOW + 86401)
    assert (refusal.code, refusal.status, refusal.message) == ("AccessDenied", 403, "Request has expired")
    assert refusal.fields == {
        "X-Amz-Expires": "86400",
        "Expires": "2013-05-25T00:00:00Z",
        "ServerTime": "2013-05-25T00:00:01Z",
    }


def test_mismatch_shows_the_published_texts() -> None:
    sent = IN_HEADER["get object"]
    with pytest.raises(Refusal) as caught:
        verify(sent.changed("authorization", "Signature=f0", "Signature=00"))
    refusal = caught.value
    assert (refusal.code, refusal.status) == ("SignatureDoesNotMatch", 403)
    fields = refusal.fields
    assert fields["CanonicalRequest"] == (
        f"GET\n/test.txt\n\nhost:{HOST}\nrange:bytes=0-9\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{STAMP}\n\n"
        f"host;range;x-amz-content-sha256;x-amz-date\n{EMPTY}"
    )
    assert fields["StringToSign"] == (
        f"AWS4-HMAC-SHA256\n{STAMP}\n20130524/us-east-1/s3/aws4_request\n"
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972"
    )
    assert bytes.fromhex(fields["CanonicalRequestBytes"]).decode() == fields["CanonicalRequest"]
    assert bytes.fromhex(fields["StringToSignBytes"]).decode() == fields["StringToSign"]
    assert fields["StringToSignBytes"].startswith("41 57 53 34 ")
    assert fields["AWSAccessKeyId"] == KEY
    assert fields["SignatureProvided"].startswith("00e8bdb8")
    assert "f0e8bdb87c964420" not in "".join(fields.values()), "the right signature must not be told"
