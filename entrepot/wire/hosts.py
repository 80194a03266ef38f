"""What a host may be called."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

MOST: Final = 261
"""Bytes of the longest name there is (RFC 1035 §2.3.4), with a colon and a port."""

_HOST: Final = re.compile(rb"(?:(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?")


def is_host(value: bytes) -> bool:
    """Whether a field Host can be one: a name or an address, and a port (RFC 3986 §3.2.2)."""
    return len(value) <= MOST and _matches(value)


@lru_cache(maxsize=1024)
def _matches(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None
