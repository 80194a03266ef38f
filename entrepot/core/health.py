"""Whether this process can do its work: the catalog answers and every store does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from entrepot.blobs.probe import probe
from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database
from entrepot.core.room import CATALOG, Room
from entrepot.errors import EntrepotError


@dataclass(frozen=True, slots=True)
class HealthState:
    """Of the catalog or of a store: ``problem`` is None when it is well. ``free`` and ``total`` are
    bytes of its file system, None where it has none on this host.
    """

    problem: str | None = None
    short: bool = False
    """Whether so little room is left that no object is written there."""
    free: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The check behind ``/health``. It reads and changes nothing."""

    database: Database
    stores: Mapping[str, BlobStore]
    room: Room = field(default_factory=Room)

    async def catalog(self) -> HealthState:
        """How the catalog is."""
        try:
            await self.database.check()
        except EntrepotError as error:
            return HealthState(str(error))
        return HealthState(short=self.room.is_short(CATALOG))

    async def store(self, name: str) -> HealthState:
        """How a store is. A full one is well: it can be read and deleted from."""
        try:
            room = await probe(self.stores[name])
        except EntrepotError as error:
            return HealthState(str(error))
        short = self.room.is_short(name)
        return HealthState(short=short) if room is None else HealthState(None, short, room.free, room.total)

    def is_short(self) -> bool:
        """Whether so little room is left anywhere that objects are refused."""
        return any(map(self.room.is_short, (CATALOG, *self.stores)))

    async def report(self) -> dict[str, str]:
        """``ok``, ``little room`` or what is wrong, for the catalog and for each store as ``store:<name>``."""
        states = {"catalog": await self.catalog()}
        for name in self.stores:
            states[f"store:{name}"] = await self.store(name)
        return {name: state.problem or ("little room" if state.short else "ok") for name, state in states.items()}
