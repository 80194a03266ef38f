"""Byte ranges (RFC 9110 §14), with the liberties that S3 takes."""

from __future__ import annotations

import re

from entrepot.errors import RangeInvalid
from entrepot.model import Span

# More digits than any size has. Longer numbers would only cost time to convert.
_DIGITS = 20
_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]*)-([0-9]*)\s*", re.IGNORECASE | re.ASCII)


def parse_range(value: str | None, size: int) -> Span | None:
    """What of ``size`` bytes a Range header asks for; None when all of them are to be sent.

    A header that is not understood is ignored, as RFC 9110 §14.2 wants; so are several ranges
    and a suffix of an empty object, as S3 does (GetObject). A range that begins after the end,
    or a suffix of no bytes, raises RangeInvalid.
    """
    if value is None:
        return None
    match = _RANGE.fullmatch(value)
    if match is None:
        return None
    first, last = match.groups()
    if not first:
        return _suffix(value, last, size)
    start = _number(first)
    end = _number(last) + 1 if last else size
    if last and end <= start:
        return None
    if start >= size:
        raise RangeInvalid(size, value)
    return Span(start, min(end, size))


def _suffix(value: str, length: str, size: int) -> Span | None:
    if not length:
        return None
    wanted = _number(length)
    if wanted == 0:
        raise RangeInvalid(size, value)
    return Span(size - min(wanted, size), size) if size else None


def _number(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS else _long_number(digits)


def _long_number(digits: str) -> int:
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _DIGITS else 10**_DIGITS


def content_range(span: Span | None, size: int) -> str:
    """The value of Content-Range; with no span that of an answer 416."""
    return f"bytes */{size}" if span is None else f"bytes {span.start}-{span.end - 1}/{size}"
