"""Conditions in headers become preconditions; what they decide is the model's test."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ArgumentInvalid
from entrepot.model import ALWAYS, Precondition
from entrepot.wire.conditions import (
    delete_condition,
    parse_conditions,
    parse_etags,
    quote_etag,
    range_holds,
)
from entrepot.wire.http import Headers

NOW = 2_000_000_000


def headers(**fields: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in fields.items()])


@pytest.mark.parametrize(
    ("value", "tags"),
    [
        ('"abc"', ("abc",)),
        ("abc", ("abc",)),
        ('"abc", "def"', ("abc", "def")),
        ("abc,def", ("abc", "def")),
        ('"a,b" , c', ("a,b", "c")),
        ("*", ("*",)),
        (" * ", ("*",)),
        ('"*"', ('"*"',)),
        ("abc, *", ("abc", '"*"')),
        ('W/"abc"', ('W/"abc"',)),
        ('""', ("",)),
        ("", ("",)),
        (" , ", ("",)),
        ('"abc', ("abc",)),
        ("d41d8cd98f00b204e9800998ecf8427e-2", ("d41d8cd98f00b204e9800998ecf8427e-2",)),
    ],
)
def test_etags(value: str, tags: tuple[str, ...]) -> None:
    assert parse_etags(value) == tags


def test_weak_tags_match_only_where_weak_comparison_is_meant() -> None:
    assert parse_etags('W/"abc", "def"', weak=True) == ("abc", "def")
    assert parse_conditions(headers(if_match='W/"abc"', if_none_match='W/"abc"'), NOW) == Precondition(
        if_match=('W/"abc"',),
        if_none_match=("abc",),
    )


@given(st.lists(st.text(st.characters(blacklist_characters='"', max_codepoint=255)), min_size=1))
def test_quoted_tags_come_back(tags: list[str]) -> None:
    value = ", ".join(quote_etag(tag).decode("latin-1") for tag in tags)
    assert [tag if tag != '"*"' else "*" for tag in parse_etags(value)] == tags


@given(st.text())
def test_any_text_gives_tags_and_a_lone_star_alone_is_any(value: str) -> None:
    tags = parse_etags(value)
    assert tags
    assert ("*" in tags) == (value.strip() == "*")


def test_no_conditions() -> None:
    assert parse_conditions(headers(host="x"), NOW) is ALWAYS
    assert parse_conditions(headers(if_match="x"), NOW, "x-source-") is ALWAYS
    assert delete_condition(None, None, None) is ALWAYS


def test_all_four() -> None:
    date, later = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:38 GMT"
    expected = Precondition(
        if_match=("a",),
        if_none_match=("b", "c"),
        modified_since=784111777,
        unmodified_since=784111778,
    )
    assert (
        parse_conditions(
            headers(
                if_match='"a"',
                if_none_match='"b", c',
                if_modified_since=date,
                if_unmodified_since=later,
            ),
            NOW,
        )
        == expected
    )
    assert (
        parse_conditions(
            headers(
                x_source_if_match='"a"',
                x_source_if_none_match='"b", c',
                x_source_if_modified_since=date,
                x_source_if_unmodified_since=later,
            ),
            NOW,
            "x-source-",
        )
        == expected
    )


def test_a_list_in_several_lines_is_one() -> None:
    fields = Headers([(b"if-match", b'"a"'), (b"host", b"x"), (b"if-match", b'"b"')])
    assert parse_conditions(fields, NOW).if_match == ("a", "b")


def test_an_empty_condition_is_one_that_nothing_matches() -> None:
    assert parse_conditions(headers(if_match=""), NOW).if_match == ("",)


def test_a_date_that_is_none_is_ignored() -> None:
    assert parse_conditions(headers(if_modified_since="yesterday"), NOW) == ALWAYS


def test_a_modification_that_is_still_to_come_is_ignored() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    for now, since in ((784111776, None), (784111777, 784111777)):
        found = parse_conditions(headers(if_modified_since=date, if_unmodified_since=date), now)
        assert found == Precondition(modified_since=since, unmodified_since=784111777)


def test_delete_conditions() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    expected = Precondition(if_match=("a",), modified_at=784111777, size=0)
    assert delete_condition('"a"', date, "0") == expected
    assert delete_condition(None, "1994-11-06T08:49:37Z", None) == Precondition(modified_at=784111777)
    for modified, size in (("yesterday", None), (None, "-1"), (None, ""), (None, "1" * 30), (None, "²")):
        with pytest.raises(ArgumentInvalid):
            delete_condition(None, modified, size)


def test_if_range() -> None:
    date = "Sun, 06 Nov 1994 08:49:37 GMT"
    assert range_holds(None, "abc", 0)
    assert range_holds('"abc"', "abc", 0)
    assert range_holds("abc", "abc", 0)
    assert range_holds(date, "abc", 784111777)
    for value, modified in (('"abd"', 0), ('W/"abc"', 0), ("*", 0), ('"abc", "abd"', 0), (date, 784111778)):
        assert not range_holds(value, "abc", modified)
