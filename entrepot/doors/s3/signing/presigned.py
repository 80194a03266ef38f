"""What a query says of a signature, apart from the signature itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.signing import timestamps
from entrepot.doors.s3.signing.canonical import Pairs, query_pairs
from entrepot.doors.s3.signing.credentials import ALGORITHM, no_ecdsa, no_version_2, scope, shown, signed_names

LONGEST: Final = 7 * 86400
"""Seconds that a presigned request may be valid."""

_NEEDED: Final = (
    "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, "
    "X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."
)
_DATE: Final = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""
_TOO_LONG: Final = (
    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than "
    f"{LONGEST} seconds"
)

BAD_QUERY: Final = "AuthorizationQueryParametersError"
_PARAMETERS: Final = {
    name.lower(): name
    for name in (
        b"X-Amz-Algorithm",
        b"X-Amz-Credential",
        b"X-Amz-Date",
        b"X-Amz-Expires",
        b"X-Amz-SignedHeaders",
        b"X-Amz-Signature",
    )
}
_OPTIONAL: Final = {name.lower(): name for name in (b"X-Amz-Security-Token", b"X-Amz-Content-Sha256")}
_SPELLING: Final = _PARAMETERS | _OPTIONAL

Fields = tuple[tuple[bytes, bytes], ...]
"""Header fields by lower-case name."""

# What is said of the bytes of a body. Whoever presigns has no body yet: the checksum that some SDKs
# write here all the same is that of nothing, and S3 passes it over.
OF_THE_BODY: Final = frozenset({
    b"x-amz-decoded-content-length", b"x-amz-sdk-checksum-algorithm", b"x-amz-trailer",
    *(b"x-amz-checksum-" + name for name in (b"crc32", b"crc32c", b"crc64nvme", b"md5", b"sha1", b"sha256", b"sha512",
                                             b"xxhash128", b"xxhash3", b"xxhash64")),
})  # fmt: skip
CONDITIONS: Final = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})
"""Preconditions, which count in a query as they do in the head."""

CONTROL: Final = re.compile(rb"[\x00-\x1f\x7f]")


def split_signature(raw_query: bytes) -> tuple[bytes, bytes]:
    """A presigned query without its signature, and the signature: b"" unless it is the last parameter and
    plain, as all known signers write it.
    """
    if raw_query[-81:-64] == b"&X-Amz-Signature=" and raw_query[-64:].isalnum():
        return raw_query[:-81], raw_query[-64:]
    return raw_query, b""


@dataclass(frozen=True, slots=True)
class Presigned:
    """What a presigned query says, but for the signature itself."""

    access_key: str
    date: str
    region: str
    service: str
    signed_headers: bytes
    names: frozenset[bytes]
    timestamp: str
    time: int
    expires: int
    payload: bytes | None
    token: str | None
    fields: Fields
    """Header fields that the query stands for."""


def read_query(raw: bytes) -> tuple[Presigned | None, bytes, bytes]:
    """What a query says of a signature if it has one, its canonical form, and the signature. Who signs many
    requests in a second repeats all but the last, so that is what is remembered.
    """
    unsigned, signature = split_signature(raw)
    if not signature:
        return _parse_query(raw)
    short = len(unsigned) <= _REMEMBERED_BYTES and unsigned.count(b"&") < _REMEMBERED_PARAMETERS
    found, query, _ = (_remembered_query if short else _parse_signed_query)(unsigned)
    return found, query, signature


def read_unsigned(raw: bytes) -> bytes | None:
    """The canonical form of a query without anything of a signature in it; None when there is."""
    query = query_pairs(raw)
    return _joined(query) if _parameters(query) is None else None


def _parse_query(raw: bytes) -> tuple[Presigned | None, bytes, bytes]:
    query = query_pairs(raw)
    found = _parameters(query)
    presigned = None if found is None else _presigned(found)
    return presigned, _joined(query), b"" if found is None else found[b"x-amz-signature"]


def _joined(query: Pairs) -> bytes:
    return b"&".join([name + b"=" + value for name, value in query if name != b"X-Amz-Signature"])


def _parse_signed_query(unsigned: bytes) -> tuple[Presigned | None, bytes, bytes]:
    return _parse_query(unsigned + b"&X-Amz-Signature=" + b"0" * 64)


# Of what anybody may send nothing long is kept, and nothing that comes to much.
_REMEMBERED_BYTES: Final = 1024
_REMEMBERED_PARAMETERS: Final = 24
_remembered_query = lru_cache(maxsize=1024)(_parse_signed_query)


def _presigned(found: dict[bytes, bytes]) -> Presigned:
    algorithm = found.get(b"x-amz-algorithm", b"")
    if algorithm.startswith(b"AWS4-ECDSA-"):
        raise no_ecdsa()
    missing = [name.decode() for lower, name in _PARAMETERS.items() if not found.get(lower)]
    if missing:
        raise refuse(BAD_QUERY, f"There is no {', '.join(missing)}.", sentence=_NEEDED)
    if algorithm != ALGORITHM:
        raise refuse(BAD_QUERY, sentence='X-Amz-Algorithm only supports "AWS4-HMAC-SHA256 and AWS4-ECDSA-P256-SHA256"')
    access_key, day, region, service = scope(unquote_to_bytes(found[b"x-amz-credential"]), BAD_QUERY)
    signed = unquote_to_bytes(found[b"x-amz-signedheaders"])
    names = signed_names(signed, BAD_QUERY)
    stamp = found[b"x-amz-date"]
    try:
        seconds = timestamps.parse_basic(stamp)
    except ValueError:
        raise refuse(BAD_QUERY, sentence=_DATE) from None
    token = found.get(b"x-amz-security-token")
    return Presigned(
        access_key,
        day,
        region,
        service,
        signed,
        names,
        stamp.decode("ascii"),
        seconds,
        _expires(found[b"x-amz-expires"]),
        found.get(b"x-amz-content-sha256"),
        None if token is None else unquote_to_bytes(token).decode("latin-1"),
        tuple(_fields(found)),
    )


def _fields(found: dict[bytes, bytes]) -> Iterator[tuple[bytes, bytes]]:
    """The ``x-amz-`` parameters that are no part of the signature, and preconditions. Some SDKs move header fields
    there when they presign, so that whoever uses the address need not know of them; S3 takes them for the fields.
    """
    for encoded_name, encoded_value in found.items():
        name, value = unquote_to_bytes(encoded_name), unquote_to_bytes(encoded_value).strip(b" ")
        if encoded_name in _SPELLING or name in OF_THE_BODY:
            continue
        if CONTROL.search(name + value):
            raise refuse(BAD_QUERY, f"{shown(name)} must not hold control characters.")
        yield name, value


def _parameters(query: Pairs) -> dict[bytes, bytes] | None:
    """The ``X-Amz-*`` parameters and preconditions by lower-case name, or None when none of them is about a signature.

    Names are compared after decoding and without regard to case, so that no spelling of a
    parameter slips past a check here and is understood elsewhere.
    """
    found: dict[bytes, bytes] = {}
    signed = False
    problem = ""
    for name, value in query:
        lower = name.lower()
        if lower == b"awsaccesskeyid":
            raise no_version_2()
        if not lower.startswith(b"x-amz-") and lower not in CONDITIONS:
            continue
        if lower in found:
            problem = f"{shown(name)} is there more than once."
        elif lower in _SPELLING and name != _SPELLING[lower]:
            problem = f"{shown(name)} must be spelt {shown(_SPELLING[lower])}."
        found[lower] = value
        signed = signed or lower in _PARAMETERS
    if not signed:
        return None
    if problem:
        raise refuse(BAD_QUERY, problem)
    return found


def _expires(value: bytes) -> int:
    if not re.fullmatch(rb"-?[0-9]+", value):
        raise refuse(BAD_QUERY, sentence="X-Amz-Expires should be a number")
    # Seven digits are out of bounds already; more must not become a huge integer.
    seconds = int(value) if len(value) <= 7 else LONGEST + 1
    if value.startswith(b"-"):
        raise refuse(BAD_QUERY, sentence="X-Amz-Expires must be non-negative")
    if not 0 < seconds <= LONGEST:
        raise refuse(BAD_QUERY, f"It must be from 1 to {LONGEST}.", sentence=_TOO_LONG)
    return seconds
