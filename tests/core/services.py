"""The services over a catalog and a store in memory, with blobs small enough to have many."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from entrepot.blobs.kinds import stack
from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.store import BlobStore, Keeper
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.core.buckets import Buckets
from entrepot.core.budget import Budget
from entrepot.core.content import Content, Intake
from entrepot.core.objects import Objects
from entrepot.core.uploads import Arriving, Assembly, Expect, InOrder, Uploads
from entrepot.errors import PartMissing
from entrepot.model import Buffer, Part, Principal, Upload

ROOT = Principal("root", "ROOTKEY", root=True)
STORE = "main"


@dataclass(frozen=True, slots=True)
class Services:
    database: SQLite
    store: BlobStore
    content: Content
    buckets: Buckets
    objects: Objects
    uploads: Uploads


@asynccontextmanager
async def open_services(
    *,
    blob_size: int = 8,
    inline_limit: int = 4,
    store: MemoryStore | None = None,
    others: Mapping[str, Keeper] | None = None,
    clock: Callable[[], int] | None = None,
    budget: Budget | None = None,
) -> AsyncIterator[Services]:
    ticks = itertools.count(1_000_000)
    now = clock or (lambda: next(ticks))
    database = await SQLite.open(None)
    kept: Keeper = store or MemoryStore(STORE)
    stores = {name: stack(keeper) for name, keeper in {STORE: kept, **(others or {})}.items()}
    content = Content(
        database, stores, budget or Budget(1 << 30, None), now, blob_size=blob_size, inline_limit=inline_limit
    )
    buckets = Buckets(database, frozenset(stores), STORE, now)
    objects = Objects(database, content, buckets, now)
    try:
        yield Services(
            database, stores[STORE], content, buckets, objects, Uploads(database, content, buckets, objects, now)
        )
    finally:
        content.close()
        await database.close()


async def pieces(parts: Sequence[Buffer]) -> AsyncIterator[Buffer]:
    """A body that arrives in these pieces."""
    for part in parts:
        yield part


async def joined(body: Buffer | AsyncIterator[Buffer]) -> bytes:
    """All of what a read gave."""
    if isinstance(body, bytes | bytearray | memoryview):
        return bytes(body)
    return b"".join([bytes(part) async for part in body])


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """Data cut at these places, in any order and number; empty pieces are left in."""
    places = sorted(min(place, len(data)) for place in at)
    return [data[start:end] for start, end in itertools.pairwise([0, *places, len(data)])]


def expecting(intake: Intake | None = None, *keep: str) -> Expect:
    """A part is taken so, whatever its upload is."""
    return lambda _: Arriving(intake or Intake(), keep)


class Numbered:
    """The parts of these numbers, in this order."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = numbers

    def assemble(self, upload: Upload, parts: Sequence[Part]) -> Assembly:
        there = {part.number: part for part in parts}
        for number in self._numbers:
            if number not in there:
                raise PartMissing(number, "it was not put")
        return InOrder().assemble(upload, [there[number] for number in self._numbers])

    def is_same(self, upload: Upload, parts: Sequence[Part]) -> bool:
        return self._numbers == tuple(part.number for part in parts)
