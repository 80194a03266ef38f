"""One HTTP and one HTTPS server for all client tests, a bucket for each test, and real files to store."""

from __future__ import annotations

import json
import ssl
import urllib.request
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.boto import isolate_environment, make_client
from tests.clients.trees import write_tree
from tests.server import Server, make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SERVER_ERROR = 500
NOT_IMPLEMENTED = 501


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    yield from isolate_environment()


@pytest.fixture(scope="session", params=["http", "https"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server of two workers, once for each scheme, and fail in the end if it ever answered 5xx.

    Clients retry, so an error of the server is easily hidden from what they report.
    """
    directory = tmp_path_factory.mktemp(request.param)
    tls = make_certificate(directory / "tls") if request.param == "https" else None
    with Server(directory / "data", tls=tls, workers=2) as server:
        yield server
    said = server.log.read_text("utf-8", "replace").splitlines()
    assert [line for line in said if _is_failure(line)] == []


@pytest.fixture
def server(running: Server) -> Iterator[Server]:
    """Lend the running server to one test, which must leave it running."""
    yield running
    assert running.is_running()


def _is_failure(line: str) -> bool:
    if line.startswith("Traceback"):
        return True
    if not line.startswith("{"):
        return False
    status = json.loads(line).get("status")
    return isinstance(status, int) and status >= SERVER_ERROR and status != NOT_IMPLEMENTED


@pytest.fixture
def s3(server: Server) -> Any:
    """Return a boto3 client with nothing set but where to go and whom to be."""
    return make_client(server)


@pytest.fixture
def bucket(s3: Any) -> str:
    """Make a bucket of this test's own and return its name."""
    name = f"t-{uuid.uuid4().hex[:20]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home directory for client programs."""
    directory = tmp_path / "home"
    directory.mkdir()
    return directory


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Write a small tree of real files and return its directory."""
    directory = tmp_path / "files"
    write_tree(directory)
    return directory


@pytest.fixture
def fetch(server: Server) -> Callable[..., bytes]:
    """Return a plain HTTP client without keys: URL (and urllib's data, headers, method) → body of a success."""
    trust = ssl.create_default_context(cafile=server.ca) if server.ca else None

    def fetch_url(url: str, **more: Any) -> bytes:
        request = urllib.request.Request(url, **more)  # noqa: S310 - the URL is the server's own
        with urllib.request.urlopen(request, context=trust, timeout=60) as answer:  # noqa: S310 - same
            body: bytes = answer.read()
            return body

    return fetch_url
