"""Where the metrics of the workers of one server meet, and what tells that a server runs on some data."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from entrepot.config import Config
from entrepot.ownership import make_directory

_SERVER: Final = secrets.token_hex(8)
"""What this server calls itself beside others on the same data."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def share_metrics(config: Config) -> Path:
    """Name the directory where the workers' metrics meet to the library that counts them. It looks when it
    is imported, so this comes before anything that imports ``entrepot.app``.
    """
    directory = config.data / "metrics" / _SERVER
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    return directory


@contextlib.contextmanager
def sharing(directory: Path) -> Iterator[None]:
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
