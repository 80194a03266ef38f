"""Blobs as files of this host: verbs of a store over :mod:`entrepot.blobs.shelves`."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import AsyncIterator, Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from entrepot.blobs.files import PLAIN, Files
from entrepot.blobs.kinds import Opening, StoreKind, StoreSettings
from entrepot.blobs.shelves import INCOMING, Shelves, is_store
from entrepot.blobs.store import MAX_BLOB, Capabilities, Found, Sound
from entrepot.blobs.threads import Shared, Threads
from entrepot.errors import StoreFull, Unavailable
from entrepot.model import BlobId, Buffer, Span

READERS = 4
WRITERS = 8
"""Threads. Writers mostly wait for the disk, which makes durable together what waits together."""


class DiskStore:
    """A store in the directory ``root``, which any number of processes may share.

    An instance belongs to one event loop. Reads and writes have threads of their own, so that
    neither waits for the other's disk. A cancelled call returns when its thread has let go of the
    arguments; the blob is whole or absent then.
    """

    def __init__(
        self, root: Path, name: str, files: Files = PLAIN, *, max_blob: int = MAX_BLOB, spared: bool = True
    ) -> None:
        """Open or make the store; blocks for a moment. Unless it is ``spared``, what is put is written also where it
        is there already, so that the time tells nobody. Raises Unavailable.
        """
        self.name = name
        self._spared = spared
        try:
            self._shelves = Shelves(root, name, files)
        except OSError as error:
            raise self._failure(error) from error
        self._capabilities = Capabilities(max_blob=max_blob, concurrency=WRITERS, path=root.absolute())
        self._readers = Threads(f"{name}-read", READERS)
        self._writers = Threads(f"{name}-write", WRITERS)
        self._puts: Shared[bool] = Shared(self._writers)
        self._gets: Shared[Found] = Shared(self._readers)
        self._checks: Shared[Found] = Shared(self._readers)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    async def put(self, id: BlobId, data: Buffer, sound: Sound) -> bool:
        try:
            new, own = await self._puts.run(id, self._shelves.put, id, data, sound, spared=self._spared)
        except OSError as error:
            raise self._failure(error) from error
        return new and own

    async def read(self, id: BlobId, span: Span | None, sound: Sound, stamp: Hashable | None = None) -> Found:
        """A whole blob is read once for all who ask meanwhile, and so is one that a part of is verified for."""
        try:
            if span is None:
                found, _ = await self._gets.run(id, self._shelves.read, id, sound)
            elif stamp is None:
                found, _ = await self._checks.run(id, self._shelves.verify_part, id, span, sound)
            else:
                found = await self._readers.run(self._shelves.read_part, id, span, sound, stamp)
        except OSError as error:
            raise self._failure(error) from error
        return found

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]:
        try:
            return await self._readers.run(self._shelves.sizes, ids)
        except OSError as error:
            raise self._failure(error) from error

    async def remove(self, ids: Collection[BlobId]) -> None:
        try:
            await self._writers.run(self._shelves.remove, ids)
        except OSError as error:
            raise self._failure(error) from error

    async def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        pages = self._shelves.pages(after)
        try:
            while page := await self._readers.run(next, pages, None):
                for id in page:
                    yield id
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Wait for the calls that run in this store's threads, and end the threads."""
        self._readers.close()
        self._writers.close()

    def _failure(self, error: OSError) -> Unavailable:
        reason = f"store {self.name}: {error.strerror or error}"
        return StoreFull(reason) if error.errno in _FULL else Unavailable(reason)


_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(StoreSettings):
    """The table of a store of this kind."""

    kind: Annotated[Literal["disk"], Meta(description="`disk` keeps blobs as files")] = "disk"
    path: Annotated[
        Path | None,
        Meta(
            description="directory of a disk store; a relative one starts at `data`",
            extra={"default": "`blobs` for the store `main`, `blobs-<name>` for others"},
        ),
    ] = None


def _directory(settings: Settings, name: str, data: Path) -> Path:
    return data / (settings.path or ("blobs" if name == "main" else f"blobs-{name}"))


@contextlib.asynccontextmanager
async def _open(opening: Opening, settings: Settings) -> AsyncIterator[DiskStore]:
    path = _directory(settings, opening.name, opening.data)
    await _check_mounted(opening, path)
    store = DiskStore(path, opening.name, spared=opening.spared)
    try:
        yield store
    finally:
        store.close()


async def _check_mounted(opening: Opening, path: Path) -> None:
    """A directory that is empty because its disk is not mounted must not become a new store: what is put there is
    lost to sight once the disk is back. Raises Unavailable.
    """
    if not is_store(path) and await opening.is_used():
        hint = f"mount its disk, or make the directory {path / INCOMING} to begin with an empty store"
        raise Unavailable(f"store {opening.name}: the catalog names blobs in it, and {path} holds none: {hint}")


KIND: Final = StoreKind(Settings, _open, _directory, silent=True)
