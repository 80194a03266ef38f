"""Bytes in and out: a stream becomes blobs, blobs become a stream again (see :mod:`entrepot.core.reading`).

A body is cut every ``blob_size`` bytes. Each blob is hashed (in order, as the digests of the
whole run over it) and, once its store has a place for it, claimed in the catalog and put; while
one is written the next one is hashed and the one after that received. A body that fits the catalog
is not put anywhere: it travels with its version. Nothing here has a name yet; a body that breaks
off leaves unnamed blobs to the collector.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from blake3 import blake3

from entrepot.blobs.store import BlobStore, digest, receive
from entrepot.catalog.database import Database
from entrepot.catalog.operations.blobs import claim, forget
from entrepot.core.budget import Budget, Gathering
from entrepot.core.reading import ContentReader
from entrepot.core.room import CATALOG, Room
from entrepot.digests import Digest, digest_of, new_digest
from entrepot.errors import BodyIncomplete, Busy, DigestMismatch, EntrepotError, TooLarge, Unavailable
from entrepot.model import BlobId, Buffer, Bytes, Piece, Span, value

P = ParamSpec("P")
R = TypeVar("R")

AT_ONCE: Final = 3
"""Blobs of one body that are hashed or written at the same time."""

HASHERS: Final = 2
"""Threads that hash, for the bodies of every store: their work is of memory and cores, not of a disk."""

HASH_INLINE: Final = 32 * 1024
"""Below this, hashing costs less than a hop to a thread and back."""

CLAIM_TRIES: Final = 100
"""Times to ask for a blob that the collector is removing, ``CLAIM_PAUSE`` seconds apart."""

CLAIM_PAUSE: Final = 0.05


@value
class Received:
    """A body that is in place: where its bytes are, and the digests asked for."""

    place: Bytes
    digests: Mapping[str, bytes]


@value
class Intake:
    """What is known of a body before it is read.

    ``size`` is the announced length if there is one, ``limit`` the longest that is taken,
    ``digests`` the names to compute. ``expected`` is asked once the body has ended, as some
    announcements arrive behind it.
    """

    size: int | None = None
    limit: int = 1 << 62
    digests: Collection[str] = ()
    expected: Callable[[], Mapping[str, bytes]] = dict
    inline: bool = True


class _Stores(dict[str, BlobStore]):
    """The stores of this process. A bucket may be bound to another, which was configured when it was made."""

    def __missing__(self, name: str) -> BlobStore:
        raise Unavailable(f"the store {name} is not configured, but buckets are bound to it")


class Content:
    """Splits and joins content over the stores of one process."""

    def __init__(
        self,
        database: Database,
        stores: Mapping[str, BlobStore],
        budget: Budget,
        clock: Callable[[], int],
        *,
        blob_size: int,
        inline_limit: int,
        room: Room | None = None,
    ) -> None:
        self.room = room or Room()
        self.stores = _Stores(stores)
        self.blob_size = blob_size
        self.inline_limit = inline_limit
        self._small = min(HASH_INLINE, inline_limit, blob_size)
        """Bytes of a body that needs no store and no thread."""
        self._database = database
        self._budget = budget
        self._clock = clock
        # One that is slow holds up no other, and no body waits for a store while it holds a place among the hashers.
        self._slots = {name: asyncio.Semaphore(store.capabilities.concurrency) for name, store in stores.items()}
        self._reader = ContentReader(database, self.stores, budget)
        self._hashers = ThreadPoolExecutor(HASHERS, thread_name_prefix="hash")

    async def take(self, store: str, body: AsyncIterator[Buffer], intake: Intake) -> Received:
        """Read a body to its end and put it in place, unnamed.

        Raises BodyIncomplete, TooLarge, DigestMismatch, StoreFull, Unavailable and what the body raises; then
        nothing is visible and no memory is held.
        """
        size = intake.size
        if size is not None and size > intake.limit:
            raise TooLarge("body", size, intake.limit)
        stays = intake.inline and size is not None and size <= min(self.inline_limit, self.blob_size)
        await self.room.check(CATALOG if stays else store)
        if intake.inline and size is not None and size <= self._small and self._budget.take(size):
            try:
                return await _take_small(body, intake, size)
            finally:
                self._budget.give(size)
        return await _Taking(self, store, intake).run(body)

    async def arrival(self, store: str, body: AsyncIterator[Buffer], intake: Intake) -> AsyncGenerator[Piece, None]:
        """The pieces of a body in their order, each on disk when it is yielded and still unnamed: whoever names it
        keeps it. A body that breaks off, or is not what was announced, raises after all that came of it; what is
        less than a blob is a piece too then.

        Raises what :meth:`take` raises.
        """
        landed: asyncio.Queue[Piece | None] = asyncio.Queue()
        taking = asyncio.create_task(_Taking(self, store, intake, landed.put_nowait).run(body))
        taking.add_done_callback(lambda _: landed.put_nowait(None))
        try:
            while (piece := await landed.get()) is not None:
                yield piece
            await taking
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    def read(self, bytes_: Bytes, span: Span) -> Awaitable[Buffer | AsyncIterator[Buffer]]:
        """The bytes of a span: at once when they are few, else as a stream.

        Raises BlobMissing and BlobCorrupt for the first piece; a later one that fails ends the
        stream with the same errors.
        """
        return self._reader.read(bytes_, span)

    async def claim(self, store: str, blob: BlobId, size: int) -> int:
        """Protect a blob from the collector before it is put; what to name it with. Raises Busy."""
        for _ in range(CLAIM_TRIES):
            claimed = await self._database.write(claim(store, blob, size, self._clock()))
            if claimed is not None:
                return claimed
            with contextlib.suppress(Busy):  # who condemned it is at work
                await self._finish_removal(store, blob, size)
                continue
            await asyncio.sleep(CLAIM_PAUSE)
        raise Busy(f"blob {blob.hex()} is being removed")

    async def _finish_removal(self, store: str, blob: BlobId, size: int) -> None:
        """Do what is left of a removal whose collector has ended half-way. Raises Busy when one is running.

        Nobody else removes or forgets anything meanwhile, so it is asked here once more whether the blob is condemned:
        by now it may be another's, put after the first one was gone.
        """
        async with self._database.alone("collect") as still:
            if await self._database.write(claim(store, blob, size, self._clock())) is None:
                await still()
                await self.stores[store].remove([blob])
                await self._database.write(forget(store, [blob]))

    async def keep(self, store: str, full: Gathering, id: BlobId) -> int:
        """Claim and put one blob, when the store has a place for it; its claim. Only then are the bytes of a
        body that waits on disk mapped: until it is its turn they cost no memory.
        """
        kept = self.stores[store]
        async with self._slots[store]:
            claimed = await self.claim(store, id, full.size)
            await receive(kept, full.whole(), id)
        return claimed

    async def in_thread(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run work that releases the interpreter lock beside the event loop."""
        call = functools.partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._hashers, call)

    def gathering(self) -> Gathering:
        return Gathering(self._budget)

    def close(self) -> None:
        self._hashers.shutdown(wait=False, cancel_futures=True)


async def _take_small(body: AsyncIterator[Buffer], intake: Intake, size: int) -> Received:
    """A small body of announced length. Raises BodyIncomplete, DigestMismatch."""
    taken: bytes | bytearray = b""
    async for data in body:
        if not taken:
            taken = bytes(data)  # most come in one piece, which is not copied
        else:
            taken = bytearray(taken) if isinstance(taken, bytes) else taken
            taken += data
        if len(taken) > size:
            raise BodyIncomplete(len(taken), size)
    if len(taken) != size:
        raise BodyIncomplete(len(taken), size)
    return _carried(bytes(taken), intake)


def _carried(whole: bytes, intake: Intake) -> Received:
    """A whole body that travels with its version; hashed here and now. Raises DigestMismatch."""
    digests = _checked({name: digest_of(name, whole) for name in intake.digests}, intake)
    return Received(Bytes(len(whole), digest(whole), data=whole or None), digests)


def _checked(digests: Mapping[str, bytes], intake: Intake) -> Mapping[str, bytes]:
    """Digests held against those that were announced. Raises DigestMismatch."""
    for name, expected in intake.expected().items():
        if digests[name] != expected:
            raise DigestMismatch(name, expected.hex(), digests[name].hex())
    return digests


class _Taking:
    """One body on its way in. Where somebody wants to be told of what ``landed``, it is told of each piece in order,
    and a body that breaks off is put as far as it came.
    """

    def __init__(
        self, content: Content, store: str, intake: Intake, landed: Callable[[Piece], None] | None = None
    ) -> None:
        self._content = content
        self._store = store
        self._intake = intake
        self._digests: list[tuple[str, Digest]] = [(name, new_digest(name)) for name in intake.digests]
        self._whole = blake3()
        self._size = 0
        self._tasks: list[asyncio.Task[Piece]] = []
        self._landed = landed
        self._told = 0

    # A body of one blob needs neither.

    @functools.cached_property
    def _order(self) -> asyncio.Lock:
        """Held by the blob that is being hashed."""
        return asyncio.Lock()

    @functools.cached_property
    def _slots(self) -> asyncio.Semaphore:
        """One for each blob that may be under way."""
        return asyncio.Semaphore(AT_ONCE)

    async def run(self, body: AsyncIterator[Buffer]) -> Received:
        try:
            rest = await self._receive(body)
            try:
                if not self._tasks:
                    return await self._single(rest)
                await self._begin(rest)
            finally:
                if not self._tasks:
                    rest.close()
            return await self._several()
        finally:
            if self._tasks:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _receive(self, body: AsyncIterator[Buffer]) -> Gathering:
        """Begin on each whole blob; returns what is left in the end, a blob or less."""
        gathering = self._content.gathering()
        try:
            async for data in body:
                self._count(len(data))
                rest: Buffer = data
                while len(rest) > (room := self._content.blob_size - gathering.size):
                    gathering.add(memoryview(rest)[:room])
                    rest = memoryview(rest)[room:]
                    full, gathering = gathering, self._content.gathering()
                    await self._begin(full)
                gathering.add(rest)
            if self._intake.size is not None and self._size != self._intake.size:
                raise BodyIncomplete(self._size, self._intake.size)
        except BaseException as error:
            try:
                if self._landed is not None and isinstance(error, Exception):
                    await self._save(gathering)
            finally:
                gathering.close()
            raise
        return gathering

    async def _save(self, rest: Gathering) -> None:
        """Of a body that broke off, see everything put that came; not what came behind a blob that could not be."""
        with contextlib.suppress(EntrepotError):  # the body's own error is the one to be told
            if rest.size:
                await self._begin(rest)
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _count(self, size: int) -> None:
        self._size += size
        if self._intake.size is not None and self._size > self._intake.size:
            raise BodyIncomplete(self._size, self._intake.size)
        if self._size > self._intake.limit:
            raise TooLarge("body", self._size, self._intake.limit)

    async def _begin(self, full: Gathering) -> None:
        """Start on a whole blob as soon as few enough are under way; tell of one that failed."""
        try:
            await self._slots.acquire()
        except BaseException:
            full.close()
            raise
        start = len(self._tasks) * self._content.blob_size
        task = asyncio.create_task(self._keep(full, start))
        # Not in the task itself: one that is cancelled before its first step never gets to a finally.
        task.add_done_callback(lambda _: self._end(full))
        self._tasks.append(task)
        if self._landed is not None:
            task.add_done_callback(lambda _: self._tell())
        for each in self._tasks:
            if each.done():
                each.result()

    def _end(self, full: Gathering) -> None:
        full.close()
        self._slots.release()

    def _tell(self) -> None:
        """Tell of what has landed with nothing missing before it."""
        while self._landed is not None and self._told < len(self._tasks):
            task = self._tasks[self._told]
            if not task.done() or task.cancelled() or task.exception() is not None:
                return
            self._landed(task.result())
            self._told += 1

    async def _keep(self, full: Gathering, start: int) -> Piece:
        async with self._order:  # asyncio's lock is fair: blobs are hashed in the order they came
            name = await self._content.in_thread(self._hash, full)
        claimed = await self._content.keep(self._store, full, name)
        return Piece(start, full.size, name, claim=claimed)

    def _hash(self, full: Gathering) -> BlobId:
        data = full.whole()
        self._digest(data)
        return digest(data)

    def _digest(self, data: Buffer) -> None:
        for _, each in self._digests:
            each.update(data)
        self._whole.update(data)

    async def _single(self, full: Gathering) -> Received:
        """A body of one blob, or less: the digests are checked before anything is put."""
        size = self._size
        if self._intake.inline and size <= min(HASH_INLINE, self._content.inline_limit):
            return _carried(bytes(full.whole()), self._intake)
        await self._content.in_thread(self._digest, full.whole())
        digests = self._check_digests()
        name = BlobId(self._whole.digest())
        if not size:
            return Received(Bytes(0, name), digests)
        if self._intake.inline and size <= self._content.inline_limit:
            return Received(Bytes(size, name, data=bytes(full.whole())), digests)
        claimed = await self._content.keep(self._store, full, name)
        if self._landed is not None:
            self._landed(Piece(0, size, name, claim=claimed))
        return Received(Bytes(size, name, blob=name, claim=claimed, store=self._store), digests)

    async def _several(self) -> Received:
        pieces = tuple([await task for task in self._tasks])
        digests = self._check_digests()
        return Received(Bytes(self._size, self._whole.digest(), pieces=pieces, store=self._store), digests)

    def _check_digests(self) -> Mapping[str, bytes]:
        return _checked({name: each.digest() for name, each in self._digests}, self._intake)
