"""Pre-signed request targets: Signature Version 4 in the query, payload unsigned.

Source: AWS, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)".
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
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
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
        canonical = f"{method}\n{encoded}\n{text}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{self._stamp}\n{self._scope}\n{digest}"
        return f"{encoded}?{text}&X-Amz-Signature={_mac(self._key, to_sign).hex()}"


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _encode(query: Mapping[str, str]) -> str:
    pairs = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)
