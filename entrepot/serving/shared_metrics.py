"""Where the metrics of the workers of one server meet, and what tells that a server runs on some data."""

from __future__ import annotations

import contextlib
import errno
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

ROOM_BYTES: Final = 1024 * 1024
"""What the disk has to have left for each worker, for its metrics to be kept there."""

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def share_metrics(config: Config) -> None:
    """Name the directory where the workers' metrics meet to the library that counts them. It looks when it
    is imported, so this comes before anything that imports ``entrepot.app``.

    On a full disk none is named: then each worker counts in its own memory.
    """
    there = next(path for path in (config.data.absolute(), *config.data.absolute().parents) if path.exists())
    disk = os.statvfs(there)
    if disk.f_bavail * disk.f_frsize >= config.workers * ROOM_BYTES:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_directory(config))
    else:
        os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)


def _directory(config: Config) -> Path:
    return config.data / "metrics" / _SERVER


@contextlib.contextmanager
def sharing(config: Config) -> Iterator[None]:
    """Keep the directory of this server's metrics, and take away those of servers that are no more.

    A server holds a lock on its directory, which its workers inherit: it falls with the last of them. Others may
    run on the same data, at other addresses. On a disk that is full there is none, and nothing else is missing.
    """
    directory = _directory(config)
    try:
        mine = _make(directory)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        mine = None
    try:
        yield
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if mine is not None:
            os.close(mine)


def _make(directory: Path) -> int | None:
    """Make the directory of this server, and remove those that nobody holds; its lock. Raises OSError."""
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
    return mine


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
