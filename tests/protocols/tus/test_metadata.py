"""Upload-Metadata both ways."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ArgumentInvalid
from entrepot.protocols.tus.metadata import make_metadata, parse_metadata

KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=","), min_size=1)


@given(st.dictionaries(KEYS, st.binary(max_size=30)))
def test_it_comes_back(values: dict[str, bytes]) -> None:
    assert parse_metadata(make_metadata(values)) == values


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("  ", {}),
        ("filename d29ybGQ=,is_confidential", {"filename": b"world", "is_confidential": b""}),
        ("a YQ==, b ,c", {"a": b"a", "b": b"", "c": b""}),
        ("a  YQ==", {"a": b"a"}),
        ("a YQ==,a YQ==", None),
        ("a YQ", None),
        ("a Y*==", None),
        ("a YQ== x", None),
        ("a YQ==,", None),
        (",", None),
        ("ä YQ==", None),
        ("a\tYQ==", None),
        ("a YQ==\r\n", None),
        ("a" + " " * 50_000 + "!", None),  # takes no longer than its length
    ],
)
def test_texts(text: str, values: dict[str, bytes] | None) -> None:
    assert parse_metadata(text) == values


@pytest.mark.parametrize("key", ["", "a b", "a,b", "ä", "a\n"])
def test_keys_that_cannot_be(key: str) -> None:
    with pytest.raises(ArgumentInvalid):
        make_metadata({key: b""})


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_metadata(text)
