"""Whose new files are: when root works on the data of another user, that user's, as SQLite has it with its own files.

The server of that user has to be able to use what root's commands add. Root is asked for here alone, and follows no
link on the last step: it would give away what the link leads to.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def make_file(path: Path | str, flags: int = os.O_WRONLY) -> int:
    """A descriptor of a file that was not there, for its owner alone. Raises OSError, FileExistsError among them."""
    fd = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    _hand_over(fd, path)
    return fd


def make_directory(path: Path | str) -> None:
    """A directory that was not there, for its owner alone. Raises OSError, FileExistsError among them."""
    os.mkdir(path, 0o700)  # noqa: PTH102 - a Path would take longer to make than the call
    if os.geteuid() == 0:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _hand_over(fd, path)
        finally:
            os.close(fd)


def open_lock(path: Path) -> int:
    """A descriptor of a file that is there for its lock, made if need be. Raises OSError."""
    try:
        return make_file(path, os.O_RDWR)
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def _hand_over(fd: int, path: Path | str) -> None:
    if os.geteuid() != 0:
        return
    owner = os.stat(os.path.dirname(path) or ".")  # noqa: PTH116, PTH120 - as above
    if owner.st_uid != 0:
        with contextlib.suppress(PermissionError):  # what cannot be given away stays root's
            os.fchown(fd, owner.st_uid, owner.st_gid)
