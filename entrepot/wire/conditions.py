"""Conditional requests (RFC 9110 §13) and the conditions that S3 adds, as :class:`Precondition`."""

from __future__ import annotations

import re
from typing import Final

from entrepot.errors import ArgumentInvalid
from entrepot.model import ALWAYS, Precondition
from entrepot.wire.dates import parse_date, parse_http_date
from entrepot.wire.http import Headers

# An entity tag in quotes, weak or not, or a bare word as many S3 clients send it.
_ETAG = re.compile(r'(?P<weak>W/)?"(?P<quoted>[^"]*)"|(?P<bare>[^\s,"]+)')

_COPY: Final = "x-amz-copy-source-"


def parse_conditions(headers: Headers) -> Precondition:
    """What If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since require.

    A date that is none is ignored (RFC 9110 §13.1.3).
    """
    return _conditions(headers, "")


def parse_source_conditions(headers: Headers) -> Precondition:
    """The same for the source of a copy: x-amz-copy-source-if-… (S3 CopyObject)."""
    return _conditions(headers, _COPY)


def parse_delete_conditions(headers: Headers) -> Precondition:
    """If-Match and the conditions of S3's DeleteObject on time and size.

    Raises ArgumentInvalid for a time or size that is none: ignoring it would delete more than
    was asked.
    """
    return delete_condition(
        headers.get("if-match"),
        headers.get("x-amz-if-match-last-modified-time"),
        headers.get("x-amz-if-match-size"),
    )


def delete_condition(etag: str | None, modified: str | None, size: str | None) -> Precondition:
    """The condition of one deletion, from the words of a header or of a DeleteObjects entry."""
    if etag is None and modified is None and size is None:
        return ALWAYS
    second = None
    if modified is not None:
        second = parse_date(modified)
        if second is None:
            raise ArgumentInvalid("last modified time", modified, "must be an HTTP or ISO 8601 date")
    length = None
    if size is not None:
        if not (size.isascii() and size.isdigit() and len(size) < 20):
            raise ArgumentInvalid("size", size, "must be a number of bytes")
        length = int(size)
    if_match = () if etag is None else parse_etags(etag)
    return Precondition(if_match=if_match, modified_at=second, size=length)


def _conditions(headers: Headers, prefix: str) -> Precondition:
    match = _all(headers, prefix + "if-match")
    none_match = _all(headers, prefix + "if-none-match")
    modified = headers.get(prefix + "if-modified-since")
    unmodified = headers.get(prefix + "if-unmodified-since")
    if match is None and none_match is None and modified is None and unmodified is None:
        return ALWAYS
    return Precondition(
        if_match=() if match is None else parse_etags(match),
        if_none_match=() if none_match is None else parse_etags(none_match, weak=True),
        modified_since=None if modified is None else parse_http_date(modified),
        unmodified_since=None if unmodified is None else parse_http_date(unmodified),
    )


def _all(headers: Headers, name: str) -> str | None:
    """A list field that was sent in several lines is one list."""
    return ", ".join(headers.all(name)) if name in headers else None


def parse_etags(value: str, *, weak: bool = False) -> tuple[str, ...]:
    """The bare entity tags of a list; ``*`` alone stands for any.

    With ``weak`` a weak tag matches like a strong one (If-None-Match); without, it stays marked
    and so matches nothing (If-Match, RFC 9110 §8.8.3.2). A quoted ``"*"`` is a tag like others
    and keeps its quotes. A field without any tag matches nothing, which is not the same as no
    field: the answer is never empty.
    """
    if value.strip() == "*":
        return ("*",)
    tags = []
    for match in _ETAG.finditer(value):
        tag = match["bare"] if match["quoted"] is None else match["quoted"]
        if tag == "*":
            tag = '"*"'
        elif match["weak"] and not weak:
            tag = match[0]
        tags.append(tag)
    return tuple(tags) or ("",)


def range_holds(if_range: str | None, etag: str, modified: int) -> bool:
    """Whether a Range may be answered (If-Range, RFC 9110 §13.1.5): the tag is the present one,
    or the date is exactly that of the last modification (``modified``, in seconds).
    """
    if if_range is None:
        return True
    second = parse_http_date(if_range)
    if second is not None:
        return second == modified
    return parse_etags(if_range) == (etag,)


def quote_etag(etag: str) -> bytes:
    """A bare entity tag as the value of an ETag field."""
    return f'"{etag}"'.encode("latin-1")
