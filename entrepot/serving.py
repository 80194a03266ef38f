"""Running the application: worker processes, their supervisor, signals, TLS.

Each worker is a process with an event loop of its own, in which uvicorn reads and writes HTTP/1.1;
the kernel spreads connections over their sockets. The first SIGTERM or SIGINT stops listening and
lets requests in flight finish, for as long as ``stop_seconds``; a second one ends everything at
once. Workers end with their parent, however it ends; a worker that crashes is replaced.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, Final, NoReturn

import uvicorn
import uvloop

from entrepot.config import Config
from entrepot.connections import Connection, close_late

BACKLOG: Final = 2048
"""Connections that the kernel holds for a worker that is busy."""

IDLE_SECONDS: Final = 75
"""How long a connection is kept for its next request."""

HEAD_SECONDS: Final = 30
"""Most that a client may take for the head of a request."""

CRASH_SECONDS: Final = 3
"""A worker that ends sooner than this would end again: the server gives up."""

MAP_BYTES: Final = 128 * 1024
"""Buffers from this size on are given back to the system at once. Left alone, glibc raises the bound as
large ones are freed, and hundreds of bodies growing side by side tear its heap to pieces."""

_PR_SET_PDEATHSIG: Final = 1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


def serve(config: Config) -> int:
    """Listen and answer until a signal says to stop; the exit code."""
    _clear_metrics(share_metrics(config))
    return Supervisor(config).run()


class Supervisor:
    """Starts the workers, replaces those that crash, and ends them.

    Its signals stay blocked and are waited for, so nothing runs in the middle of anything else.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._workers: dict[int, float] = {}
        self._deadline: float | None = None
        self._failed = False

    def run(self) -> int:
        """Supervise until the last worker has ended; the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for _ in range(self._config.workers):
            self._start()
        while self._workers:
            left = 3600.0 if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            number = signal.sigtimedwait(_SIGNALS, left)
            if number is None and self._deadline is not None:
                self._send(signal.SIGKILL)
            elif number is not None and number.si_signo != signal.SIGCHLD:
                self._stop()
            self._reap()
        return 1 if self._failed else 0

    def _start(self) -> None:
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            _work(self._config, parent)
        self._workers[pid] = time.monotonic()

    def _stop(self) -> None:
        """The first time gently, the second time at once."""
        if self._deadline is None:
            self._deadline = time.monotonic() + self._config.stop_seconds + 1
            self._send(signal.SIGTERM)
        else:
            self._failed = True
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._workers:
            os.kill(pid, number)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            started = self._workers.pop(pid, None)
            if started is None or self._deadline is not None:
                continue
            if time.monotonic() - started < CRASH_SECONDS:
                sys.stderr.write(f"a worker ended as soon as it began (status {status}): stopping\n")
                self._failed = True
                self._stop()
            else:
                self._start()


def _work(config: Config, parent: int) -> NoReturn:
    """Be a worker, to the end of the process."""
    system = ctypes.CDLL(None)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    system.mallopt(_M_MMAP_THRESHOLD, MAP_BYTES)
    system.mallopt(_M_ARENA_MAX, 2)
    code = 1
    try:
        if os.getppid() == parent:
            code = _answer(config)
    finally:
        sys.stderr.flush()
        os._exit(code)


def _answer(config: Config) -> int:
    from entrepot.app import application  # noqa: PLC0415 - metrics read the environment when imported
    from entrepot.observe import configure_log  # noqa: PLC0415 - it does the same

    configure_log(config)
    tls: dict[str, Any] = {}
    if config.tls_certificate is not None and config.tls_key is not None:
        tls = {"ssl_certfile": config.tls_certificate, "ssl_keyfile": config.tls_key}
    protocol = Connection.bound(config.limits.header_bytes, config.limits.connections)
    server = uvicorn.Server(
        uvicorn.Config(
            application(config), loop="none", http=protocol, ws="none",
            lifespan="on", interface="asgi3", log_config=None, log_level="critical", access_log=False,
            server_header=False, proxy_headers=False, backlog=BACKLOG, timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=config.stop_seconds, **tls,
        )
    )  # fmt: skip
    gc.freeze()
    uvloop.run(_run(server, listen(config), config.limits.stall_seconds))
    return 0 if server.started else 1


async def _run(server: uvicorn.Server, listener: socket.socket, stall_seconds: float) -> None:
    late = close_late(server.server_state.connections, min(HEAD_SECONDS, stall_seconds), stall_seconds)
    sweeper = asyncio.create_task(late)
    try:
        await server.serve([listener])
    finally:
        sweeper.cancel()


def listen(config: Config) -> socket.socket:
    """A socket of this worker at the common address. Raises OSError."""
    host, port = config.address
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener


def share_metrics(config: Config) -> Path:
    """Name the directory where the workers' metrics meet to the library that counts them. It looks when it
    is imported, so this comes before anything that imports ``entrepot.app``.
    """
    directory = config.data / "metrics"
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    return directory


def _clear_metrics(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
