"""What every server of the comparison offers, and how one is started, made ready and stopped."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from bench.http import LOST, Answer, Client
from bench.presign import Credentials, Signer
from bench.processes import Process

BUCKET = "bench"
PROBE = "ready"
"""A small object that is in the bucket from the start."""
READY_SECONDS = 60.0


class NotStarted(Exception):
    """A server did not come up; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where one start of a server may live: an empty directory, and the keys it must accept."""

    directory: Path
    credentials: Credentials
    workers: int

    @property
    def data(self) -> Path:
        return self.directory / "data"


@dataclass(frozen=True, slots=True)
class Launch:
    """A command that serves S3 on ``port`` of 127.0.0.1."""

    command: tuple[str, ...]
    port: int
    environment: Mapping[str, str]


class Recipe(Protocol):
    """How to run one server."""

    @property
    def name(self) -> str: ...

    def missing(self) -> str | None:
        """Why the server cannot be started here, or None."""

    def version(self) -> str: ...

    def launch(self, site: Site) -> Launch: ...

    def configure(self, running: Running) -> None:
        """Settle what can be set only beside the running server; called once it answers anything at all."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers, with a bucket named ``BUCKET``, empty but for ``PROBE``."""

    name: str
    site: Site
    port: int
    process: Process
    signer: Signer

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def client(self) -> Client:
        return Client("127.0.0.1", self.port)

    def target(self, method: str, key: str, query: Mapping[str, str] | None = None) -> str:
        return self.signer.target(method, f"/{BUCKET}/{key}" if key else f"/{BUCKET}", query)

    def signed(self, method: str, keys: Iterable[str]) -> list[str]:
        """For each key a line of the load generator: the target, and the header fields that sign it by now."""
        signer = Signer(self.host, self.site.credentials, datetime.now(UTC))
        lines = []
        for key in keys:
            target, fields = signer.fields(method, f"/{BUCKET}/{key}")
            lines.append("\t".join([target, *(f"{name}: {value}" for name, value in fields.items())]))
        return lines


def find_program(name: str) -> str | None:
    """A program on PATH, or beside this interpreter: the peers come as wheels."""
    return shutil.which(name, path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))


def require_program(name: str) -> str:
    found = find_program(name)
    if found is None:
        raise NotStarted(f"{name} is not on PATH")
    return found


@contextmanager
def started(recipe: Recipe, directory: Path, workers: int) -> Iterator[Running]:
    """Run a server until the block ends, however it ends; its directory is removed with it."""
    # The form that Garage insists on; the others take any.
    credentials = Credentials("GK" + secrets.token_hex(12), secrets.token_hex(32))
    site = Site(directory, credentials, workers)
    try:
        site.data.mkdir(parents=True)
        launch = recipe.launch(site)
        process = Process(launch.command, directory / "log", launch.environment, Path.cwd())
        try:
            signer = Signer(f"127.0.0.1:{launch.port}", credentials, datetime.now(UTC))
            running = Running(recipe.name, site, launch.port, process, signer)
            _until(running, "GET", "/", any_status=True)
            recipe.configure(running)
            _until(running, "PUT", f"/{BUCKET}")
            # A peer may accept the bucket before it has a volume to put objects in.
            _until(running, "PUT", f"/{BUCKET}/{PROBE}", b"ready")
            yield running
        finally:
            process.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _until(running: Running, method: str, path: str, body: bytes | None = None, *, any_status: bool = False) -> None:
    """Repeat a request until it succeeds, or until it is answered at all."""
    deadline = time.monotonic() + READY_SECONDS
    last = "no answer"
    while time.monotonic() < deadline and running.process.running:
        try:
            with running.client() as client:
                answer: Answer = client.request(method, running.signer.target(method, path), body)
            if answer.good or any_status:
                return
            last = str(answer)
        except LOST as error:
            last = repr(error)
        time.sleep(0.1)
    raise NotStarted(f"{running.name}: {method} {path}: {last}\n{running.process.last_words()}")
