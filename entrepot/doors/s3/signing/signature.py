"""Signature Version 4: the proof that a request comes from the holder of a secret key.

Pure: no clock and no look-ups. A request is judged in two steps, because the secret is found between
them: :func:`parse` reads who signed what, by their own word, :func:`check` proves it. Both raise
:class:`~entrepot.doors.s3.refusal.Refusal`. A request sent again while it is valid is accepted, as
the protocol has it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing import timestamps
from entrepot.doors.s3.signing.authorization import Authorization, Payload, parse
from entrepot.doors.s3.signing.canonical import canonical_request, path_forms
from entrepot.doors.s3.signing.presigned import Fields
from entrepot.wire.http import Request

__all__ = [
    "SKEW", "Authorization", "Payload", "Verified", "check", "mismatch", "parse", "sign", "signing_key", "unknown_key",
]  # fmt: skip

SKEW: Final = 900
"""Seconds that the clock of a client may be off."""

# What XML 1.0 cannot hold, and the carriage return that it would change.
_NOT_XML: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f\ufffe\uffff]")


@dataclass(slots=True)
class Verified:
    """A proven signature, and what the body decoders need of it."""

    access_key: str
    mode: Payload
    sha256: str | None
    """The digest that the body must have, lower-case hex, when the payload is signed as a whole."""
    signature: bytes
    """Seed of the chain of chunk signatures."""
    key: bytes = field(repr=False)
    """The signing key of the day; a log must not show it."""
    scope: bytes
    """``YYYYMMDD/region/service/aws4_request``."""
    timestamp: bytes
    fields: Fields = ()
    """Header fields that stand in the query, signed with it."""


def check(
    said: Authorization,
    request: Request,
    secret: str,
    *,
    now: float,
    region: str,
    service: str = "s3",
) -> Verified:
    """Prove an authorization with the secret of its access key, or raise Refusal.

    ``now`` is in epoch seconds; ``region`` and ``service`` are what the credential must be for.
    """
    _check_scope(said, region, service)
    check_time(said, now)
    key = signing_key(secret, said.date, said.region, said.service)
    scope = _scope(said.date, said.region, said.service)
    forms = path_forms(request.raw_path)
    for path in forms:
        to_sign, _ = _texts(said, request.method, path, scope)
        if hmac.compare_digest(sign(key, to_sign), said.signature):
            sha256 = said.payload.decode().lower() if said.mode is Payload.HASHED else None
            stamp = said.timestamp.encode()
            return Verified(said.access_key, said.mode, sha256, said.signature, key, scope, stamp, said.fields)
    to_sign, canonical = _texts(said, request.method, forms[0], scope)
    raise mismatch(said.access_key, said.signature, to_sign, canonical)


def _texts(said: Authorization, method: str, path: bytes, scope: bytes) -> tuple[bytes, bytes]:
    """The string to sign, and the canonical request in it."""
    text = canonical_request(method, path, said.query, said.values, said.signed_headers, said.payload)
    digest = hashlib.sha256(text).hexdigest().encode()
    return b"\n".join((b"AWS4-HMAC-SHA256", said.timestamp.encode(), scope, digest)), text


def _check_scope(said: Authorization, region: str, service: str) -> None:
    if said.region != region:
        # The Region element is what lets an SDK sign again for the right one.
        raise said.malformed(f"the region '{said.region}' is wrong; expecting '{region}'", Region=region)
    if said.service != service:
        raise said.malformed(f'incorrect service "{said.service}". This endpoint belongs to "{service}".')
    if said.timestamp[:8] != said.date:
        raise said.malformed(
            f'Invalid credential date "{said.date}". This date is not the same as X-Amz-Date: "{said.timestamp[:8]}".'
        )


def check_time(said: Authorization, now: float) -> None:
    """Raise Refusal for a request signed for another time than ``now``, in epoch seconds."""
    if said.expires is None:
        if abs(now - said.time) > SKEW:
            raise refuse(
                "RequestTimeTooSkewed",
                RequestTime=said.timestamp,
                ServerTime=timestamps.extended(now),
                MaxAllowedSkewMilliseconds=str(SKEW * 1000),
            )
        return
    if said.time > now + SKEW:
        raise refuse(
            "AccessDenied",
            sentence="Request is not valid yet",
            RequestTime=said.timestamp,
            ServerTime=timestamps.extended(now),
        )
    end = said.time + said.expires
    if now > end:
        raise refuse(
            "AccessDenied",
            sentence="Request has expired",
            **{"X-Amz-Expires": str(said.expires)},
            Expires=timestamps.extended(end),
            ServerTime=timestamps.extended(now),
        )


@lru_cache(maxsize=1024)
def _scope(date: str, region: str, service: str) -> bytes:
    return f"{date}/{region}/{service}/aws4_request".encode()


@lru_cache(maxsize=1024)
def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, region and service; the last thousand are remembered."""
    key = b"AWS4" + secret.encode()
    for part in (date, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def sign(key: bytes, text: bytes) -> bytes:
    """The signature of a string to sign, in lower-case hex."""
    code = _keyed(key).copy()
    code.update(text)
    return code.hexdigest().encode()


@lru_cache(maxsize=1024)
def _keyed(key: bytes) -> hmac.HMAC:
    """What is the same in every signature under a key: to look for the algorithm and take up the key costs more than
    the text does.
    """
    return hmac.new(key, digestmod="sha256")


def unknown_key(access_key: str) -> Refusal:
    """The refusal for an access key that does not exist."""
    return refuse("InvalidAccessKeyId", AWSAccessKeyId=access_key)


def mismatch(access_key: str, provided: bytes, to_sign: bytes, canonical: bytes | None = None) -> Refusal:
    """A wrong signature, with the texts from which the client can find out why.

    They hold nothing but what the client sent; the signature that would be right is not among them.
    """
    fields = {
        "AWSAccessKeyId": access_key,
        "StringToSign": _readable(to_sign),
        "SignatureProvided": _readable(provided),
        "StringToSignBytes": to_sign.hex(" "),
    }
    if canonical is not None:
        fields["CanonicalRequest"] = _readable(canonical)
        fields["CanonicalRequestBytes"] = canonical.hex(" ")
    return refuse("SignatureDoesNotMatch", **fields)


def _readable(raw: bytes) -> str:
    return _NOT_XML.sub(lambda found: f"\\x{ord(found[0]):02x}", raw.decode("utf-8", "backslashreplace"))
