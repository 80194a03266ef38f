"""Range headers, against S3's behaviour and against a naive reading of RFC 9110."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.errors import RangeInvalid
from entrepot.model import Span
from entrepot.wire.ranges import content_range, parse_range


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=0-9", Span(0, 10)),
        ("bytes=4-7", Span(4, 8)),
        ("bytes=4-", Span(4, 10)),
        ("bytes=-3", Span(7, 10)),
        ("bytes=-99", Span(0, 10)),
        ("bytes=9-99", Span(9, 10)),
        (f"bytes=0-{'9' * 5000}", Span(0, 10)),
        (f"bytes=-{'9' * 5000}", Span(0, 10)),
        (f"bytes={'0' * 5000}4-7", Span(4, 8)),
        ("Bytes=4-7", Span(4, 8)),
        (" bytes = 4-7 ", Span(4, 8)),
    ],
)
def test_satisfiable(value: str, span: Span) -> None:
    assert parse_range(value, 10) == span


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=0-a",
        "bytes=a-",
        "bytes=7-4",
        "bytes=0 - 4",
        "bytes=0-2,4-6",
        "bytes=0-2,",
        "bytes=--1",
        "bytes=-1-2",
        "bytes=+1-2",
        "bytes=1.0-2",
        "items=0-4",
        "0-4",
        "bytes=\u0660-\u0664",
        "bytes=0-4-6",
        "bytes=99-98",
    ],
)
def test_ignored(value: str | None) -> None:
    assert parse_range(value, 10) is None


@pytest.mark.parametrize("value", ["bytes=10-", "bytes=10-10", "bytes=40-50", "bytes=-0", f"bytes={'9' * 5000}-"])
def test_unsatisfiable(value: str) -> None:
    with pytest.raises(RangeInvalid) as caught:
        parse_range(value, 10)
    assert caught.value.size == 10


def test_empty_object() -> None:
    assert parse_range("bytes=-5", 0) is None
    for value in ("bytes=0-", "bytes=0-0", "bytes=40-50", "bytes=-0"):
        with pytest.raises(RangeInvalid):
            parse_range(value, 0)


def naive(value: str, size: int) -> list[int] | str | None:
    """The offsets that a range selects, by looking at every offset."""
    found = re.fullmatch(r"bytes=(\d*)-(\d*)", value)
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if first and last and int(last) < int(first):
        return None
    if not first:
        offsets = [offset for offset in range(size) if offset >= size - int(last)]
        if int(last) and not size:
            return None
    else:
        offsets = [offset for offset in range(size) if int(first) <= offset and (not last or offset <= int(last))]
    return offsets or "unsatisfiable"


@given(
    value=st.from_regex(r"bytes=[0-9]{0,2}-[0-9]{0,2}", fullmatch=True)
    | st.from_regex(r"bytes=[0-9,-]*", fullmatch=True),
    size=st.integers(0, 40),
)
@example("bytes=-0", 0)
def test_against_a_naive_reading(value: str, size: int) -> None:
    expected = naive(value, size)
    if expected == "unsatisfiable":
        with pytest.raises(RangeInvalid):
            parse_range(value, size)
        return
    span = parse_range(value, size)
    assert (None if span is None else list(range(span.start, span.end))) == expected


@given(st.text(), st.integers(0, 100))
def test_any_text_is_read_or_refused(value: str, size: int) -> None:
    try:
        span = parse_range(value, size)
    except RangeInvalid:
        return
    assert span is None or 0 <= span.start < span.end <= size


def test_content_range() -> None:
    assert content_range(Span(4, 8), 11) == "bytes 4-7/11"
    assert content_range(None, 11) == "bytes */11"
