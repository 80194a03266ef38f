"""Dates of HTTP and of S3's documents, against the standard library's."""

from __future__ import annotations

import datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.wire.dates import http_date, iso_date, parse_date, parse_http_date

SECONDS = st.integers(0, 253402300799)  # to the end of the year 9999


@given(SECONDS)
def test_http_date(second: int) -> None:
    assert http_date(second).decode() == formatdate(second, usegmt=True)
    assert parse_http_date(http_date(second).decode()) == second


@given(SECONDS, st.integers(0, 999_999))
def test_iso_date(second: int, microsecond: int) -> None:
    expected = datetime.datetime.fromtimestamp(second, datetime.UTC).strftime("%4Y-%m-%dT%H:%M:%S.000Z")
    assert iso_date(second * 1_000_000 + microsecond) == expected
    assert parse_date(expected) == second


def test_the_three_forms() -> None:
    # the one point in time that RFC 9110 §5.6.7 writes in all three
    for text in ("Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"):
        assert parse_http_date(text) == 784111777
        assert parse_date(text) == 784111777


def test_two_digit_years() -> None:
    assert parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == 784111777
    assert parse_http_date("Wednesday, 06-Nov-30 08:49:37 GMT") == 1920185377


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "0",
        "1994",
        "Sun, 06 Nov 1994 08:49:37",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 31 Feb 2024 00:00:00 GMT",
        "Sun, 06 Nov 1994 24:00:00 GMT",
        "Sun, 06 Nov 1994 08:60:00 GMT",
        "Sun, 06 Nov 1994 08:49:61 GMT",
        "Sun, 00 Nov 1994 08:49:37 GMT",
        "Sun, 06 Xyz 1994 08:49:37 GMT",
        "Sun, 06 Nov 0000 08:49:37 GMT",
        "Sun, 06 Nov 1994 8:49::37 GMT",
        "Sun, 06 Nov 1994 :::::::: GMT",
        "Sun, 06 Nov 1994 12345678 GMT",
        "1994-11-06T08:49:37",
        "1994-13-06T08:49:37Z",
        "1994-11-06T08:49:37+02:00",
        "٢٠٢٤-01-01T00:00:00Z",
    ],
)
def test_what_is_no_date(text: str) -> None:
    assert parse_date(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "1994-11-06T08:49:37Z",
        "1994-11-06T08:49:37.123456Z",
        "19941106T084937Z",
        "1994-11-06T08:49:37+00:00",
        "Sun, 06 Nov 1994 08:49:37 +0000",
        "06 Nov 1994 08:49:37 GMT",
        " Sun, 06 Nov 1994 08:49:37 GMT ",
    ],
)
def test_tolerated(text: str) -> None:
    assert parse_date(text) == 784111777
    assert (parse_http_date(text) is None) == ("T0" in text)


@given(
    st.text()
    | st.from_regex(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT")
    | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
)
def test_any_text_is_read_or_refused(text: str) -> None:
    second = parse_date(text)
    assert second is None or isinstance(second, int)
