"""Running the application: worker processes, their supervisor, signals, TLS.

Each worker is a process with an event loop of its own that reads and writes HTTP/1.1; the kernel
spreads connections over their sockets. The first SIGTERM or SIGINT stops listening and lets requests
in flight finish, for as long as ``stop_seconds``; a second one ends everything at once. Workers end
with their parent, however it ends; a worker that crashes is replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import gc
import os
import resource
import secrets
import shutil
import signal
import socket
import ssl
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NoReturn

import uvloop

from entrepot.config import Config
from entrepot.ownership import make_directory

PAUSE_SECONDS: Final = 0.2
"""How long the supervisor waits before it replaces a worker, so that it does nothing else if all of them crash."""

COLLECT_OBJECTS: Final = 20_000
"""How many more objects than before there may be until cycles among them are looked for."""

MAP_BYTES: Final = 128 * 1024
"""Buffers from this size on are given back to the system at once. Left alone, glibc raises the bound as
large ones are freed, and hundreds of bodies growing side by side tear its heap to pieces."""

_SERVER: Final = secrets.token_hex(8)
"""What this server calls itself beside others on the same data."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_PR_SET_PDEATHSIG: Final = 1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8
_READY: Final = signal.SIGRTMIN
"""What a worker sends when it takes connections; signals from here on are queued, so none is lost."""

_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, _READY)


def serve(config: Config, ready: Callable[[], None]) -> int:
    """Listen and answer until a signal says to stop; the exit code. ``ready`` is called once, when every
    worker takes connections.
    """
    with _sharing(share_metrics(config)):
        return Supervisor(config, ready).run()


class Supervisor:
    """Starts the workers, replaces those that crash, and ends them.

    Its signals stay blocked and are waited for, so nothing runs in the middle of anything else. A
    worker that ends before it was ready would end again: then the server gives up, unless it has begun
    to serve and others go on.
    """

    def __init__(self, config: Config, ready: Callable[[], None]) -> None:
        self._config = config
        self._ready: Callable[[], None] | None = ready
        self._workers: dict[int, bool] = {}
        """Whether a worker takes connections, by process id."""
        self._deadline: float | None = None
        self._failed = False

    def run(self) -> int:
        """Supervise until the last worker has ended; the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for _ in range(self._config.workers):
            self._start()
        while self._workers:
            left = 3600.0 if self._deadline is None else max(PAUSE_SECONDS, self._deadline - time.monotonic())
            number = signal.sigtimedwait(_SIGNALS, left)
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._send(signal.SIGKILL)
            elif number is not None and number.si_signo == _READY:
                self._welcome(number.si_pid)
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
        self._workers[pid] = False

    def _welcome(self, pid: int) -> None:
        if pid in self._workers:
            self._workers[pid] = True
        if self._ready is not None and self._deadline is None and all(self._workers.values()):
            self._ready()
            self._ready = None

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
            was_ready = self._workers.pop(pid, None)
            if was_ready is None or self._deadline is not None:
                continue
            if was_ready or (self._ready is None and any(self._workers.values())):
                time.sleep(PAUSE_SECONDS)
                self._start()
            else:
                sys.stderr.write(f"a worker ended as soon as it began (status {status}): stopping\n")
                self._failed = True
                self._stop()


def _work(config: Config, parent: int) -> NoReturn:
    """Be a worker, to the end of the process: nothing of the supervisor's may go on in it."""
    code = 1
    try:
        _settle_in()
        if os.getppid() == parent:
            uvloop.run(_answer(config, parent))
        code = 0
    except Exception:  # noqa: BLE001 - the last border of a process: it is told, and the exit code says it too
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _settle_in() -> None:
    """Ask the system for what a worker needs of it."""
    system = ctypes.CDLL(None)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if hasattr(system, "mallopt"):  # glibc's own
        system.mallopt(_M_MMAP_THRESHOLD, MAP_BYTES)
        system.mallopt(_M_ARENA_MAX, 2)
    # Each connection is a file, and each may read others: the soft limit is often no more than their number.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _answer(config: Config, parent: int) -> None:
    from entrepot.app import application  # noqa: PLC0415 - metrics read the environment when imported
    from entrepot.http1.patience import Patience  # noqa: PLC0415 - the supervisor needs none of it
    from entrepot.http1.server import Listener, Server  # noqa: PLC0415 - same
    from entrepot.http1.service import Service  # noqa: PLC0415 - same
    from entrepot.observe import configure_log  # noqa: PLC0415 - as the application

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    configure_log(config)
    served, limits = application(config), config.limits
    try:
        handler = await served.open()
        _calm_collector()
        service = Service(header_bytes=limits.header_bytes, most=limits.connections)
        server = Server(service, Patience.of(limits.stall_seconds), stop_seconds=config.stop_seconds)
        context = tls_context(config)
        listener = Listener(listen(config), handler, None if context is None else lambda: context)
        await server.run([listener], stop, lambda: os.kill(parent, _READY))
    finally:
        await served.close()


def _calm_collector() -> None:
    """Spare the collector what stays to the end: looking through all modules takes 20 ms, in which nobody is
    answered. Requests leave few cycles behind, so it need not look often either.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_OBJECTS)


def tls_context(config: Config) -> ssl.SSLContext | None:
    """What TLS needs, or None when it is not set up. Raises OSError (SSLError) for files that are not fit."""
    if config.tls_certificate is None or config.tls_key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(config.tls_certificate, config.tls_key)
    context.set_alpn_protocols(["http/1.1"])
    return context


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
    directory = config.data / "metrics" / _SERVER
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    return directory


@contextlib.contextmanager
def _sharing(directory: Path) -> Iterator[None]:
    """Keep the directory of this server's metrics, and take away those of servers that are no more.

    A server holds a lock on its directory, which its workers inherit: it falls with the last of them. Others may
    run on the same data, at other addresses.
    """
    with contextlib.suppress(FileExistsError):
        make_directory(directory.parent)
    together = _hold_together(directory.parent)
    make_directory(directory)
    mine = _try_lock(directory)
    for other in directory.parent.iterdir():
        if other != directory and (lock := _try_lock(other)) is not None:
            shutil.rmtree(other, ignore_errors=True)
            os.close(lock)
    os.close(together)
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if mine is not None:
            os.close(mine)


def is_served(config: Config) -> bool:
    """Whether a server on this host, at whatever address, has these data. Raises OSError."""
    directory = config.data / "metrics"
    try:
        together = _hold_together(directory)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        locks = [_try_lock(other) for other in directory.iterdir() if other.is_dir()]
        for lock in locks:
            if lock is not None:
                os.close(lock)
    finally:
        os.close(together)
    return None in locks


def _hold_together(directory: Path) -> int:
    """Nobody takes a server's directory away between its making and its locking while this descriptor is open."""
    together = os.open(directory, _FOLDER)
    fcntl.flock(together, fcntl.LOCK_EX)
    return together


def _try_lock(directory: Path) -> int | None:
    """The lock of a directory, as a descriptor; None when somebody holds it, or it is no directory."""
    try:
        handle = os.open(directory, _FOLDER)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle
