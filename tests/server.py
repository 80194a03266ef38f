"""A real server for tests: the program as a user starts it, over HTTP or HTTPS.

    with Server(tmp_path / "data", tls=make_certificate(tmp_path)) as server:
        client = boto3.client("s3", endpoint_url=server.endpoint, verify=server.ca, ...)
        server.kill9()      # the power goes
        server.start()      # same data, same port, same keys

Nothing of the program is imported: it is a black box behind a socket and a command line.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shlex
import signal
import socket
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.certificate import Certificate, make_certificate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = ["Certificate", "Granian", "Keys", "Server", "ServerFailed", "free_port", "make_certificate", "program"]

CHECKOUT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 60.0
PAUSE_SECONDS = 0.05
LOG_TAIL_BYTES = 8192


class ServerFailed(AssertionError):
    """The server did not start, did not stop, or a command of the program failed; the text ends with its log."""


@dataclass(frozen=True, slots=True)
class Keys:
    """One S3 key pair."""

    access: str
    secret: str


ROOT_KEYS = Keys("ROOTKEYFORTESTS00001", "root/secret+for=tests/0123456789abcdefgh")


def program() -> list[str]:
    """The command under test: this checkout, or what `ENTREPOT_PROGRAM` names (an installed wheel, say)."""
    return shlex.split(os.environ.get("ENTREPOT_PROGRAM", "")) or [sys.executable, "-m", "entrepot"]


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """One `serve` process (with its workers) over a data directory that outlives it.

    The port and the root keys are chosen once, so that a client made before `restart()` or `kill9()` + `start()`
    keeps working. Use it as a context manager, or call `start()` and `stop()`.
    """

    def __init__(
        self,
        data: Path,
        *,
        tls: Certificate | None = None,
        workers: int = 1,
        keys: Keys = ROOT_KEYS,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        self.data = data
        self.tls = tls
        self.workers = workers
        self.keys = keys
        self.host = "127.0.0.1"
        self.port = free_port()
        self.log = data.parent / f"{data.name}.log"
        self.listens = True
        """Whether the address is told by a flag; else a file of settings beside the data names it."""
        self._arguments = tuple(arguments)
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def scheme(self) -> str:
        return "https" if self.tls else "http"

    @property
    def endpoint(self) -> str:
        """The URL that S3 clients are pointed at, without a slash at the end."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def ca(self) -> str | None:
        """Path of the PEM file that clients must trust; None over plain HTTP."""
        return str(self.tls.authority) if self.tls else None

    @property
    def pid(self) -> int:
        """Id of the main process, which is also its process group's id."""
        return self._running().pid

    @property
    def environment(self) -> dict[str, str]:
        """What the program sees: this process's environment without other settings of the program, and ours."""
        ours = {k: v for k, v in os.environ.items() if not k.startswith(("ENTREPOT_", "PYTHONUNBUFFERED"))}
        ours["PYTHONPATH"] = os.pathsep.join(filter(None, (str(CHECKOUT), ours.get("PYTHONPATH"))))
        ours["ENTREPOT_ACCESS_KEY"] = self.keys.access
        ours["ENTREPOT_SECRET_KEY"] = self.keys.secret
        if self.tls:
            ours["ENTREPOT_TLS_CERTIFICATE"] = str(self.tls.chain)
            ours["ENTREPOT_TLS_KEY"] = str(self.tls.key)
        return ours | self._environment

    def start(self) -> Self:
        """Start the process and return when `/health` answers 200.

        Raises `ServerFailed` when it ends early or is not healthy after `START_SECONDS`.
        """
        if self._process is not None:
            message = "this server is running already"
            raise ServerFailed(message)
        self.data.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.data.parent,
                start_new_session=True,
            )
        try:
            self._wait_until_healthy()
        except BaseException:
            self.kill9()
            raise
        return self

    def _command(self) -> list[str]:
        listen = ["--listen", f"{self.host}:{self.port}"] if self.listens else []
        return [
            *program(),
            "serve",
            "--data",
            str(self.data),
            *listen,
            "--workers",
            str(self.workers),
            *self._arguments,
        ]

    def stop(self) -> int:
        """Stop as an operator does (SIGTERM to the main process) and return the exit status.

        Raises `ServerFailed` after `STOP_SECONDS`; the process group is gone in any case.
        """
        process = self._running()
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            message = f"the server did not stop within {STOP_SECONDS:.0f} s of SIGTERM\n{self.log_tail()}"
            raise ServerFailed(message) from None
        finally:
            self._reap(process)

    def kill9(self) -> None:
        """End the main process and every worker at once with SIGKILL; nothing of theirs runs afterwards."""
        self._reap(self._running())

    def restart(self) -> Self:
        """Stop gracefully and start again over the same data, on the same port, with the same keys."""
        self.stop()
        return self.start()

    def is_running(self) -> bool:
        """Whether the main process is alive."""
        return self._process is not None and self._process.poll() is None

    def command(self, *arguments: str) -> str:
        """Run another command of the program over the same data directory and return its standard output.

        Raises `ServerFailed` when it fails. It works beside the running server.
        """
        done = subprocess.run(
            [*program(), *arguments, "--data", str(self.data)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=self.environment,
            cwd=self.data.parent,
            timeout=300,
        )
        if done.returncode != 0:
            message = f"entrepot {shlex.join(arguments)} ended with {done.returncode}\n{done.stdout}{done.stderr}"
            raise ServerFailed(message)
        return done.stdout

    def log_tail(self) -> str:
        """The end of what the server printed."""
        text = self.log.read_bytes() if self.log.exists() else b""
        return text[-LOG_TAIL_BYTES:].decode("utf-8", "replace")

    def __enter__(self) -> Self:
        return self if self._process is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            message = "this server is not running"
            raise ServerFailed(message)
        return self._process

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        # The group outlives its leader while a worker lives, so it is signalled even after the leader's end.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._process = None

    def _wait_until_healthy(self) -> None:
        process = self._running()
        deadline = time.monotonic() + START_SECONDS
        while not self._is_healthy():
            if process.poll() is not None:
                message = f"the server ended with {process.returncode} at start\n{self.log_tail()}"
                raise ServerFailed(message)
            if time.monotonic() > deadline:
                message = f"the server was not healthy after {START_SECONDS:.0f} s\n{self.log_tail()}"
                raise ServerFailed(message)
            time.sleep(PAUSE_SECONDS)

    def _is_healthy(self) -> bool:
        connection: http.client.HTTPConnection
        if self.tls:
            trust = ssl.create_default_context(cafile=self.ca)
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=5, context=trust)
        else:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


class Granian(Server):
    """The same application under another ASGI server, one worker, over HTTP."""

    def __init__(self, data: Path, *, environment: Mapping[str, str] | None = None) -> None:
        super().__init__(data, environment={"ENTREPOT_DATA": str(data), **(environment or {})})

    def _command(self) -> list[str]:
        return [
            sys.executable, "-m", "granian", "--interface", "asgi", "--host", self.host, "--port", str(self.port),
            "--no-access-log", "entrepot.standalone:app",
        ]  # fmt: skip
