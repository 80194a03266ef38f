"""Conditional requests (RFC 9110 §13), and conditions on a deletion, as :class:`Precondition`."""

from __future__ import annotations

import re

from entrepot.errors import ArgumentInvalid
from entrepot.model import ALWAYS, Precondition
from entrepot.wire.dates import parse_date, parse_http_date
from entrepot.wire.http import Headers

# An entity tag in quotes, weak or not, or a bare word as many S3 clients send it.
_ETAG = re.compile(r'(?P<weak>W/)?"(?P<quoted>[^"]*)"|(?P<bare>[^\s,"]+)')


def parse_conditions(headers: Headers, now: int, prefix: str = "") -> Precondition:
    """What If-Match, If-None-Match, If-Modified-Since and If-Unmodified-Since require, each with a prefix to its name
    that a protocol may have. ``now`` is in seconds since the epoch.

    A date that is none is ignored, and so is one in If-Modified-Since that is still to come (RFC 9110 §13.1.3; RFC
    7232 §3.3 called it invalid).
    """
    match = _all(headers, prefix + "if-match")
    none_match = _all(headers, prefix + "if-none-match")
    modified = headers.get(prefix + "if-modified-since")
    unmodified = headers.get(prefix + "if-unmodified-since")
    if match is None and none_match is None and modified is None and unmodified is None:
        return ALWAYS
    since = None if modified is None else parse_http_date(modified)
    return Precondition(
        if_match=() if match is None else parse_etags(match),
        if_none_match=() if none_match is None else parse_etags(none_match, weak=True),
        modified_since=None if since is None or since > now else since,
        unmodified_since=None if unmodified is None else parse_http_date(unmodified),
    )


def delete_condition(etag: str | None, modified: str | None, size: str | None) -> Precondition:
    """The condition of one deletion on an entity tag, a time of modification (HTTP or ISO 8601), and a size in bytes.

    Raises ArgumentInvalid for a time or size that is none: ignoring it would delete more than was asked.
    """
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
