"""Upload-Metadata (tus 1.0.0, Creation): keys, each with a value in Base64, or with none."""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping

from entrepot.errors import ArgumentInvalid

_KEY = re.compile(r"[!-+\--~]+")  # printable ASCII but space and comma


def parse_metadata(text: str) -> dict[str, bytes] | None:
    """The values by key; None for a text that is not sound. A field that is empty has no keys."""
    found: dict[str, bytes] = {}
    if not text.strip():
        return found
    for pair in text.split(","):
        key, _, encoded = pair.strip(" \t").partition(" ")
        value = parse_base64(encoded.strip(" "))
        if value is None or key in found or not _KEY.fullmatch(key):
            return None
        found[key] = value
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
