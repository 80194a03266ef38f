"""A plain client-side signer, written from the specification and from nothing of the program.

It signs exactly what it is told to, so that a test can leave out, double or falsify any piece.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import quote, unquote_to_bytes

from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing import signature
from entrepot.doors.s3.signing.signature import Verified
from entrepot.wire.http import Headers, Request

KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
STAMP = "20130524T000000Z"
NOW = 1369353600.0
"""The moment of STAMP."""
EMPTY = hashlib.sha256(b"").hexdigest()


@dataclass
class Sent:
    """One request on the wire, as a client may alter it after signing."""

    method: str
    path: str
    query: str = ""
    headers: list[tuple[str, str]] = field(default_factory=list)

    def but(self, **changes: object) -> Sent:
        return replace(self, **changes)  # type: ignore[arg-type]  # the names are those of this class

    def plus(self, *headers: tuple[str, str]) -> Sent:
        return self.but(headers=[*self.headers, *headers])

    def without(self, name: str) -> Sent:
        return self.but(headers=[pair for pair in self.headers if pair[0].lower() != name])

    def changed(self, name: str, old: str, new: str) -> Sent:
        return self.but(
            headers=[(key, value.replace(old, new) if key.lower() == name else value) for key, value in self.headers]
        )

    def asked(self, old: str, new: str) -> Sent:
        assert old in self.query
        return self.but(query=self.query.replace(old, new))

    def request(self) -> Request:
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers]
        return Request(
            self.method,
            self.path.encode("latin-1"),
            self.query.encode("latin-1"),
            Headers(raw),
            nothing(),
        )


async def nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for piece in empty:
        yield piece


def signing_key(stamp: str = STAMP, region: str = REGION, secret: str = SECRET, service: str = "s3") -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (stamp[:8], region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def hmac_hex(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode("latin-1"), hashlib.sha256).hexdigest()


def canonical_query(query: str) -> str:
    pairs = [pair.partition("=") for pair in query.split("&") if pair]

    def once(text: str) -> str:
        return quote(unquote_to_bytes(text), safe="")

    return "&".join(sorted(f"{once(name)}={once(value)}" for name, _, value in pairs))


def signature_of(sent: Sent, signed: Sequence[str], payload: str, stamp: str, region: str, service: str) -> str:
    def value(name: str) -> str:
        return ",".join(" ".join(v.split()) for k, v in sent.headers if k.lower() == name)

    canonical = "\n".join(
        [
            sent.method,
            sent.path,
            canonical_query(sent.query),
            *(f"{name}:{value(name)}" for name in signed),
            "",
            ";".join(signed),
            payload,
        ]
    )
    digest = hashlib.sha256(canonical.encode("latin-1")).hexdigest()
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    return hmac_hex(signing_key(stamp, region, service=service), text)


def signed(
    method: str,
    path: str,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    *,
    payload: str = EMPTY,
    stamp: str = STAMP,
    region: str = REGION,
    service: str = "s3",
    host: str = "store.test",
    day: str | None = None,
    names: Sequence[str] | None = None,
    date_header: bool = True,
) -> Sent:
    """A request signed in its Authorization header, over every header unless ``names`` says which."""
    every = [("host", host), *headers, ("x-amz-content-sha256", payload)]
    if date_header:
        every.append(("x-amz-date", stamp))
    sent = Sent(method, path, query, every)
    names = sorted({name.lower() for name, _ in every}) if names is None else names
    proof = signature_of(sent, names, payload, stamp, region, service)
    credential = f"{KEY}/{day or stamp[:8]}/{region}/{service}/aws4_request"
    return sent.plus(
        (
            "authorization",
            f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={';'.join(names)}, Signature={proof}",
        )
    )


def presigned(
    method: str,
    path: str,
    query: str = "",
    headers: Iterable[tuple[str, str]] = (),
    *,
    payload: str = "UNSIGNED-PAYLOAD",
    stamp: str = STAMP,
    expires: str = "3600",
    region: str = REGION,
    service: str = "s3",
    host: str = "store.test",
    names: Sequence[str] | None = None,
) -> Sent:
    """A request signed in its query."""
    every = [("host", host), *headers]
    names = sorted({name.lower() for name, _ in every}) if names is None else names
    credential = quote(f"{KEY}/{stamp[:8]}/{region}/{service}/aws4_request", safe="")
    auth = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}"
        f"&X-Amz-Expires={expires}&X-Amz-SignedHeaders={quote(';'.join(names), safe='')}"
    )
    sent = Sent(method, path, f"{query}&{auth}" if query else auth, every)
    proof = signature_of(sent, names, payload, stamp, region, service)
    return sent.but(query=f"{sent.query}&X-Amz-Signature={proof}")


def verify(sent: Sent | Request, *, now: float = NOW, region: str = REGION, secret: str = SECRET) -> Verified:
    request = sent.request() if isinstance(sent, Sent) else sent
    authorization = signature.parse(request)
    assert authorization is not None, "the request is anonymous"
    return signature.check(authorization, request, secret, now=now, region=region)


def refused(sent: Sent | Request, *, now: float = NOW, region: str = REGION, secret: str = SECRET) -> Refusal:
    """The refusal that a request must meet; fails when it is accepted or taken for anonymous."""
    try:
        accepted = verify(sent, now=now, region=region, secret=secret)
    except Refusal as refusal:
        return refusal
    raise AssertionError(f"accepted: {accepted}")
