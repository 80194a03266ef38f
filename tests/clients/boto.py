"""boto3 clients of a test server. boto3 builds its classes at run time, so they are `Any` to a type checker."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Keys, Server

__all__ = ["isolate_environment", "make_client", "refused"]


def make_client(server: Server, *, keys: Keys | None = None, **more: Any) -> Any:
    """Return an S3 client of the root key (or of `keys`) with nothing else set but where to go."""
    keys = keys or server.keys
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        verify=server.ca,
        region_name="us-east-1",
        aws_access_key_id=keys.access,
        aws_secret_access_key=keys.secret,
        **more,
    )


def isolate_environment() -> Iterator[None]:
    """Keep the AWS settings of whoever runs the tests away from clients that live in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield


@contextmanager
def refused(status: int, code: str) -> Iterator[None]:
    """Expect S3 to refuse with this status and code.

    HEAD has no body, so its code is the status itself: `with refused(404, "404"): ...`.
    """
    with pytest.raises(ClientError) as caught:
        yield
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == (status, code)
