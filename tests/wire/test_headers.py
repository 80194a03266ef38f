"""Values of header fields in and out: text, free metadata, and what must never be sent."""

from __future__ import annotations

from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ArgumentInvalid
from entrepot.wire.headers import (
    check_text,
    decode_words,
    encode_words,
    make_field,
    parse_user_metadata,
    text_of,
    user_metadata_fields,
)
from entrepot.wire.http import Headers

PREFIX = b"x-meta-"
TEXT = st.text(st.characters(blacklist_categories=["Cs"]))


def test_text_is_utf8_where_it_can_be() -> None:
    assert text_of("é".encode()) == "é"
    assert text_of(b"\xe9") == "é"
    assert text_of(b"plain") == "plain"


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x", "a\nb", "a\rb", "\x00", "a\x7f", "\x1b[0m", "\x0b"])
def test_line_breaks_and_controls_never_become_a_field(value: str) -> None:
    with pytest.raises(ArgumentInvalid):
        check_text("content-disposition", value)
    with pytest.raises(ArgumentInvalid):
        make_field("content-disposition", value)


def test_a_field_is_sent_in_utf8() -> None:
    assert make_field("content-disposition", 'attachment; filename="ä\t.txt"') == (
        b"content-disposition",
        'attachment; filename="ä\t.txt"'.encode(),
    )


def test_user_metadata() -> None:
    headers = Headers(
        [
            (b"host", b"x"),
            (b"x-meta-colour", b"red"),
            (b"x-meta-empty", b""),
            (b"x-meta-colour", b"blue"),
            (b"x-metadata-directive", b"COPY"),
            (b"x-meta-raw", "ö".encode()),
            (b"x-meta-word", b"=?UTF-8?B?w7Y=?= =?utf-8?Q?=C3=B6_x?= plainly"),
        ]
    )
    user = parse_user_metadata(headers, PREFIX)
    assert user == {"colour": "red,blue", "empty": "", "raw": "ö", "word": "öö x plainly"}
    assert user_metadata_fields(user, PREFIX) == [
        (b"x-meta-colour", b"red,blue"),
        (b"x-meta-empty", b""),
        (b"x-meta-raw", b"=?UTF-8?B?w7Y=?="),
        (b"x-meta-word", b"=?UTF-8?Q?=C3=B6=C3=B6=20x=20plainly?="),
    ]
    assert parse_user_metadata(Headers(user_metadata_fields(user, PREFIX)), PREFIX) == user
    assert parse_user_metadata(Headers([(b"host", b"x")]), PREFIX) == {}


@given(TEXT)
def test_words_come_back(value: str) -> None:
    encoded = encode_words(value)
    assert decode_words(encoded.decode("ascii")) == value
    assert all(0x20 <= byte < 0x7F for byte in encoded), "no control character is ever sent"
    assert encoded.strip() == encoded


@given(TEXT.filter(lambda value: not value.isascii()))
def test_words_are_read_by_the_standard_library(value: str) -> None:
    encoded = encode_words(value).decode("ascii")
    assert all(len(word) <= 75 for word in encoded.split(" "))
    assert str(make_header(decode_header(encoded))) == value


@pytest.mark.parametrize(
    "value",
    [
        "",
        "plain",
        "a=?b",
        "=?x?=",
        "=?utf-8?B?!?=",
        "=?utf-8?B?w7?=",
        "=?nope?B?w7Y=?=",
        "=?utf-7?Q?+AGE-?=",
        "=?utf-8?B?/w==?=",
    ],
)
def test_what_is_no_sound_word_stays(value: str) -> None:
    assert decode_words(value) == value
    assert encode_words(value) == value.encode()


def test_a_line_break_hidden_in_a_word_is_not_sent_as_one() -> None:
    user = parse_user_metadata(Headers([(b"x-meta-a", b"=?UTF-8?Q?a=0D=0Aset-cookie:x?=")]), PREFIX)
    assert user == {"a": "a\r\nset-cookie:x"}
    [(_, sent)] = user_metadata_fields(user, PREFIX)
    assert b"\r" not in sent
    assert b"\n" not in sent


@given(st.text())
def test_any_text_decodes(value: str) -> None:
    assert isinstance(decode_words(value), str)
