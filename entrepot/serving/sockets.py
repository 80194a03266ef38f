"""The sockets of a server: made by the supervisor and handed to workers.

Each worker has a TCP socket of its own on the common address (SO_REUSEPORT), so the kernel spreads connections. The
supervisor keeps them all: when a worker ends or hangs, the next one in its place goes on with the same socket, and
with the connections that wait there. A Unix socket cannot be had twice: all workers take connections from one.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from entrepot.config import Listener
from entrepot.http1.server import BACKLOG
from entrepot.serving.tls import Tls


@dataclass(frozen=True, slots=True)
class Doorstep:
    """A listener with a socket for each worker, and its TLS if it speaks TLS."""

    listener: Listener
    sockets: Sequence[socket.socket]
    tls: Tls | None

    def close(self) -> None:
        """Idempotent."""
        for each in self.sockets:
            each.close()


@contextlib.contextmanager
def listening(listeners: Sequence[Listener], workers: int) -> Iterator[Sequence[Doorstep]]:
    """The sockets at every address, bound, inside. Raises OSError when one cannot be had, and when the files of TLS are
    not fit.
    """
    with contextlib.ExitStack() as stack:
        yield [_open(listener, workers, stack) for listener in listeners]


def _open(listener: Listener, workers: int, stack: contextlib.ExitStack) -> Doorstep:
    tls = None if listener.tls is None else Tls(*listener.tls)
    path = listener.path
    if path is None:
        sockets = [_bind_tcp(*listener.host_and_port) for _ in range(workers)]
    else:
        sockets = [_bind_unix(path)] * workers
        stack.callback(_remove, path, path.stat().st_ino)
    doorstep = Doorstep(listener, sockets, tls)
    stack.callback(doorstep.close)
    return doorstep


def _bind_tcp(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind(address)
    return listener


def _bind_unix(path: Path) -> socket.socket:
    if path.is_socket() and not is_answering(path):  # of a server that was killed
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(os.fspath(path))
    except OSError:
        listener.close()
        raise
    listener.listen(BACKLOG)  # or another server would take it for one that was left, until a worker is ready
    listener.setblocking(False)
    return listener


def is_answering(path: Path) -> bool:
    """Whether there is a process behind a Unix socket. Raises OSError when that cannot be told."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
    return True


def _remove(path: Path, inode: int) -> None:
    """Take away the file of a Unix socket, unless it is another server's by now."""
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_ino == inode:
            path.unlink()
