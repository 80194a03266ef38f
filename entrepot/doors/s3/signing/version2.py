"""Signature Version 2 in the query, as boto3, s3cmd and many others still presign without being told otherwise.

Source: "Signing and authenticating REST requests" of the Amazon S3 developer guide, query string request
authentication. What it signs is less than what Version 4 does: no host, no headers but ``x-amz-`` ones and those of
the body, and of the query only what is in :data:`SIGNED`. So it is taken for reading and for writing one object, and
whatever else would change the meaning of a request has to be among the signed parameters.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.doors.s3.refusal import refuse
from entrepot.doors.s3.signing import timestamps
from entrepot.doors.s3.signing.authorization import Payload, payload_mode
from entrepot.doors.s3.signing.canonical import path_forms
from entrepot.doors.s3.signing.credentials import ONE_PROOF, shown
from entrepot.doors.s3.signing.presigned import BAD_QUERY, CONDITIONS, CONTROL, OF_THE_BODY, Fields
from entrepot.doors.s3.signing.signature import Verified, mismatch
from entrepot.doors.s3.subresources import SUBRESOURCES
from entrepot.wire.http import Headers, Request

MARK: Final = b"AWSAccessKeyId="
"""What every query that is signed so has in it."""

METHODS: Final = frozenset({"GET", "HEAD", "PUT"})

SIGNED: Final = frozenset(name.encode() for name in (
    "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "inventory", "lifecycle", "location",
    "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
    "response-cache-control", "response-content-disposition", "response-content-encoding",
    "response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
    "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
))  # fmt: skip
"""Parameters that belong to the signed resource."""

_UNSIGNED: Final = frozenset(name.encode() for name in SUBRESOURCES) - SIGNED - {b"list-type"}
"""Parameters that would make another operation of a request, and that no signature of this version covers."""

_OWN: Final = (b"AWSAccessKeyId", b"Expires", b"Signature")
_VERSION_4: Final = frozenset({b"x-amz-signature", b"x-amz-algorithm"})
_NAME: Final = re.compile(rb"[a-z0-9!#$%&'*+.^_`|~-]+")
_OF_THE_HEAD: Final = (b"content-md5", b"content-type")

Pairs = list[tuple[bytes, bytes | None]]


@dataclass(frozen=True, slots=True)
class Said:
    """What a request says of its signature. Nothing in it is proven before :func:`check`."""

    access_key: str
    signature: bytes
    expires: int
    """Epoch seconds up to which the address is good."""
    token: bool
    """Whether there is a session token."""
    texts: tuple[bytes, ...]
    """The strings that may have been signed: all of them mean this request, and no other."""
    mode: Payload
    sha256: str | None
    """The digest that the body must have, if it is said."""
    fields: Fields
    """Header fields that stand in the query."""


def parse(request: Request, host_bucket: str) -> Said | None:
    """What a request says, None when it is not signed so. ``host_bucket`` is the bucket that its host names, if any.

    Raises Refusal for what is malformed or cannot be signed in this way.
    """
    pairs = [_decoded(pair) for pair in request.raw_query.split(b"&") if pair]
    names = [name for name, _ in pairs]
    if _OWN[0] not in names:
        return None
    _check_alone(request, names)
    own = {name: value or b"" for name, value in pairs if name in _OWN}
    if not all(own.get(name) for name in _OWN):
        raise refuse(
            "AccessDenied",
            sentence="Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters",
        )
    amz, fields = _fields(request.headers, pairs)
    head = {name: value for name, value in fields if name in _OF_THE_HEAD}
    body = [_header(request.headers, name) or head.get(name, b"") for name in _OF_THE_HEAD]
    begin = b"\n".join((request.method.encode(), *body, own[b"Expires"], *[n + b":" + v for n, v in sorted(amz)], b""))
    query = _signed_query(pairs)
    texts = tuple(begin + path + query for path in _paths(request, host_bucket))
    mode, sha256 = _payload(dict(amz).get(b"x-amz-content-sha256"))
    return Said(
        own[b"AWSAccessKeyId"].decode("utf-8", "replace"), own[b"Signature"].replace(b" ", b"+"),
        _expires(own[b"Expires"]), b"x-amz-security-token" in dict(amz), texts, mode, sha256,
        tuple(fields),
    )  # fmt: skip


def check(said: Said, secret: str, now: float) -> Verified:
    """Prove it with the secret of its access key; ``now`` is in epoch seconds. Raises Refusal."""
    check_time(said, now)
    for text in said.texts:
        right = b64encode(hmac.digest(secret.encode(), text, "sha1"))
        if hmac.compare_digest(right, said.signature):
            return Verified(said.access_key, said.mode, said.sha256, b"", b"", b"", b"", said.fields)
    raise mismatch(said.access_key, said.signature, said.texts[0])


def check_time(said: Said, now: float) -> None:
    """Raise Refusal for an address that is not good any more."""
    if now > said.expires:
        raise refuse(
            "AccessDenied", sentence="Request has expired",
            Expires=timestamps.extended(said.expires), ServerTime=timestamps.extended(now),
        )  # fmt: skip


def _check_alone(request: Request, names: list[bytes]) -> None:
    """Refuse what this signature does not reach, and a second one beside it."""
    lower = {name.lower() for name in names}
    if request.headers.raw_get(b"authorization") is not None or not lower.isdisjoint(_VERSION_4):
        raise refuse("InvalidArgument", sentence=ONE_PROOF)
    for name in _OWN:
        if names.count(name) > 1:
            raise refuse("InvalidArgument", f"{name.decode()} is there more than once.")
    if request.method not in METHODS:
        raise refuse("InvalidRequest", "Signature Version 2 is for GET, HEAD and PUT: sign with AWS4-HMAC-SHA256.")
    for name in names:
        if name in _UNSIGNED:
            raise refuse(
                "InvalidRequest", f"Signature Version 2 does not cover {shown(name)}: sign with AWS4-HMAC-SHA256."
            )


def _decoded(pair: bytes) -> tuple[bytes, bytes | None]:
    """Name and value as operations will read them; None for a name without ``=``."""
    name, equals, value = pair.replace(b"+", b" ").partition(b"=")
    return unquote_to_bytes(name), unquote_to_bytes(value) if equals else None


def _fields(headers: Headers, pairs: Pairs) -> tuple[list[tuple[bytes, bytes]], list[tuple[bytes, bytes]]]:
    """Every ``x-amz-`` field, wherever it stands, and those fields that the query stands for."""
    amz: dict[bytes, bytes] = {}
    for name, value in headers.raw:
        if name.startswith(b"x-amz-"):
            amz[name] = amz[name] + b"," + value.strip() if name in amz else value.strip()
    found: dict[bytes, bytes] = {}
    for raw_name, raw_value in pairs:
        name, value = raw_name.lower(), (raw_value or b"").strip(b" ")
        if not name.startswith(b"x-amz-") and name not in _OF_THE_HEAD and name not in CONDITIONS:
            continue
        twice = name in CONDITIONS and headers.raw_get(name) is not None
        if twice or name in found or amz.get(name, value) != value:
            raise refuse(BAD_QUERY, f"{shown(name)} is there more than once.")
        if not _NAME.fullmatch(name) or CONTROL.search(value):  # or one signature would fit two requests
            raise refuse(BAD_QUERY, f"{shown(name)} cannot be the name or the value of a header.")
        if headers.raw_get(name) is None:
            found[name] = value
    fields = [(name, value) for name, value in found.items() if name not in OF_THE_BODY]
    amz.update((name, value) for name, value in found.items() if name.startswith(b"x-amz-"))
    return list(amz.items()), fields


def _payload(value: bytes | None) -> tuple[Payload, str | None]:
    """What is said of the body in the words of Version 4. Raises Refusal for chunks, which no key is signed for."""
    mode = Payload.UNSIGNED if value is None else payload_mode(value)
    if mode not in (Payload.HASHED, Payload.UNSIGNED):
        raise refuse("InvalidRequest", "A presigned request cannot have a STREAMING payload.")
    return mode, value.decode().lower() if value is not None and mode is Payload.HASHED else None


def _header(headers: Headers, name: bytes) -> bytes:
    return (headers.raw_get(name) or b"").strip()


def _signed_query(pairs: Pairs) -> bytes:
    """The signed parameters, sorted by name, their values decoded. Raises Refusal for a value that reads as if another
    parameter stood in it: the same text would be that of a request with that parameter.
    """
    signed = sorted(((name, value) for name, value in pairs if name in SIGNED), key=lambda pair: pair[0])
    if not signed:
        return b""
    for name, value in signed:
        if value is not None and any(part.partition(b"=")[0] in SIGNED for part in value.split(b"&")[1:]):
            raise refuse("InvalidRequest", f"Signature Version 2 cannot tell {shown(name)} from two parameters.")
    return b"?" + b"&".join(name if value is None else name + b"=" + value for name, value in signed)


def _paths(request: Request, host_bucket: str) -> list[bytes]:
    """The forms that the signed path may have: as it was sent, and encoded as others do. It begins with the bucket,
    also where the host names it, and where it is nothing but a bucket there may be a slash behind it.
    """
    path = request.path
    if host_bucket:
        path = b"/" + host_bucket.encode() + path
    forms = list(dict.fromkeys((path, *path_forms(path))))
    if path.count(b"/") == 1 and path != b"/":
        forms += [form + b"/" for form in forms]
    return forms


def _expires(value: bytes) -> int:
    if not re.fullmatch(rb"[0-9]{1,12}", value):
        raise refuse("AccessDenied", sentence=f"Invalid date (should be seconds since epoch): {shown(value)}")
    return min(int(value), _LATEST)


_LATEST: Final = 253_402_300_799
"""The last second of the year 9999."""
