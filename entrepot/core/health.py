"""Whether this process can do its work: the catalog answers and every store does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from entrepot.blobs.probe import probe
from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database
from entrepot.errors import EntrepotError


@dataclass(frozen=True, slots=True)
class State:
    """Of the catalog or of a store: ``problem`` is None when it is well. ``free`` and ``total`` are
    bytes of its file system, None where it has none on this host.
    """

    problem: str | None = None
    free: int | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """The check behind ``/health``. It reads and changes nothing."""

    database: Database
    stores: Mapping[str, BlobStore]

    async def catalog(self) -> State:
        """How the catalog is."""
        try:
            await self.database.check()
        except EntrepotError as error:
            return State(str(error))
        return State()

    async def store(self, name: str) -> State:
        """How a store is. A full one is well: it can be read and deleted from."""
        try:
            room = await probe(self.stores[name])
        except EntrepotError as error:
            return State(str(error))
        return State() if room is None else State(None, room.free, room.total)

    async def report(self) -> dict[str, str]:
        """``ok`` or what is wrong, for the catalog and for each store as ``store:<name>``."""
        states = {"catalog": await self.catalog()}
        for name in self.stores:
            states[f"store:{name}"] = await self.store(name)
        return {name: "ok" if state.problem is None else state.problem for name, state in states.items()}
