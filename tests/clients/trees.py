"""Trees of real files: empty, small, at a blob's border, of several parts, with awkward names."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1024 * 1024
# Clients that synchronise compare times, and S3 keeps whole seconds: files must be older than their objects.
AGE_SECONDS = 3600

SIZES = {
    "empty": 0,
    "one": 1,
    "text.txt": 5_000,
    "deep/er/four-kib": 4096,
    "deep/blob": 4 * MIB,
    "deep/blob-and-one": 4 * MIB + 1,
    "name with spaces and (brackets) & more+.bin": 70_000,
    "ünïcode/日本語/🚢.dat": 33_333,
    "large.bin": 18 * MIB + 11,
}


def make_bytes(size: int, seed: int = 0) -> bytes:
    """Return incompressible bytes, the same for the same arguments."""
    return random.Random(seed).randbytes(size)


def write_tree(directory: Path) -> None:
    """Write one file for each entry of `SIZES`, all of them an hour old."""
    born = time.time() - AGE_SECONDS
    for seed, (name, size) in enumerate(SIZES.items()):
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_bytes(size, seed))
        os.utime(path, (born, born))


def read_tree(directory: Path) -> dict[str, bytes]:
    """Return every file under a directory: relative path with slashes → bytes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }
