"""The example: the store mounted inside of a FastAPI application, with a real client before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import boto3
import httpx
import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.server import CHECKOUT, ROOT_KEYS, free_port

SERVERS = {"uvicorn": ["uvicorn"], "granian": ["granian", "--interface", "asgi"]}


@pytest.fixture(params=SERVERS)
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The example under either server; yields its address."""
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
    environment |= {
        "PYTHONPATH": str(CHECKOUT),
        "ENTREPOT_DATA": str(tmp_path / "data"),
        "ENTREPOT_ACCESS_KEY": ROOT_KEYS.access,
        "ENTREPOT_SECRET_KEY": ROOT_KEYS.secret,
    }
    command = [sys.executable, "-m", *SERVERS[request.param], "--port", str(port), "examples.fastapi_app:app"]
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/hello") as answer:
                    assert answer.read() == b'{"hello":"world"}'
                break
            except URLError:
                assert process.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()
        assert process.wait(60) in {0, -signal.SIGTERM}
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        process.kill()
        process.wait()
        log.close()


def list_buckets(url: str) -> tuple[int, bool]:
    """The status of the list at exactly this address, and whether the bucket is on it."""
    request = AWSRequest("GET", url)
    S3SigV4Auth(Credentials(ROOT_KEYS.access, ROOT_KEYS.secret), "s3", "us-east-1").add_auth(request)
    answer = httpx.get(url, headers=dict(request.headers.items()))
    return answer.status_code, "<Name>photos</Name>" in answer.text


def test_a_client_uses_the_mounted_store(host: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=f"{host}/s3",
        region_name="us-east-1",
        aws_access_key_id=ROOT_KEYS.access,
        aws_secret_access_key=ROOT_KEYS.secret,
        config=Config(signature_version="s3v4"),  # its presigned URLs have the old signature otherwise
    )
    client.create_bucket(Bucket="photos")
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["photos"]
    assert list_buckets(f"{host}/s3") == list_buckets(f"{host}/s3/") == (200, True)
    body = os.urandom(6 << 20)
    client.put_object(Bucket="photos", Key="a key/with ünusual+parts", Body=body)
    assert client.get_object(Bucket="photos", Key="a key/with ünusual+parts")["Body"].read() == body
    assert [item["Key"] for item in client.list_objects_v2(Bucket="photos")["Contents"]] == ["a key/with ünusual+parts"]
    url = client.generate_presigned_url("get_object", Params={"Bucket": "photos", "Key": "a key/with ünusual+parts"})
    with urllib.request.urlopen(url) as answer:  # noqa: S310 - the URL is the server's own
        assert answer.read() == body
    with urllib.request.urlopen(f"{host}/s3/health") as answer:  # noqa: S310 - same
        assert answer.status == 200
