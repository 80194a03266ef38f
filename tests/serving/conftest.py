"""One server for the tests that leave it as it was, its bucket made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.server import Server
from tests.serving.raw import ask


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    environment = {"ENTREPOT_LIMITS__STALL_SECONDS": "3", "ENTREPOT_DOMAIN": "s3.localhost"}
    with Server(tmp_path_factory.mktemp("serving") / "data", environment=environment) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/there", b"what is there").status == 200
        yield server
