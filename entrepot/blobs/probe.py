"""Whether a store can do its work, asked without putting anything into it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from entrepot.blobs.store import BlobStore
from entrepot.errors import Unavailable
from entrepot.model import BlobId

NOTHING: Final = BlobId(bytes(32))
"""A blob that no store has; to look for it is work all the same."""


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes of the file system that a store lives in: what this user may still take, and all."""

    free: int
    total: int


async def probe(store: BlobStore) -> Space | None:
    """The room left, or None where a store has no directory of this host. Raises Unavailable when
    the store does not answer or may not be written to; a full disk is the caller's to judge.
    """
    await store.stat([NOTHING])
    path = store.capabilities.path
    return None if path is None else await asyncio.to_thread(_room, path)


def _room(path: Path) -> Space:
    try:
        disk = os.statvfs(path)
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}") from error
    if disk.f_flag & os.ST_RDONLY or not os.access(path, os.W_OK | os.X_OK):
        raise Unavailable(f"{path}: not writable")
    return Space(disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
