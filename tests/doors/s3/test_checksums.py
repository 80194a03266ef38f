"""Checksums as requests announce them and as answers tell them."""

from __future__ import annotations

from base64 import b64encode

import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.digests import SIZES, digest_of
from entrepot.doors.s3.bodies import checksums as cs
from entrepot.doors.s3.refusal import Refusal
from entrepot.model import NO_CHECKSUMS, Checksums
from entrepot.wire.http import Headers


def headers(*fields: tuple[str, str]) -> Headers:
    return Headers([(name.encode(), value.encode("latin-1")) for name, value in fields])


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.raises(Refusal, match=f"^{code}:")


CRC32 = ("x-amz-checksum-crc32", "y/Q5Jg==")  # of b"123456789"


def test_every_algorithm_of_the_model_is_known_or_refused_by_name() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    words = set(model.shape_for("ChecksumAlgorithm").enum)
    assert words == set(cs.NAMES) | {name.upper() for name in cs._NEWER}
    for name, element in cs.ELEMENTS.items():
        assert element in model.shape_for("Checksum").members
        field = model.operation_model("PutObject").input_shape.members[element].serialization["name"]
        assert field.encode() == cs._FIELDS[name]


@pytest.mark.parametrize("name", sorted(cs.WORDS))
def test_a_header_announces(name: str) -> None:
    value = digest_of(name, b"123456789")
    field = (f"x-amz-checksum-{name}", cs.encode_checksum(value))
    assert cs.parse_announced(headers(field)) == cs.Announced(name, value)
    for word in (cs.WORDS[name], name):
        fields = headers(field, ("x-amz-sdk-checksum-algorithm", word))
        assert cs.parse_announced(fields) == cs.Announced(name, value)


@pytest.mark.parametrize("name", sorted(cs.WORDS))
def test_a_trailer_is_announced(name: str) -> None:
    trailer = ("x-amz-trailer", f"X-Amz-Checksum-{name}")
    assert cs.parse_announced(headers(trailer)) == cs.Announced(name, None)
    fields = headers(("x-amz-sdk-checksum-algorithm", cs.WORDS[name]), trailer)
    assert cs.parse_announced(fields) == cs.Announced(name, None)


def test_nothing_is_announced() -> None:
    settings = headers(
        ("x-amz-checksum-mode", "ENABLED"),
        ("x-amz-checksum-algorithm", "SHA256"),
        ("x-amz-checksum-type", "COMPOSITE"),
        ("x-amz-trailer", "x-amz-trailer-signature"),
    )
    assert cs.parse_announced(settings) is None


@pytest.mark.parametrize(
    "fields",
    [
        [CRC32, CRC32],
        [CRC32, ("x-amz-checksum-sha1", b64encode(bytes(20)).decode())],
        [CRC32, ("x-amz-trailer", "x-amz-checksum-crc32")],
        [("x-amz-trailer", "x-amz-checksum-crc32, x-amz-checksum-crc32c")],
        [("x-amz-trailer", "x-amz-checksum-crc32"), ("x-amz-trailer", "x-amz-checksum-crc32c")],
        [CRC32, ("x-amz-sdk-checksum-algorithm", "CRC32C")],
        [("x-amz-trailer", "x-amz-checksum-crc32"), ("x-amz-sdk-checksum-algorithm", "CRC32C")],
        [("x-amz-sdk-checksum-algorithm", "CRC32")],
        [CRC32, ("x-amz-sdk-checksum-algorithm", "CRC33")],
        [("x-amz-checksum-crc33", "AAAA")],
        [("x-amz-checksum-", "AAAA")],
        [("x-amz-trailer", "x-amz-checksum-crc33")],
        [("x-amz-checksum-sha512", b64encode(bytes(64)).decode())],
        [("x-amz-checksum-xxhash64", b64encode(bytes(8)).decode())],
        [("x-amz-trailer", "x-amz-checksum-md5")],
        [("x-amz-sdk-checksum-algorithm", "XXHASH3")],
    ],
)
def test_requests_that_contradict_themselves(fields: list[tuple[str, str]]) -> None:
    with refused("InvalidRequest"):
        cs.parse_announced(headers(*fields))


@pytest.mark.parametrize("name", sorted(cs.WORDS))
def test_values_of_a_wrong_length(name: str) -> None:
    for length in (0, SIZES[name] - 1, SIZES[name] + 1, 2 * SIZES[name]):
        with refused("InvalidRequest"):
            cs.parse_announced(headers((f"x-amz-checksum-{name}", b64encode(bytes(length)).decode())))


@pytest.mark.parametrize("text", ["bad", "y/Q5Jg", "y/Q5Jg=", "y_Q5Jg==", "y/Q5\nJg==", "y/Q5Jg==-1", "\xe9"])
def test_values_that_are_no_base64(text: str) -> None:
    with refused("InvalidRequest"):
        cs.parse_announced(headers(("x-amz-checksum-crc32", text)))


@given(st.sampled_from(sorted(cs.WORDS)), st.binary())
def test_values_come_back(name: str, body: bytes) -> None:
    value = digest_of(name, body)
    assert cs.decode_checksum(name, cs.encode_checksum(value)) == value


@pytest.mark.parametrize(
    ("algorithm", "kind", "expected"),
    [
        (None, None, ("", False)),
        ("CRC32", None, ("crc32", True)),
        ("crc32", None, ("crc32", True)),
        ("CRC32", "FULL_OBJECT", ("crc32", False)),
        ("CRC32", "COMPOSITE", ("crc32", True)),
        ("CRC32C", None, ("crc32c", True)),
        ("CRC32C", "FULL_OBJECT", ("crc32c", False)),
        ("CRC64NVME", None, ("crc64nvme", False)),
        ("CRC64NVME", "FULL_OBJECT", ("crc64nvme", False)),
        ("CRC64NVME", "COMPOSITE", None),
        ("SHA1", None, ("sha1", True)),
        ("SHA1", "COMPOSITE", ("sha1", True)),
        ("SHA1", "FULL_OBJECT", None),
        ("SHA256", None, ("sha256", True)),
        ("SHA256", "FULL_OBJECT", None),
        ("SHA512", None, None),
        ("MD5", None, None),
        ("nonsense", None, None),
        ("", None, None),
        ("CRC32", "PARTIAL", None),
        (None, "COMPOSITE", None),
    ],
)
def test_checksums_of_uploads(algorithm: str | None, kind: str | None, expected: tuple[str, bool] | None) -> None:
    fields = [("x-amz-checksum-algorithm", algorithm), ("x-amz-checksum-type", kind)]
    request = headers(*[(name, value) for name, value in fields if value is not None])
    if expected is None:
        with refused("InvalidRequest"):
            cs.parse_upload_checksum(request)
    else:
        assert cs.parse_upload_checksum(request) == expected


def test_completion() -> None:
    assert cs.parse_completion(headers()) == cs.AnnouncedCompletion()
    assert cs.parse_completion(
        headers(
            CRC32,
            ("x-amz-checksum-type", "FULL_OBJECT"),
            ("x-amz-mp-object-size", "9"),
        )
    ) == cs.AnnouncedCompletion(cs.Announced("crc32", digest_of("crc32", b"123456789")), None, composite=False, size=9)
    assert cs.parse_completion(headers((CRC32[0], CRC32[1] + "-3"))) == cs.AnnouncedCompletion(
        cs.Announced("crc32", digest_of("crc32", b"123456789")),
        3,
        composite=True,
    )


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("BadDigest", ("x-amz-checksum-sha256", "bad")),
        ("BadDigest", ("x-amz-checksum-sha256", "-1")),
        ("InvalidRequest", (CRC32[0], CRC32[1] + "-")),
        ("InvalidRequest", (CRC32[0], CRC32[1] + "-x")),
        ("InvalidRequest", (CRC32[0], CRC32[1] + "-1-2")),
        ("InvalidRequest", ("x-amz-mp-object-size", "-1")),
        ("InvalidRequest", ("x-amz-mp-object-size", "9" * 5000)),
        ("InvalidRequest", ("x-amz-checksum-type", "WHOLE")),
        ("InvalidRequest", ("x-amz-checksum-sha512", "bad")),
    ],
)
def test_completions_that_are_refused(code: str, field: tuple[str, str]) -> None:
    with refused(code):
        cs.parse_completion(headers(field))


def test_completion_with_two_checksums() -> None:
    with refused("InvalidRequest"):
        cs.parse_completion(headers(CRC32, ("x-amz-checksum-crc32c", CRC32[1])))


def test_fields_of_an_answer() -> None:
    value = digest_of("crc32", b"123456789")
    assert cs.checksum_fields(NO_CHECKSUMS) == []
    assert cs.checksum_fields(Checksums({"blake3": bytes(32)})) == []
    assert cs.checksum_fields(Checksums({"crc32": value})) == [
        (b"x-amz-checksum-crc32", b"y/Q5Jg=="),
        (b"x-amz-checksum-type", b"FULL_OBJECT"),
    ]
    assert cs.checksum_fields(Checksums({"crc32": value}, composite=True, parts=2)) == [
        (b"x-amz-checksum-crc32", b"y/Q5Jg==-2"),
        (b"x-amz-checksum-type", b"COMPOSITE"),
    ]


def test_checksum_mode() -> None:
    assert cs.wants_checksums(headers(("x-amz-checksum-mode", "ENABLED")))
    assert cs.wants_checksums(headers(("x-amz-checksum-mode", "enabled")))
    assert not cs.wants_checksums(headers(("x-amz-checksum-mode", "DISABLED")))
    assert not cs.wants_checksums(headers())


def test_content_md5() -> None:
    assert cs.parse_content_md5(headers()) is None
    value = digest_of("md5", b"x")
    assert cs.parse_content_md5(headers(("content-md5", b64encode(value).decode()))) == value
    for text in ("", "YWJyYWNhZGFicmE=", "AWS HAHAHA", "\x07", "rL0Y20xC+Fzt72VPzMSk2A=", "é"):
        with refused("InvalidDigest"):
            cs.parse_content_md5(headers(("content-md5", text)))
