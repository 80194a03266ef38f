"""The canonical request of Signature Version 4, over the bytes of the request as they came.

Pure functions. The rules are those of "Create a signed AWS API request" as S3 applies them: every
name, value and path segment is percent-encoded exactly once, nothing is normalised (``//``, ``.``
and ``..`` stay), and what is signed decodes to the same bytes that the operation will read.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_from_bytes, unquote_to_bytes

Pairs = list[tuple[bytes, bytes]]

# An escape that encoding produces itself: upper-case hex of an octet that is not unreserved.
_ESCAPE: Final = rb"%(?:[018-9A-F][0-9A-F]|2[0-9A-CF]|3[A-F]|40|5[B-E]|60|7[B-DF])"
_ENCODED: Final = re.compile(rb"(?:[A-Za-z0-9._~-]++|" + _ESCAPE + rb")*+")
_ENCODED_PATH: Final = re.compile(rb"(?:[A-Za-z0-9._~/-]++|" + _ESCAPE + rb")*+")
_ENCODED_QUERY: Final = re.compile(rb"(?:[A-Za-z0-9._~&=-]++|" + _ESCAPE + rb")*+")


def encoded(raw: bytes) -> bytes:
    """Decode once and encode once, leaving only ``A-Z a-z 0-9 - . _ ~`` as they are.

    A ``%`` that begins no escape stands for itself, as it does where the operation decodes.

    >>> encoded(b"a%2fb%41%zz")
    b'a%2FbA%25zz'
    """
    return quote_from_bytes(unquote_to_bytes(raw), safe="").encode("ascii")


def path_forms(raw: bytes) -> tuple[bytes, ...]:
    """The canonical forms that a signature over this path may have used, the usual one first.

    Signers differ about an escaped slash: some keep ``%2F`` inside a segment, S3 itself (and
    whoever encodes the decoded key) has ``/``. Both decode to the bytes of the key that was sent,
    so a signature still stands for one key only.

    >>> path_forms(b"/b/a%2fb/../x//%7e")
    (b'/b/a%2Fb/../x//~', b'/b/a/b/../x//~')
    """
    if not raw:
        return (b"/",)
    by_segment = raw if _ENCODED_PATH.fullmatch(raw) else b"/".join(map(encoded, raw.split(b"/")))
    if b"%2F" not in by_segment:
        return (by_segment,)
    return by_segment, by_segment.replace(b"%2F", b"/")


def query_pairs(raw: bytes) -> Pairs:
    """Names and values of the query, each encoded once, sorted as the canonical request wants.

    A ``+`` is a space, here as where operations read parameters
    (:meth:`entrepot.wire.http.Request.param`): were it a plus in one place only, a signature would
    cover another value than the one that is acted on.

    >>> query_pairs(b"prefix=a+b&acl&x=%7e/")
    [(b'acl', b''), (b'prefix', b'a%20b'), (b'x', b'~%2F')]
    """
    clean = _ENCODED_QUERY.fullmatch(raw) is not None
    pairs: Pairs = []
    for pair in raw.split(b"&"):
        if not pair:
            continue
        name, _, value = pair.partition(b"=")
        if not clean:
            name, value = _parameter(name), _parameter(value)
        elif b"=" in value:
            value = value.replace(b"=", b"%3D")
        pairs.append((name, value))
    pairs.sort()
    return pairs


def _parameter(raw: bytes) -> bytes:
    if _ENCODED.fullmatch(raw):
        return raw
    return encoded(raw.replace(b"+", b" "))


def header_value(raw: bytes) -> bytes:
    """Trimmed, and inner runs of white space made one space."""
    if b"  " in raw or b"\t" in raw:
        return b" ".join(raw.split())
    return raw.strip()


def canonical_request(
    method: str,
    path: bytes,
    query: bytes,
    values: dict[bytes, bytes],
    signed: bytes,
    payload: bytes,
) -> bytes:
    """The text whose digest is signed.

    ``values`` holds the canonical value of each header that the request has, ``signed`` the
    SignedHeaders list as it was sent. A listed header that the request lacks gets no line at all:
    no signer produces such a text, so the signature cannot match, and the text that goes back
    to the client shows what was missing.
    """
    lines = [method.encode("latin-1"), path, query]
    lines += [name + b":" + values[name] for name in signed.split(b";") if name in values]
    lines += (b"", signed, payload)
    return b"\n".join(lines)
