"""The bench's own signer against botocore's: a wrong signature would measure refusals."""

from __future__ import annotations

from datetime import UTC, datetime
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials

from bench.presign import LIFETIME_SECONDS, REGION, Credentials, Signer

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
KEYS = Credentials("GK" + "0a" * 12, "5e" * 32)
HOST = "127.0.0.1:9000"


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("GET", "/bench/put/16/000001", {}),
        ("PUT", "/bench/put/16/000001", {}),
        ("GET", "/bench/a key/with+odd~characters (ü)", {}),
        ("GET", "/bench", {"list-type": "2", "prefix": "list/", "delimiter": "/", "start-after": "list/0001/~"}),
    ],
)
def test_signs_what_botocore_signs(method: str, path: str, query: dict[str, str]) -> None:
    target = Signer(HOST, KEYS, WHEN).target(method, path, query)

    # The path goes to botocore as it stands on the wire: it signs what it is given.
    raw = target.split("?")[0]
    request = AWSRequest(method=method, url=f"http://{HOST}{raw}", params=query)
    signer = S3SigV4QueryAuth(
        BotocoreCredentials(KEYS.access_key, KEYS.secret_key), "s3", REGION, expires=LIFETIME_SECONDS
    )
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=WHEN):
        signer.add_auth(request)

    assert signature(target) == signature(request.url)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_fields_sign_what_botocore_signs(method: str) -> None:
    target, fields = Signer(HOST, KEYS, WHEN).fields(method, "/bench/a key/000001")

    request = AWSRequest(method=method, url=f"http://{HOST}{target}")
    request.context["client_config"] = mock.Mock(s3={"payload_signing_enabled": False})
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=WHEN):
        signer = S3SigV4Auth(BotocoreCredentials(KEYS.access_key, KEYS.secret_key), "s3", REGION)
        with mock.patch.object(signer, "payload", return_value="UNSIGNED-PAYLOAD"):
            request.headers["X-Amz-Content-SHA256"] = "UNSIGNED-PAYLOAD"
            signer.add_auth(request)

    assert fields["Authorization"] == request.headers["Authorization"]
    assert fields["X-Amz-Date"] == request.headers["X-Amz-Date"]


def signature(url: str) -> str:
    return url.rsplit("X-Amz-Signature=", 1)[1]
