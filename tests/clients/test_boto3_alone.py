"""boto3 without the AWS C runtime, as most people have it: here the runtime is installed and has to be turned off."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.clients.programs import Program, client_environment
from tests.clients.trees import MIB, make_bytes
from tests.server import CHECKOUT, Server


def test_a_round_trip(server: Server, home: Path, bucket: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(make_bytes(12 * MIB + 9))
    environment = client_environment(server, home, BOTO_DISABLE_CRT="true", PYTHONPATH=str(CHECKOUT))
    Program(Path(sys.executable), environment, ("-m", "tests.clients.round_trip")).run(bucket, path)
