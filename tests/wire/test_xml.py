"""Escapes that a parser undoes, and a parser that takes nothing but plain documents."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from entrepot.errors import ArgumentInvalid, TooLarge
from entrepot.wire.xml import PROLOG, escape, escape_readable, escape_url, leaf_text, local_name, parse_document

TEXT = st.text(st.characters(blacklist_categories=["Cs"]))
HOLDABLE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def parse(document: str) -> str:
    return etree.fromstring(document.encode(), etree.XMLParser(resolve_entities=False)).text or ""


@given(TEXT)
def test_what_xml_can_hold_comes_back(text: str) -> None:
    document = f"{PROLOG}<a>{escape(text)}</a>"
    if HOLDABLE.fullmatch(text):
        assert parse(document) == text
    else:
        with pytest.raises(etree.XMLSyntaxError):
            parse(document)
    attribute = escape(text.replace("\t", "").replace("\n", ""))
    if HOLDABLE.fullmatch(text):
        assert etree.fromstring(f'<a b="{attribute}"/>').get("b") == text.replace("\t", "").replace("\n", "")


def test_escape_is_exact() -> None:
    assert escape("""<a b="c">&'\r\n\t]]>""") == "&lt;a b=&quot;c&quot;&gt;&amp;'&#13;\n\t]]&gt;"
    assert escape("\x00\x1f\uffff") == "&#x0;&#x1F;&#xFFFF;"
    assert escape("é😀\x7f\x85") == "é😀\x7f\x85"


@given(TEXT)
def test_readable_text_can_always_be_parsed(text: str) -> None:
    parsed = parse(f"{PROLOG}<a>{escape_readable(text)}</a>")
    assert len(parsed) == len(text)
    assert all(got in (want, "\ufffd") for got, want in zip(parsed, text, strict=True))


@given(TEXT)
def test_url_encoding_comes_back_and_needs_no_escape(text: str) -> None:
    encoded = escape_url(text)
    assert unquote(encoded, errors="strict") == text
    assert escape(encoded) == encoded
    assert encoded.isascii()
    assert "+" not in encoded, "some clients read a plus as a space"


def test_url_encoding_is_exact() -> None:
    assert escape_url("foo+1/bar baz~é\x01") == "foo%2B1/bar%20baz~%C3%A9%01"


def test_a_plain_document() -> None:
    for body in (
        b"<a><b> x </b></a>",
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<a xmlns="urn:x"><b> x </b></a>',
        bytearray(b"<x:a xmlns:x='urn:x'><!-- c --><x:b> x <?p i?></x:b></x:a>"),
        memoryview(b"<a><b><![CDATA[ x ]]></b></a>"),
        b'<?xml version="1.0" encoding="UTF-16"?><a><b> x </b></a>',
    ):
        root = parse_document(body, 200)
        assert local_name(root) == "a"
        assert [(local_name(child), leaf_text(child).rstrip()) for child in root] == [("b", " x")]


def test_text_around_a_comment_is_one() -> None:
    assert leaf_text(parse_document(b"<a>x<!-- c -->y&amp;<![CDATA[<]]>z</a>", 200)) == "xy&<z"


def test_leaf_text_refuses_elements() -> None:
    with pytest.raises(ArgumentInvalid):
        leaf_text(parse_document(b"<a>x<b/></a>", 200))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"x",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a>&x;</a>",
        b"<a>&#1;</a>",
        b"<a>\x01</a>",
        b"<a>\xff</a>",
        b"<a>\x00</a>",
        b"<a b=1/>",
        b"<a b='1' b='2'/>",
        "<a/>".encode("utf-16"),
        "<a/>".encode("utf-16-le"),
        b"<!DOCTYPE a><a/>",
        b"<a>\xed\xa0\x80</a>",
        b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///x"><a/>',
    ],
)
def test_refused(body: bytes) -> None:
    with pytest.raises(ArgumentInvalid):
        parse_document(body, 1000)


def test_the_bound_counts_bytes() -> None:
    assert parse_document(b"<a></a>", 7) is not None
    with pytest.raises(TooLarge):
        parse_document(b"<a></a> ", 7)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        parse_document(body, 100)
    except (ArgumentInvalid, TooLarge):
        return
