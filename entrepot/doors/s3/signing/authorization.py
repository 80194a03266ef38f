"""Who a request says it comes from, and everything its signature depends on, read but not proven.

Signature Version 4 puts this into the Authorization header or into ``X-Amz-*`` parameters of the
query. Neither means an anonymous request; both, or half of either, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing import timestamps
from entrepot.doors.s3.signing.canonical import header_value
from entrepot.doors.s3.signing.credentials import (
    ALGORITHM,
    ONE_PROOF,
    no_ecdsa,
    no_version_2,
    scope,
    shown,
    signed_names,
)
from entrepot.doors.s3.signing.presigned import BAD_QUERY, CONDITIONS, Fields, Presigned, read_query, read_unsigned
from entrepot.wire.http import Headers, Request

_MALFORMED: Final = "AuthorizationHeaderMalformed"
_AUTHORIZATION: Final = re.compile(
    rb"AWS4-HMAC-SHA256 +Credential=([^\s,]+) *, *SignedHeaders=([^\s,]+) *, *Signature=([^\s,]+) *",
)
_BODILESS: Final = frozenset({"GET", "HEAD"})
_OF_NO_BODY: Final = frozenset({b"x-amz-content-sha256"})
_NOTHING: Final[frozenset[bytes]] = frozenset()
_SHA256: Final = re.compile(rb"[0-9A-Fa-f]{64}")


class Payload(Enum):
    """What a signature says about the body: the values of ``x-amz-content-sha256``."""

    HASHED = "the SHA-256 of the body, in hex"
    UNSIGNED = "UNSIGNED-PAYLOAD"
    CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
    CHUNKS_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
    UNSIGNED_TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


_PAYLOADS: Final = {mode.value.encode(): mode for mode in Payload if mode is not Payload.HASHED}


@dataclass(slots=True)
class Authorization:
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
    query: bytes
    """Canonical query, without the signature."""
    fields: Fields = ()
    """Header fields that stand in a presigned query instead of the head."""

    @property
    def presigned(self) -> bool:
        """Whether the signature came in the query."""
        return self.expires is not None

    def malformed(self, why: str, **fields: str) -> Refusal:
        """The refusal that S3 has for a bad credential, in the place where this one came from."""
        if self.presigned:
            return refuse(BAD_QUERY, sentence=f"Error parsing the X-Amz-Credential parameter; {why}", **fields)
        return refuse(_MALFORMED, sentence=f"The authorization header is malformed; {why}", **fields)


def parse(request: Request) -> Authorization | None:
    """The authorization of a request, or None when it is anonymous; raises Refusal for what is malformed."""
    authorization = request.headers.raw_get(b"authorization")
    raw = request.raw_query
    if authorization is not None:
        query = read_unsigned(raw) if raw else b""
        if query is None:
            raise refuse(
                "InvalidArgument",
                sentence=ONE_PROOF,
                ArgumentName="Authorization",
                ArgumentValue=shown(authorization),
            )
        return _from_header(request.headers, authorization, query)
    if not raw:
        return None
    presigned, query, signature = read_query(raw)
    return None if presigned is None else _from_query(request, presigned, query, signature)


def payload_mode(value: bytes) -> Payload:
    """The mode that a value of ``x-amz-content-sha256`` asks for; raises Refusal for others."""
    mode = _PAYLOADS.get(value)
    if mode is not None:
        return mode
    if _SHA256.fullmatch(value):
        return Payload.HASHED
    if value.startswith(b"STREAMING-AWS4-ECDSA-"):
        raise no_ecdsa()
    raise refuse(
        "InvalidArgument",
        sentence="x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER "
        "or a valid sha256 value.",
        ArgumentName="x-amz-content-sha256",
        ArgumentValue=shown(value),
    )


# --- In the Authorization header


def _from_header(headers: Headers, authorization: bytes, query: bytes) -> Authorization:
    match = _AUTHORIZATION.fullmatch(authorization)
    credential, signed, signature = match.groups() if match else _unusual(authorization)
    access_key, day, region, service = scope(credential, _MALFORMED)
    values = _signed_values(headers, signed_names(signed, _MALFORMED))
    payload = values.get(b"x-amz-content-sha256")
    if payload is None:
        raise refuse("InvalidRequest", sentence="Missing required header for this request: x-amz-content-sha256")
    mode = payload_mode(payload)
    timestamp, seconds = _header_date(headers, values)
    token = values.get(b"x-amz-security-token")
    return Authorization(
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
        raise no_version_2()
    if scheme.startswith(b"AWS4-ECDSA-"):
        raise no_ecdsa()
    if scheme != ALGORITHM:
        raise refuse(
            "InvalidArgument",
            "Use AWS4-HMAC-SHA256.",
            sentence="Unsupported Authorization Type",
            ArgumentName="Authorization",
            ArgumentValue=shown(authorization),
        )
    found: dict[bytes, bytes] = {}
    for component in rest.split(b","):
        name, _, value = component.strip().partition(b"=")
        if name not in (b"Credential", b"SignedHeaders", b"Signature") or name in found or not value:
            raise refuse(_MALFORMED, f"Unknown, repeated or empty component in the header: {shown(name)!r}.")
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
        raise refuse("AccessDenied", sentence="AWS authentication requires a valid Date or x-amz-date header") from None


def _from_query(request: Request, said: Presigned, query: bytes, signature: bytes) -> Authorization:
    # What is said of a body that there is none of harms nothing: some clients say it of every request.
    values = _signed_values(request.headers, said.names, _OF_NO_BODY if request.method in _BODILESS else _NOTHING)
    payload, mode = _presigned_payload(said.payload, values.get(b"x-amz-content-sha256"))
    for name, _ in said.fields:
        if name in values or (name in CONDITIONS and request.headers.raw_get(name) is not None):
            raise refuse(BAD_QUERY, f"{shown(name)} is both in the query and in the header.")
    return Authorization(
        said.access_key,
        said.date,
        said.region,
        said.service,
        said.signed_headers,
        signature,
        said.timestamp,
        said.time,
        said.expires,
        payload,
        mode,
        said.token,
        values,
        query,
        said.fields,
    )


def _presigned_payload(in_query: bytes | None, in_header: bytes | None) -> tuple[bytes, Payload]:
    if in_query is not None and in_header is not None and in_query != in_header:
        raise refuse(BAD_QUERY, "x-amz-content-sha256 differs between the query and the header.")
    payload = in_header if in_header is not None else in_query
    if payload is None:
        return b"UNSIGNED-PAYLOAD", Payload.UNSIGNED
    mode = payload_mode(payload)
    if mode not in (Payload.HASHED, Payload.UNSIGNED):
        raise refuse("InvalidRequest", "A presigned request cannot have a STREAMING payload.")
    return payload, mode


def _signed_values(
    headers: Headers, names: frozenset[bytes], spared: frozenset[bytes] = _NOTHING
) -> dict[bytes, bytes]:
    """Canonical values of the signed headers; refuses a request with an ``x-amz-*`` header not signed, but for those
    that are ``spared``.
    """
    values: dict[bytes, bytes] = {}
    unsigned: list[bytes] = []
    authorizations = 0
    for name, raw in headers.raw:
        if name in names:
            value = header_value(raw)
            values[name] = values[name] + b"," + value if name in values else value
        elif name.startswith(b"x-amz-") and name not in spared:
            unsigned.append(name)
        elif name == b"authorization":
            authorizations += 1
    if unsigned:
        raise refuse(
            "AccessDenied",
            sentence="There were headers present in the request which were not signed",
            HeadersNotSigned=", ".join(shown(name) for name in unsigned),
        )
    if authorizations > 1:
        raise refuse("InvalidArgument", "There is more than one Authorization header.")
    host = values.get(b"host")
    if not host or b"," in host:
        raise refuse("InvalidRequest", "A signed request needs exactly one Host header.")
    return values
