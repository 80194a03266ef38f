"""Client programs run as a user runs them, in an environment that holds nothing of this machine's."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.server import Server

TIMEOUT_SECONDS = 240


@dataclass(frozen=True, slots=True)
class Done:
    """How a run of a program ended."""

    status: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Program:
    """A client program, the arguments that every run needs, and its whole environment."""

    path: Path
    environment: Mapping[str, str]
    first: tuple[str, ...] = field(default=())

    def run(self, *arguments: str | Path, stdin: str | bytes = b"", cwd: Path | None = None) -> str:
        """Run to success and return the standard output; anything else fails the test with all that it printed."""
        done = self.attempt(*arguments, stdin=stdin, cwd=cwd)
        if done.status != 0:
            shown = " ".join([self.path.name, *map(str, arguments)])
            pytest.fail(f"{shown}\nended with {done.status}\n--- stdout\n{done.out}\n--- stderr\n{done.err}")
        return done.out

    def attempt(self, *arguments: str | Path, stdin: str | bytes = b"", cwd: Path | None = None) -> Done:
        """Run and return how it ended."""
        done = subprocess.run(
            [str(self.path), *self.first, *map(str, arguments)],
            input=stdin.encode() if isinstance(stdin, str) else stdin,
            capture_output=True,
            check=False,
            env=dict(self.environment),
            cwd=cwd,
            timeout=TIMEOUT_SECONDS,
        )
        return Done(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


def find_program(name: str, how: str) -> Path:
    """Find a program beside this Python or on PATH; fail the test with `how` to install it when there is none."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed: {how}")
    return Path(found)


def client_environment(server: Server, home: Path, **more: str) -> dict[str, str]:
    """Return the variables by which AWS-like clients find keys, region, endpoint and trust, over an empty home."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    trust = {"AWS_CA_BUNDLE": server.ca, "SSL_CERT_FILE": server.ca} if server.ca else {}
    return {
        "PATH": path,
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1,localhost",
        "AWS_ACCESS_KEY_ID": server.keys.access,
        "AWS_SECRET_ACCESS_KEY": server.keys.secret,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": server.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        **trust,
        **more,
    }
