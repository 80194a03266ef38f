"""Room on the disks of this host: a floor below which no object is written, and a reserve to get away from a full one.

A disk may be filled by others, down to the last byte. Then not even a deletion can be written down, and SQLite cannot
be opened. So a file beside the catalog takes some room while there is plenty; it is given back when there is next to
none, for whoever opens the catalog, deletes or collects. Writers of objects are refused long before.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Final

from entrepot.errors import StoreFull
from entrepot.ownership import open_lock

CATALOG: Final = ""
"""The place of the catalog, among the names of stores."""

RESERVE: Final = 16 * 1024 * 1024
"""Bytes of the reserve: enough to open a catalog, and for the log of some thousand deletions."""

LITTLE: Final = RESERVE // 2
"""With less than that the reserve is needed."""

LOOK_SECONDS: Final = 0.25
"""How old what is known of a disk may be, unless it has little more than the floor."""

NEAR: Final = 256 * 1024 * 1024
"""How much more than the floor a disk has to have: what fast clients write in that time."""

RETRY_SECONDS: Final = 60
"""When a client whose object was refused may try again."""


async def _none() -> int:
    return 0


class Room:
    """What is left for the catalog and for each store that has a directory on this host.

    ``floor`` is in bytes. ``spare`` tells how many bytes the catalog has free in its own file, which never shrinks:
    small objects may be written there, whatever the disk has.
    """

    def __init__(
        self,
        places: Mapping[str, Path] | None = None,
        floor: int = 0,
        reserve: Path | None = None,
        spare: Callable[[], Awaitable[int]] = _none,
    ) -> None:
        self._places = places or {}
        self._floor = floor
        self._reserve = reserve
        self.spare = spare
        self._free: dict[str, int] = {}
        self._next = 0.0
        self._short = False
        """Whether any place is below the floor."""

    def is_short(self, place: str) -> bool:
        """Whether a place was below the floor a moment ago."""
        self._look()
        return self._short and self._free.get(place, self._floor) < self._floor

    async def check(self, store: str) -> None:
        """Raises StoreFull when nothing may be put: into a store, or into the catalog, where every name goes."""
        self._look()
        if not self._short:
            return
        free = self._free.get(CATALOG, self._floor)
        if free < self._floor and (free < LITTLE or free + await self.spare() < self._floor):
            raise _full("the catalog")
        if store != CATALOG and self.is_short(store):
            raise _full(f"the store {store}")

    def relieve(self) -> None:
        """Give the reserve back to the disk if it is needed. For who makes room, or has to begin without any."""
        self._look()
        if self._reserve is not None and self._free.get(CATALOG, LITTLE) < LITTLE:
            with contextlib.suppress(OSError):  # there is none, or it may not be changed: then it is no help
                os.truncate(self._reserve, 0)
            self._next = 0.0

    def lay(self) -> None:
        """Make the reserve where there is plenty of room."""
        self._next = 0.0
        self._look()
        if self._reserve is None or self._free.get(CATALOG, 0) < self._floor + 2 * RESERVE:
            return
        with contextlib.suppress(OSError):  # the disk was filled meanwhile, or keeps no room for anybody
            file = open_lock(self._reserve)
            try:
                os.posix_fallocate(file, 0, RESERVE)
            finally:
                os.close(file)

    def left(self) -> int:
        """Bytes that may still be written, on all disks together."""
        disks = {}
        for path in self._places.values():
            with contextlib.suppress(OSError):
                disks[path.stat().st_dev] = _left(path)
        return sum(disks.values())

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        for place, path in self._places.items():
            with contextlib.suppress(OSError):  # not there: whoever writes to it is told
                self._free[place] = _left(path)
        least = min(self._free.values(), default=self._floor + NEAR)
        self._short = least < self._floor
        self._next = now + LOOK_SECONDS if least >= self._floor + NEAR else now


def _left(path: Path) -> int:
    disk = os.statvfs(path)
    return disk.f_bavail * disk.f_frsize


def _full(what: str) -> StoreFull:
    return StoreFull(
        f"the disk of {what} is nearly full: objects can be read and deleted, and not written", RETRY_SECONDS
    )
