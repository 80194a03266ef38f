"""Signed requests, payload unsigned: Signature Version 4 in the query, as in links, or in the header, as SDKs sign.

Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" and "Using the Authorization
Header".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

REGION = "us-east-1"
LIFETIME_SECONDS = 24 * 3600
_ALGORITHM = "AWS4-HMAC-SHA256"
_PAYLOAD = "UNSIGNED-PAYLOAD"
_SIGNED = "host;x-amz-content-sha256;x-amz-date"


@dataclass(frozen=True, slots=True)
class Credentials:
    access_key: str
    secret_key: str


class Signer:
    """Signs for one host, key and second, so that tens of thousands of targets cost little to make."""

    def __init__(self, host: str, credentials: Credentials, when: datetime, region: str = REGION) -> None:
        self.host = host
        self._stamp = when.strftime("%Y%m%dT%H%M%SZ")
        day = when.strftime("%Y%m%d")
        self._scope = f"{day}/{region}/s3/aws4_request"
        self._key = ("AWS4" + credentials.secret_key).encode()
        for step in (day, region, "s3", "aws4_request"):
            self._key = _mac(self._key, step)
        self._query = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{self._scope}",
            "X-Amz-Date": self._stamp,
            "X-Amz-Expires": str(LIFETIME_SECONDS),
            "X-Amz-SignedHeaders": "host",
        }
        self._plain_query = _encode(self._query)

    def target(self, method: str, path: str, query: Mapping[str, str] | None = None) -> str:
        """The request target ``path?query`` with its signature; ``path`` is not yet percent-encoded."""
        encoded = quote(path, safe="/-_.~")
        text = _encode({**self._query, **query}) if query else self._plain_query
        canonical = f"{method}\n{encoded}\n{text}\nhost:{self.host}\n\nhost\n{_PAYLOAD}"
        return f"{encoded}?{text}&X-Amz-Signature={self._signature(canonical)}"

    def fields(self, method: str, path: str) -> tuple[str, dict[str, str]]:
        """The request target without a query, and the header fields that sign it. Servers take them for 15 minutes from
        the signer's moment.
        """
        encoded = quote(path, safe="/-_.~")
        described = f"host:{self.host}\nx-amz-content-sha256:{_PAYLOAD}\nx-amz-date:{self._stamp}\n"
        signature = self._signature(f"{method}\n{encoded}\n\n{described}\n{_SIGNED}\n{_PAYLOAD}")
        credential = self._query["X-Amz-Credential"]
        return encoded, {
            "Authorization": f"{_ALGORITHM} Credential={credential}, SignedHeaders={_SIGNED}, Signature={signature}",
            "X-Amz-Content-Sha256": _PAYLOAD,
            "X-Amz-Date": self._stamp,
        }

    def _signature(self, canonical: str) -> str:
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return _mac(self._key, f"{_ALGORITHM}\n{self._stamp}\n{self._scope}\n{digest}").hex()


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)
