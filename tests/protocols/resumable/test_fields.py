"""Structured fields in and out: what is not of its type is ignored, what is announced to be checked is not."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.digests import SIZES
from entrepot.protocols.resumable import fields
from entrepot.protocols.resumable.fields import ALGORITHMS, MAX_INTEGER, Malformed
from entrepot.wire.http import Headers
from tests.protocols.heads import VALUES, head


@given(st.integers(0, MAX_INTEGER))
def test_an_integer_comes_back(value: int) -> None:
    assert fields.parse_integer(Headers([(b"x", fields.make_integer(value))]), "x") == value


@given(value=st.booleans())
def test_a_boolean_comes_back(*, value: bool) -> None:
    assert fields.parse_boolean(Headers([(b"x", fields.make_boolean(value))]), "x") is value


@given(st.dictionaries(st.sampled_from(sorted(ALGORITHMS.values())), st.binary(min_size=64, max_size=64)))
def test_digests_come_back(values: dict[str, bytes]) -> None:
    digests = {name: value[: SIZES[name]] for name, value in values.items()}
    sent = fields.make_digests(digests)
    assert fields.parse_digests(Headers([(b"x", sent)] if sent else []), "x") == digests


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("0", 0), ("7", 7), (" 7 ", 7), ("007", 7), ("7;a=1;b", 7), ("999999999999999", MAX_INTEGER),
        ("1000000000000000", None), ("-1", None), ("-0", 0), ("1.0", None), ("+1", None), ("", None), ("?1", None),
        ("1, 2", None), ("1 2", None), ('"1"', None), (":AQ==:", None), ("0x10", None), ("1e3", None), ("\u0661", None),
    ],
)  # fmt: skip
def test_integers(value: str, read: int | None) -> None:
    assert fields.parse_integer(Headers([(b"x", value.encode())]), "x") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("?1", True),
        ("?0", False),
        ("?1;x", True),
        ("1", None),
        ("true", None),
        ("?2", None),
        ("?", None),
        ("?1?", None),
    ],
)
def test_booleans(value: str, read: object) -> None:
    assert fields.parse_boolean(head({"x": value}), "x") is read


def test_a_field_that_stands_there_twice_is_none() -> None:
    twice = Headers([(b"x", b"1"), (b"x", b"1")])
    assert fields.parse_integer(twice, "x") is None


def test_a_field_that_is_too_long_is_none() -> None:
    assert fields.parse_integer(head({"x": "1;" + "a=1;" * 2000 + "b"}), "x") is None
    assert fields.parse_digests(head({"x": "a=:AA==:, " * 2000 + "b=1"}), "x") == Malformed("x")


SHA256 = b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (f"sha-256=:{SHA256}:", {"sha256": bytes(32)}),
        (f"unixsum=:AA==:, sha-256=:{SHA256}:", {"sha256": bytes(32)}),
        ("unixsum=:AA==:", {}),
        ("id-sha-256=:AA==:, x=1", {}),
        ("sha-256=:AA==:", Malformed("x")),
        ("sha-256=1", Malformed("x")),
        ("sha-256", Malformed("x")),
        (f"sha-256=(:{SHA256}:)", Malformed("x")),
        (f"sha-256={SHA256}", Malformed("x")),
        (f"SHA-256=:{SHA256}:", Malformed("x")),
        ("", {}),
    ],
)
def test_digests(value: str, read: object) -> None:
    assert fields.parse_digests(head({"x": value}), "x") == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("sha-256=3, sha-512=10", ("sha512", "sha256")),
        ("sha-256=0, md5=1", ("md5",)),
        ("sha-256=11, sha-512=1.5, sha=?1", ()),
        ("crc32c=10, sha-256=1", ("sha256",)),
        ("sha-256", ()),
        ("((", ()),
    ],
)
def test_wanted(value: str, read: tuple[str, ...]) -> None:
    assert fields.parse_wanted(head({"x": value}), "x") == read


@pytest.mark.parametrize(("value", "read"), [("5", 5), ("x", None), ("-1", None), ("9" * 19, None), ("", None)])
def test_content_length(value: str, read: int | None) -> None:
    assert fields.parse_content_length(head({"content-length": value})) == read


@given(VALUES)
def test_no_value_raises(value: str) -> None:
    headers = head({"x": value})
    fields.parse_integer(headers, "x")
    fields.parse_boolean(headers, "x")
    fields.parse_digests(headers, "x")
    fields.parse_wanted(headers, "x")
