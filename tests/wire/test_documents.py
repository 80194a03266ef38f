"""Documents that come in: plain ones are read as they arrive, and nothing else is."""

from __future__ import annotations

import gc
import resource
import time
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ArgumentInvalid, ElementUnknown, TooLarge
from entrepot.wire.documents import MOST_TEXT, MOST_TOKEN, SLICE, Fields, Group, Reading, Text, Value

SHAPE = Group({"b": Text(), "c": Fields({"d": Text(5), "e": Text()}), "f": Group({"c": Fields({"d": Text()})})})


def read(body: bytes | bytearray | memoryview, limit: int = 1 << 20, size: int = SLICE) -> list[tuple[str, Value]]:
    reading = Reading("a", SHAPE, limit)
    found: list[tuple[str, Value]] = []
    for start in range(0, len(body), size):
        found += reading.feed(body[start : start + size])
    return found + reading.finish()


@pytest.mark.parametrize("size", [1, 3, SLICE])
@pytest.mark.parametrize(
    "body",
    [
        b"<a><b> x </b></a>",
        b'\xef\xbb\xbf<?xml version="1.0"?>\n<a xmlns="urn:x y"><b> x </b></a>',
        bytearray(b"<x:a xmlns:x='urn:x'><!-- c --><x:b> x <?p i?></x:b></x:a>"),
        memoryview(b"<a><b><![CDATA[ x ]]></b></a>"),
        b'<?xml version="1.0" encoding="UTF-16"?><a><b q="1"> x<!-- c --> </b></a>',
    ],
)
def test_a_plain_document(body: bytes, size: int) -> None:
    assert read(body, size=size) == [("b", " x "), ("a", None)]


def test_what_stands_in_what() -> None:
    body = b"<a> <b>1</b><c><e>&lt;&#233;</e><d>2</d></c><c/>\n<f><c><d>3</d></c></f><b/></a>"
    assert read(body) == [
        ("b", "1"), ("c", {"e": "<\u00e9", "d": "2"}), ("c", {}), ("c", {"d": "3"}), ("f", None), ("b", ""),
        ("a", None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"x", b"<a>", b"<a></b>", b"<a/><a/>", b"<b/>", b"<a>x</a>", b"<a><b>&x;</b></a>",
        b"<a><b>&#1;</b></a>", b"<a><b>\x01</b></a>", b"<a><b>\xff</b></a>", b"<a><b>\x00</b></a>", b"<a b=1/>",
        b"<a b='1' b='2'/>", "<a/>".encode("utf-16"), "<a/>".encode("utf-16-le"), b"<!DOCTYPE a><a/>",
        b"<a><b>\xed\xa0\x80</b></a>", b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///x"><a/>', b"<x:a/>",
        b"<a><b>x<b/></b></a>", b"<a><c><d>1</d><d>2</d></c></a>", b"<a><c><d>123456</d></c></a>", b"<a><c>x</c></a>",
        b"<a><f>x</f></a>", b"<a><b>" + b"x" * (MOST_TEXT + 1) + b"</b></a>",
    ],
)  # fmt: skip
def test_refused(body: bytes) -> None:
    for size in (1, SLICE):
        with pytest.raises(ArgumentInvalid):
            read(body, size=size)


def test_what_does_not_belong_ends_the_reading_where_it_begins() -> None:
    reading = Reading("a", SHAPE, 1 << 20)
    assert reading.feed(b"<a><b>1</b>") == [("b", "1")]
    with pytest.raises(ElementUnknown) as caught:
        reading.feed(b"<z>")
    assert (caught.value.value, caught.value.parent) == ("z", "a")
    with pytest.raises(ArgumentInvalid):
        Reading("a", SHAPE, 1 << 20).feed(b"<!DOCTYPE a [")


def test_the_bound_counts_bytes() -> None:
    assert read(b"<a></a>", 7) == [("a", None)]
    with pytest.raises(TooLarge):
        read(b"<a></a> ", 7)


@pytest.mark.parametrize("start", [b"<", b"<a ", b"<a x='", b"<a><!-- ", b"<a><?x ", b"<a></", b"<a xmlns='"])
def test_no_tag_or_comment_is_longer_than_its_bound(start: bytes) -> None:
    """Each piece of an unfinished token has all of it read anew."""
    reading = Reading("a", SHAPE, 1 << 30)
    reading.feed(start)
    began = time.process_time()
    with pytest.raises(ArgumentInvalid):
        drip(reading, b"y" * 512, 4 * MOST_TOKEN // 512)
    assert time.process_time() - began < 1


def drip(reading: Reading, piece: bytes, times: int) -> None:
    for _ in range(times):
        reading.feed(piece)


def test_text_is_as_long_as_it_may_be_in_whatever_pieces() -> None:
    body = b"<a><b>" + b"x" * MOST_TEXT + b"</b></a>"
    for size in (1, 100, SLICE):
        assert read(body, size=size) == [("b", "x" * MOST_TEXT), ("a", None)]
    assert len(read(b"<a>" + b" " * 100_000 + b"</a>", size=100)) == 1


def test_names_are_forgotten() -> None:
    """Ten documents of names that no one ever saw; a parser that keeps them takes a hundred megabytes."""

    def read_names(turn: int) -> None:
        names = b"".join(
            b"<b x%d-%d='1' xmlns:x%d-%d='u'/>" % (turn, number, turn, number) for number in range(100_000)
        )
        assert len(read(b"<a>" + names + b"</a>", 1 << 30)) == 100_001

    read_names(0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for turn in range(1, 10):
        read_names(turn)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000


def test_a_reading_goes_with_the_last_who_holds_it() -> None:
    """Nothing waits for the collector, however it ended."""
    gc.disable()
    try:
        reading = Reading("a", SHAPE, 1 << 20)
        gone = weakref.ref(reading._elements)
        reading.feed(b"<a><b>")
        with pytest.raises(ElementUnknown):
            Reading("a", SHAPE, 1 << 20).feed(b"<a><z>")
        del reading
        assert gone() is None
    finally:
        gc.enable()


@given(st.binary(max_size=200) | st.text(alphabet="<>/&;!?'\"[]-abcd= ", max_size=100).map(str.encode))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    outcomes = []
    for size in (201, 7, 1):
        try:
            outcomes.append(read(body, 200, size))
        except (ArgumentInvalid, TooLarge):
            outcomes.append([])
    assert outcomes[0] == outcomes[1] == outcomes[2]
