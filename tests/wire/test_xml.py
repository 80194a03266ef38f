"""Escapes that a parser undoes."""

from __future__ import annotations

import re
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from entrepot.wire.xml import PROLOG, escape, escape_readable, escape_url

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
