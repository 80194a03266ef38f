"""The draft's fields as structured fields (RFC 9651), and digests (RFC 9530).

What is not of the type that a field has is as good as absent (draft §4.1): the readers of it return None. So is a
field that stands there twice and is no list, and one that is longer than any sound one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

import http_sf
from http_sf.types import BareItemType

from entrepot.digests import SIZES
from entrepot.wire.http import Headers

MAX_INTEGER: Final = 999_999_999_999_999
"""The largest Integer of RFC 9651 §3.3.1; no offset and no length is beyond it."""

_LONGEST: Final = 4096

ALGORITHMS: Final[Mapping[str, str]] = {"sha-256": "sha256", "sha-512": "sha512", "sha": "sha1", "md5": "md5"}
"""The digests of RFC 9530 that are known here, and what they are called in ``digests``."""
_REGISTERED: Final = {ours: theirs for theirs, ours in ALGORITHMS.items()}


class Malformed(NamedTuple):
    """A field that is there, and is not what it has to be."""

    name: str


def parse_integer(headers: Headers, name: str) -> int | None:
    """An Item that is a non-negative Integer."""
    value = _item(headers, name)
    return value if type(value) is int and value >= 0 else None


def parse_boolean(headers: Headers, name: str) -> bool | None:
    """An Item that is a Boolean."""
    value = _item(headers, name)
    return value if isinstance(value, bool) else None


def parse_digests(headers: Headers, name: str) -> dict[str, bytes] | Malformed:
    """Digests by our name for their algorithm; unknown algorithms are left out (RFC 9530 §2).

    A known one has to be a Byte Sequence of its size. It is not ignored otherwise: a client that announces a digest
    relies on it (RFC 9651 §4.2 leaves the choice).
    """
    if name not in headers:
        return {}
    members = _dictionary(headers, name)
    if members is None:
        return Malformed(name)
    found: dict[str, bytes] = {}
    for theirs, value in members.items():
        ours = ALGORITHMS.get(theirs)
        if ours is None:
            continue
        if not isinstance(value, bytes) or len(value) != SIZES[ours]:
            return Malformed(name)
        found[ours] = value
    return found


def parse_wanted(headers: Headers, name: str) -> tuple[str, ...]:
    """The known algorithms that a Want- field asks for (RFC 9530 §4), by our names, the most preferred one first."""
    members = (_dictionary(headers, name) if name in headers else None) or {}
    weights = {
        ours: value
        for theirs, value in members.items()
        if (ours := ALGORITHMS.get(theirs)) and type(value) is int and 0 < value <= 10
    }
    return tuple(sorted(weights, key=lambda ours: -weights[ours]))


def parse_content_length(headers: Headers) -> int | None:
    """The size of a body in bytes, None where it is not told."""
    raw = headers.raw_get(b"content-length")
    return int(raw) if raw is not None and raw.isdigit() and len(raw) <= 18 else None


def make_integer(value: int) -> bytes:
    """An Integer; what is beyond the largest one is the largest one."""
    return b"%d" % min(value, MAX_INTEGER)


def make_boolean(value: bool) -> bytes:  # noqa: FBT001 - the value is all there is to it
    return b"?1" if value else b"?0"


def make_dictionary(members: Mapping[str, int]) -> bytes:
    """A Dictionary of Integers; it must not be empty."""
    return b", ".join(b"%b=%b" % (key.encode("ascii"), make_integer(value)) for key, value in members.items())


def make_digests(digests: Mapping[str, bytes]) -> bytes:
    """The value of Repr-Digest or Content-Digest from digests by our names; those that RFC 9530 does not know are
    left out. Empty if nothing is left.
    """
    members: http_sf.DictionaryType = {
        _REGISTERED[ours]: value for ours, value in digests.items() if ours in _REGISTERED
    }
    return http_sf.ser(members).encode("ascii") if members else b""


def _value(headers: Headers, name: str) -> bytes | None:
    """All lines of a field as one; None for one that is absent or too long."""
    wanted = name.encode("ascii")
    lines = [value for key, value in headers.raw if key == wanted]
    value = b", ".join(lines)
    return value if lines and len(value) <= _LONGEST else None


def _item(headers: Headers, name: str) -> BareItemType | None:
    raw = headers.raw_get(name.encode("ascii"))
    value = None if raw is None else _value(headers, name)
    if value is None:
        return None
    try:
        parsed = http_sf.parse(value, tltype="item")
    except http_sf.StructuredFieldError:
        return None
    return parsed[0] if isinstance(parsed, tuple) else None


def _dictionary(headers: Headers, name: str) -> dict[str, object] | None:
    """The bare values of the members; an inner list is a list."""
    value = _value(headers, name)
    if value is None:
        return None
    try:
        parsed = http_sf.parse(value, tltype="dictionary")
    except http_sf.StructuredFieldError:
        return None
    if not isinstance(parsed, dict):
        return None
    return {key: member[0] if isinstance(member, tuple) else member for key, member in parsed.items()}
