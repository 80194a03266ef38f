"""Whether this process can do its work: the catalog answers and every store does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database
from entrepot.errors import EntrepotError
from entrepot.model import BlobId

_NOTHING: Final = BlobId(bytes(32))


@dataclass(frozen=True, slots=True)
class Health:
    """The check behind ``/health``. It reads and changes nothing."""

    database: Database
    stores: Mapping[str, BlobStore]

    async def report(self) -> dict[str, str]:
        """``ok`` or what is wrong, for the catalog and for each store as ``store:<name>``."""
        report = {"catalog": "ok"}
        try:
            await self.database.check()
        except EntrepotError as error:
            report["catalog"] = str(error)
        for name, store in self.stores.items():
            try:
                await store.stat([_NOTHING])
                report[f"store:{name}"] = "ok"
            except EntrepotError as error:
                report[f"store:{name}"] = str(error)
        return report
