"""Heads of requests in short."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import strategies as st

from entrepot.wire.http import Headers, Response

PIECES = st.sampled_from(
    ["?0", "?1", "0", "1", "5", "-1", "1.0", ";", "=", ",", " ", ":", '"', "a", "sha-256", "partial", "final;", "/a",
     "999999999999999", "1000000000000000", "9" * 30, "sha1 ", "\x00", "\xff", "\t", "(", ")", "@1", "%", "*", "AAAA"]
)  # fmt: skip
VALUES = st.one_of(
    st.lists(PIECES, max_size=6).map("".join),
    st.binary(max_size=40).map(lambda raw: raw.decode("latin-1")),
    st.integers(0, 20).map(str),
)
METHODS = st.sampled_from(["POST", "PUT", "PATCH", "HEAD", "GET", "DELETE", "OPTIONS", "patch", "", "LOCK", "\x00"])


def head(fields: Mapping[str, str]) -> Headers:
    """``upload_offset`` is Upload-Offset."""
    return Headers(
        [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in fields.items()]
    )


def fields_of(response: Response) -> dict[str, str]:
    """By name; a name stands there once."""
    names = [name for name, _ in response.headers]
    assert len(set(names)) == len(names), names
    return {name.decode(): value.decode() for name, value in response.headers}


def check_sendable(response: Response) -> None:
    """What HTTP wants of any answer."""
    fields_of(response)
    for name, value in response.headers:
        assert name == name.lower()
        assert not set(name + value) & set(b"\r\n\x00")
    assert response.status != 204 or not response.body
