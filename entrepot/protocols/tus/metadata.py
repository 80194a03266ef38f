"""Upload-Metadata (tus 1.0.0, Creation): keys, each with a value in Base64, or with none."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping

from entrepot.errors import ArgumentInvalid

_KEY = re.compile(r"[!-+\--~]+")  # printable ASCII but space and comma
_PAIR = re.compile(rf"[ \t]*({_KEY.pattern})(?:[ ]+([A-Za-z0-9+/]*={{0,2}}))?[ \t]*")


def parse_metadata(text: str) -> dict[str, bytes] | None:
    """The values by key; None for a text that is not sound. A field that is empty has no keys."""
    found: dict[str, bytes] = {}
    if not text.strip():
        return found
    for pair in text.split(","):
        match = _PAIR.fullmatch(pair)
        value = None if match is None else parse_base64(match[2] or "")
        if match is None or value is None or match[1] in found:
            return None
        found[match[1]] = value
    return found


def make_metadata(values: Mapping[str, bytes]) -> str:
    """The inverse. Raises ArgumentInvalid for a key that cannot be."""
    for key in values:
        if not _KEY.fullmatch(key):
            raise ArgumentInvalid("metadata", key, "a key is printable ASCII without spaces and commas")
    return ",".join(f"{key} {b64encode(value).decode('ascii')}".rstrip(" ") for key, value in values.items())


def parse_base64(text: str) -> bytes | None:
    """The bytes of a Base64 text, None for one that is none."""
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
