from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.programs import Shell
from tests.clients.boto import isolate_environment
from tests.server import Server


@pytest.fixture(scope="session", autouse=True)
def _own_environment() -> Iterator[None]:
    yield from isolate_environment()


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> Iterator[None]:
    """A shell starts what it runs in the background with SIGINT ignored, nohup does so with SIGHUP, and programs
    inherit that. A handler of ours is not inherited.
    """
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hangup = (
        signal.signal(signal.SIGHUP, lambda *_: None) if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else None
    )
    yield
    signal.signal(signal.SIGINT, interrupt)
    if hangup is not None:
        signal.signal(signal.SIGHUP, hangup)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A shell beside data with the bucket ``photos``, made without any server."""
    shell.run("bucket", "create", "photos")
    return shell


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("cli") / "entrepot-data", workers=2) as running:
        yield running


@pytest.fixture
def beside(server: Server) -> Shell:
    """A shell whose commands work on the data of a running server."""
    return Shell(server.data.parent)
