"""Who a request claims to come from, and everything its signature depends on, read but not proven.

Signature Version 4 puts this into the Authorization header or into ``X-Amz-*`` parameters of the
query. Neither means an anonymous request; both, or half of either, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.doors.s3 import timestamps
from entrepot.doors.s3.canonical import Pairs, header_value, query_pairs
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.wire.http import Headers, Request

ALGORITHM: Final = b"AWS4-HMAC-SHA256"
LONGEST: Final = 7 * 86400
"""Seconds that a presigned request may be valid."""

_MALFORMED: Final = "AuthorizationHeaderMalformed"
_BAD_QUERY: Final = "AuthorizationQueryParametersError"
_AUTHORIZATION: Final = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=([^\s,]+) *, *SignedHeaders=([^\s,]+) *, *Signature=([^\s,]+) *",
)
_DAY: Final = re.compile(rb"[0-9]{8}")
_SHA256: Final = re.compile(rb"[0-9A-Fa-f]{64}")
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


class Payload(Enum):
    """What a signature says about the body: the values of ``x-amz-content-sha256``."""

    HASHED = "the SHA-256 of the body, in hex"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


_PAYLOADS: Final = {mode.value.encode(): mode for mode in Payload if mode is not Payload.HASHED}


@dataclass(slots=True)
class Claim:
    """What a request says of itself. Nothing in it is proven before ``signature.check``."""

    access_key: str
    date: str
    """Day of the credential scope, ``YYYYMMDD``."""
    region: str
    service: str
    signed_headers: bytes
    """The list as sent: lower case, sorted, joined by ``;``."""
    signature: bytes
    timestamp: str
    """``YYYYMMDD'T'HHMMSS'Z'``."""
    time: int
    """The timestamp in epoch seconds."""
    expires: int | None
    """Seconds of validity of a presigned request, else None."""
    payload: bytes
    """Last line of the canonical request."""
    mode: Payload
    token: str | None
    """The session token (``x-amz-security-token``), if any."""
    values: dict[bytes, bytes]
    """Canonical values of the signed headers that the request has."""
    query: Pairs
    """Canonical query, without the signature."""

    @property
    def presigned(self) -> bool:
        """Whether the signature came in the query."""
        return self.expires is not None

    def malformed(self, text: str, **fields: str) -> Refusal:
        """The refusal that S3 has for a bad credential, in the place where this one came from."""
        return refuse(_BAD_QUERY if self.presigned else _MALFORMED, text, **fields)


def parse(request: Request) -> Claim | None:
    """The claim of a request, or None when it is anonymous; raises Refusal for what is malformed."""
    authorization = request.headers.raw_get(b"authorization")
    query = query_pairs(request.raw_query) if request.raw_query else []
    parameters = _parameters(query) if query else None
    if authorization is not None:
        if parameters is not None:
            raise refuse(
                "InvalidArgument",
                "Sign either in the Authorization header or in the query, not in both.",
                ArgumentName="Authorization",
                ArgumentValue=_shown(authorization),
            )
        return _from_header(request.headers, authorization, query)
    if parameters is not None:
        return _from_query(request.headers, parameters, query)
    return None


def payload_mode(value: bytes) -> Payload:
    """The mode that a value of ``x-amz-content-sha256`` asks for; raises Refusal for others."""
    mode = _PAYLOADS.get(value)
    if mode is not None:
        return mode
    if _SHA256.fullmatch(value):
        return Payload.HASHED
    if value.startswith(b"STREAMING-AWS4-ECDSA-"):
        raise _no_ecdsa()
    raise refuse(
        "InvalidArgument",
        "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=_shown(value),
    )


# --- In the Authorization header


def _from_header(headers: Headers, authorization: bytes, query: Pairs) -> Claim:
    match = _AUTHORIZATION.fullmatch(authorization)
    credential, signed, signature = match.groups() if match else _unusual(authorization)
    access_key, day, region, service = _scope(credential, _MALFORMED)
    values = _signed_values(headers, _signed_names(signed, _MALFORMED))
    payload = values.get(b"x-amz-content-sha256")
    if payload is None:
        raise refuse("InvalidRequest", "Missing required header for this request: x-amz-content-sha256")
    mode = payload_mode(payload)
    timestamp, seconds = _header_date(headers, values)
    token = values.get(b"x-amz-security-token")
    return Claim(
        access_key,
        day,
        region,
        service,
        signed,
        signature,
        timestamp,
        seconds,
        None,
        payload,
        mode,
        None if token is None else token.decode("latin-1"),
        values,
        query,
    )


def _unusual(authorization: bytes) -> tuple[bytes, bytes, bytes]:
    """Components in another order or spacing than all known signers use, or the reason why not."""
    scheme, _, rest = authorization.strip().partition(b" ")
    if not scheme:
        raise refuse("AccessDenied", "The Authorization header is empty.")
    if scheme == b"AWS" and b":" in rest:
        raise _no_version_2()
    if scheme.startswith(b"AWS4-ECDSA-"):
        raise _no_ecdsa()
    if scheme != ALGORITHM:
        raise refuse(
            "InvalidArgument",
            "The type of the Authorization header is not supported: use AWS4-HMAC-SHA256.",
            ArgumentName="Authorization",
            ArgumentValue=_shown(authorization),
        )
    found: dict[bytes, bytes] = {}
    for component in rest.split(b","):
        name, _, value = component.strip().partition(b"=")
        if name not in (b"Credential", b"SignedHeaders", b"Signature") or name in found or not value:
            raise refuse(_MALFORMED, f"Unknown, repeated or empty component in the header: {_shown(name)!r}.")
        found[name] = value
    absent = [name for name in ("Credential", "SignedHeaders", "Signature") if name.encode() not in found]
    if absent:
        raise refuse(_MALFORMED, f"The header lacks {', '.join(absent)}.")
    return found[b"Credential"], found[b"SignedHeaders"], found[b"Signature"]


def _header_date(headers: Headers, values: dict[bytes, bytes]) -> tuple[str, int]:
    stamp = values.get(b"x-amz-date")
    try:
        if stamp is not None:
            return stamp.decode("latin-1"), timestamps.parse_basic(stamp)
        seconds = timestamps.parse_http(headers.get("date") or "")
        return timestamps.basic(seconds), seconds
    except ValueError:
        raise refuse("AccessDenied", "A signed request needs a valid x-amz-date or Date header.") from None


# --- In the query


def _parameters(query: Pairs) -> dict[bytes, bytes] | None:
    """The ``X-Amz-*`` parameters by lower-case name, or None when none of them is about a signature.

    Names are compared after decoding and without regard to case, so that no spelling of a
    parameter slips past a check here and is understood elsewhere.
    """
    found: dict[bytes, bytes] = {}
    signed = False
    problem = ""
    for name, value in query:
        lower = name.lower()
        if lower == b"awsaccesskeyid":
            raise _no_version_2()
        if not lower.startswith(b"x-amz-"):
            continue
        if lower in found:
            problem = f"{_shown(name)} is there more than once."
        elif lower in _SPELLING and name != _SPELLING[lower]:
            problem = f"{_shown(name)} must be spelt {_shown(_SPELLING[lower])}."
        found[lower] = value
        signed = signed or lower in _PARAMETERS
    if not signed:
        return None
    if problem:
        raise refuse(_BAD_QUERY, problem)
    return found


def _from_query(headers: Headers, found: dict[bytes, bytes], query: Pairs) -> Claim:
    algorithm = found.get(b"x-amz-algorithm", b"")
    if algorithm.startswith(b"AWS4-ECDSA-"):
        raise _no_ecdsa()
    missing = [name.decode() for lower, name in _PARAMETERS.items() if not found.get(lower)]
    if missing:
        raise refuse(_BAD_QUERY, f"A presigned request needs these parameters too: {', '.join(missing)}.")
    if algorithm != ALGORITHM:
        raise refuse(_BAD_QUERY, "X-Amz-Algorithm must be AWS4-HMAC-SHA256.")
    access_key, day, region, service = _scope(unquote_to_bytes(found[b"x-amz-credential"]), _BAD_QUERY)
    signed = unquote_to_bytes(found[b"x-amz-signedheaders"])
    values = _signed_values(headers, _signed_names(signed, _BAD_QUERY))
    payload, mode = _presigned_payload(found, values)
    stamp = found[b"x-amz-date"]
    try:
        seconds = timestamps.parse_basic(stamp)
    except ValueError as error:
        raise refuse(_BAD_QUERY, f"X-Amz-Date is {error}.") from None
    token = found.get(b"x-amz-security-token")
    return Claim(
        access_key,
        day,
        region,
        service,
        signed,
        found[b"x-amz-signature"],
        stamp.decode("ascii"),
        seconds,
        _expires(found[b"x-amz-expires"]),
        payload,
        mode,
        None if token is None else unquote_to_bytes(token).decode("latin-1"),
        values,
        [pair for pair in query if pair[0] != b"X-Amz-Signature"],
    )


def _presigned_payload(found: dict[bytes, bytes], values: dict[bytes, bytes]) -> tuple[bytes, Payload]:
    in_query = found.get(b"x-amz-content-sha256")
    in_header = values.get(b"x-amz-content-sha256")
    if in_query is not None and in_header is not None and in_query != in_header:
        raise refuse(_BAD_QUERY, "x-amz-content-sha256 differs between the query and the header.")
    payload = in_header if in_header is not None else in_query
    if payload is None:
        return b"UNSIGNED-PAYLOAD", Payload.UNSIGNED
    mode = payload_mode(payload)
    if mode not in (Payload.HASHED, Payload.UNSIGNED):
        raise refuse("InvalidRequest", "A presigned request cannot have a STREAMING payload.")
    return payload, mode


def _expires(value: bytes) -> int:
    if not re.fullmatch(rb"-?[0-9]+", value):
        raise refuse(_BAD_QUERY, "X-Amz-Expires must be a number of seconds.")
    # Seven digits are out of bounds already; more must not become a huge integer.
    seconds = int(value) if len(value) <= 7 else LONGEST + 1
    if not 0 < seconds <= LONGEST:
        raise refuse("AccessDenied", f"X-Amz-Expires must be between 1 and {LONGEST} seconds.")
    return seconds


# --- Common to both


@lru_cache(maxsize=1024)
def _scope(credential: bytes, code: str) -> tuple[str, str, str, str]:
    """Access key, day, region and service of ``KEY/YYYYMMDD/REGION/SERVICE/aws4_request``."""
    parts = credential.rsplit(b"/", 4)
    if len(parts) != 5 or not all(parts) or parts[4] != b"aws4_request" or not credential.isascii():
        raise refuse(code, "The Credential must be <access key>/YYYYMMDD/<region>/<service>/aws4_request.")
    if not _DAY.fullmatch(parts[1]):
        raise refuse(code, f"The date in the Credential is not YYYYMMDD: {_shown(parts[1])!r}.")
    access_key, day, region, service, _ = credential.decode("ascii").rsplit("/", 4)
    return access_key, day, region, service


def _signed_names(signed: bytes, code: str) -> frozenset[bytes]:
    names = _names(signed)
    if names is None:
        raise refuse(code, "SignedHeaders must name headers in lower case, sorted, each once, host among them.")
    return names


@lru_cache(maxsize=256)
def _names(signed: bytes) -> frozenset[bytes] | None:
    names = signed.split(b";")
    wanted = frozenset(names)
    if signed != signed.lower() or names != sorted(wanted) or b"host" not in wanted or b"" in wanted:
        return None
    return wanted


def _signed_values(headers: Headers, names: frozenset[bytes]) -> dict[bytes, bytes]:
    """Canonical values of the signed headers; refuses a request with an ``x-amz-*`` header not signed."""
    values: dict[bytes, bytes] = {}
    unsigned: list[bytes] = []
    authorizations = 0
    for name, raw in headers.raw:
        if name in names:
            value = header_value(raw)
            values[name] = values[name] + b"," + value if name in values else value
        elif name.startswith(b"x-amz-"):
            unsigned.append(name)
        elif name == b"authorization":
            authorizations += 1
    if unsigned:
        raise refuse(
            "AccessDenied",
            "There are headers in the request that the signature must cover and does not.",
            HeadersNotSigned=", ".join(_shown(name) for name in unsigned),
        )
    if authorizations > 1:
        raise refuse("InvalidArgument", "There is more than one Authorization header.")
    host = values.get(b"host")
    if not host or b"," in host:
        raise refuse("InvalidRequest", "A signed request needs exactly one Host header.")
    return values


def _shown(raw: bytes) -> str:
    return raw[:256].decode("ascii", "backslashreplace")


def _no_version_2() -> Refusal:
    return refuse("InvalidRequest", "Signature Version 2 is not supported: sign with AWS4-HMAC-SHA256.")


def _no_ecdsa() -> Refusal:
    return refuse("NotImplemented", "AWS4-ECDSA-P256-SHA256 is not implemented: sign with AWS4-HMAC-SHA256.")
