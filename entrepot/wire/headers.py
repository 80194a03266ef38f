"""Header values: text that is safe to send, and free metadata.

The text of a value is UTF-8 where the bytes are, else Latin-1, so that whatever a client sends
becomes text that every door can show. Nothing with a line break ever becomes a header field.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from entrepot.errors import ArgumentInvalid
from entrepot.wire.http import Headers

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# RFC 2047 encoded words; white space between two of them belongs to the encoding.
_WORDS = re.compile(r"=\?[\w-]+\?[BbQq]\?[^? ]*\?=(?:[ \t]+=\?[\w-]+\?[BbQq]\?[^? ]*\?=)*", re.ASCII)
_WORD = re.compile(r"=\?([\w-]+)\?([BbQq])\?([^? ]*)\?=", re.ASCII)
_CHARSETS: Final = frozenset({"utf-8", "us-ascii", "iso-8859-1"})
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_Q_PLAIN: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
# An encoded word has at most 75 characters (RFC 2047 §2), 12 of which are not its payload.
_PAYLOAD: Final = 63


def text_of(raw: bytes) -> str:
    """The text of a header value."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def check_text(name: str, value: str) -> str:
    """The value itself; raises ArgumentInvalid when it holds a control character other than tab."""
    if _CONTROL.search(value):
        raise ArgumentInvalid(name, value, "must not hold control characters")
    return value


def make_field(name: str, value: str) -> tuple[bytes, bytes]:
    """A header field to send, the value in UTF-8. Raises ArgumentInvalid as :func:`check_text`."""
    return name.encode("ascii"), check_text(name, value).encode("utf-8")


def parse_user_metadata(headers: Headers, prefix: bytes) -> dict[str, str]:
    """The fields whose names begin with a prefix, by lower-case name without it.

    RFC 2047 words are decoded; several fields of one name become one value with commas. What names and
    sizes may be is for others to decide.
    """
    found: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        if raw_name.startswith(prefix):
            name = raw_name[len(prefix) :].decode("latin-1")
            value = decode_words(text_of(raw_value))
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


def user_metadata_fields(user: Mapping[str, str], prefix: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of an answer, each name with the prefix before it."""
    return [(prefix + name.encode("ascii"), encode_words(value)) for name, value in user.items()]


def encode_words(value: str) -> bytes:
    """Text for a field of free metadata: as it is when that is printable ASCII, else in RFC 2047
    words, in the shorter of the two encodings. :func:`decode_words` is the inverse.
    """
    if value.isascii() and value.isprintable() and value.strip() == value and decode_words(value) == value:
        return value.encode("ascii")
    raw = value.encode("utf-8")
    plain = sum(byte in _Q_PLAIN for byte in raw)
    return b" ".join(_q_words(value) if plain * 2 > len(raw) else _b_words(value))


def _b_words(value: str) -> Iterator[bytes]:
    for piece in _pieces(value, _PAYLOAD // 4 * 3, len):
        yield b"=?UTF-8?B?" + b64encode(piece) + b"?="


def _q_words(value: str) -> Iterator[bytes]:
    for piece in _pieces(value, _PAYLOAD, lambda raw: len(_quote(raw))):
        yield b"=?UTF-8?Q?" + _quote(piece) + b"?="


def _quote(raw: bytes) -> bytes:
    return b"".join(bytes((byte,)) if byte in _Q_PLAIN else b"=%02X" % byte for byte in raw)


def _pieces(value: str, limit: int, measure: Callable[[bytes], int]) -> Iterator[bytes]:
    """UTF-8 in pieces that measure at most ``limit``, no character cut."""
    piece, size = b"", 0
    for character in value:
        raw = character.encode("utf-8")
        width = measure(raw)
        if piece and size + width > limit:
            yield piece
            piece, size = b"", 0
        piece += raw
        size += width
    yield piece


def decode_words(value: str) -> str:
    """Text with its RFC 2047 words decoded; what is not a sound one stays as it is."""
    return _WORDS.sub(_decode_run, value) if "=?" in value else value


def _decode_run(run: re.Match[str]) -> str:
    decoded = []
    for word in _WORD.finditer(run[0]):
        charset = word[1].lower()
        raw = _unquote(word[3]) if word[2] in "Qq" else _unbase64(word[3])
        if charset not in _CHARSETS or raw is None:
            return run[0]
        try:
            decoded.append(raw.decode(charset))
        except UnicodeDecodeError:
            return run[0]
    return "".join(decoded)


def _unquote(payload: str) -> bytes | None:
    raw = payload.replace("_", " ").encode("latin-1", "replace")
    return _Q_ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw)


def _unbase64(payload: str) -> bytes | None:
    try:
        return b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        return None
