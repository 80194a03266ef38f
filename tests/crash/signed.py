"""One signed S3 client over one connection: nothing between a test and the bytes on the wire."""

from __future__ import annotations

import hashlib
import hmac
import http.client
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from tests.server import Keys

EMPTY = hashlib.sha256(b"").hexdigest()
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def etag(self) -> str:
        return str(self.headers["etag"])


def sign(
    keys: Keys, method: str, host: str, path: str, query: dict[str, str], headers: dict[str, str], payload: str
) -> dict[str, str]:
    """The headers with a signature over all of them (Signature Version 4, header form)."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": host, **headers, "x-amz-content-sha256": payload, "x-amz-date": stamp}
    names = sorted(signed)
    fields = [f"{name}:{signed[name]}" for name in names]
    canonical = "\n".join([method, path, canonical_query(query), *fields, "", ";".join(names), payload])
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{keys.secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    signature = hmac.new(key, text.encode(), "sha256").hexdigest()
    proof = f"Credential={keys.access}/{scope},SignedHeaders={';'.join(names)},Signature={signature}"
    return {**signed, "authorization": f"AWS4-HMAC-SHA256 {proof}"}


def canonical_query(query: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))


class Client:
    """Sends one request at a time. Raises OSError or HTTPException when no whole answer comes back."""

    def __init__(self, endpoint: str, keys: Keys, timeout: float = 30) -> None:
        self.host = urlsplit(endpoint).netloc
        self._keys = keys
        self._connection = http.client.HTTPConnection(self.host, timeout=timeout)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **query: str
    ) -> Answer:
        signed = sign(self._keys, method, self.host, path, query, headers or {}, UNSIGNED if body else EMPTY)
        target = f"{path}?{canonical_query(query)}" if query else path
        try:
            self._connection.request(method, target, body or None, signed)
            response = self._connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        self._connection.close()
