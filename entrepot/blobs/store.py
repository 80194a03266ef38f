"""The interface of a blob store, and the one way in.

A store keeps whole blobs: immutable bytes, none longer than its ``max_blob``, each named by its
BLAKE3-256 digest. There is no half-written blob and so nothing to abort.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from blake3 import blake3

from entrepot.errors import RangeInvalid, TooLarge
from entrepot.model import BlobId, Buffer, Span

MAX_BLOB = 64 * 1024 * 1024
"""No store takes more than this in one blob."""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a store can do besides its verbs, as data.

    ``concurrency``: how many blobs a process puts into it at once. ``presign``: it can hand out
    addresses that clients read from. ``empty``: it keeps a blob of no bytes. ``durable``: what it
    acknowledged survives a power cut. ``path``: the directory of this host that it lives in, if it
    does.
    """

    max_blob: int = MAX_BLOB
    concurrency: int = 8
    presign: bool = False
    empty: bool = True
    durable: bool = True
    path: Path | None = None


Sound = Callable[[BlobId, Buffer], bool]
"""Whether these bytes are the blob of that name."""


class Found(NamedTuple):
    """Bytes that were read of a blob of ``size`` bytes: those from ``start`` on, as far as they go.

    ``stamp`` tells what they were read from, a file for example, from any other, and from itself once it has changed;
    None where nothing does.
    """

    data: Buffer
    start: int
    size: int
    stamp: Hashable | None = None

    def covers(self, span: Span) -> bool:
        """Raises RangeInvalid for a span that the blob has not."""
        check_span(span, self.size)
        return self.start <= span.start and span.end <= self.start + len(self.data)

    def cut(self, span: Span | None) -> Buffer:
        """The bytes of a span that is covered, or all. Holds on to no others."""
        if span is None or (self.start, len(self.data)) == (span.start, span.size):
            return self.data
        return bytes(memoryview(self.data)[span.start - self.start : span.end - self.start])


class Keeper(Protocol):
    """What a kind of store does itself. It keeps blobs and sets aside what is not ``sound``, and leaves it to
    ``verified`` to say what is: that makes a :class:`BlobStore` of it.
    """

    @property
    def capabilities(self) -> Capabilities: ...

    async def put(self, id: BlobId, data: Buffer, sound: Sound) -> bool:
        """As ``BlobStore.put``. What is there and not sound is set aside, and ``data`` takes its place."""
        ...

    async def read(self, id: BlobId, span: Span | None, sound: Sound, stamp: Hashable | None = None) -> Found:
        """All of a blob, or at least those bytes of ``span`` that it has, once all of it was found sound. With the
        ``stamp`` of a former read that part alone may be read, if the stamp is still the same. Of callers that
        wait for one another each may get what the first one asked for.

        Raises BlobMissing, Unavailable, BlobCorrupt (it is set aside then).
        """
        ...

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]: ...

    def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]: ...

    async def remove(self, ids: Collection[BlobId]) -> None: ...


class BlobStore(Protocol):
    """Five verbs over whole blobs, and what else the store can do."""

    @property
    def capabilities(self) -> Capabilities: ...

    async def put(self, id: BlobId, data: Buffer) -> bool:
        """Keep ``data`` under ``id``; True if it was not there. Idempotent; durable on return.

        Callers go through :func:`receive`, so ``id`` is the digest of ``data``. After a failure
        or a cancellation the blob is there whole or not at all. Raises StoreFull, Unavailable.
        """
        ...

    async def get(self, id: BlobId, span: Span | None = None) -> Buffer:
        """The blob's bytes, or those of ``span``, which must lie within it.

        A whole blob is verified against its name before a byte is returned. Raises BlobMissing,
        RangeInvalid, Unavailable, BlobCorrupt (the blob is in quarantine then: the next ``get``
        finds it missing).
        """
        ...

    async def stat(self, ids: Collection[BlobId]) -> Mapping[BlobId, int]:
        """The size of each blob that is there; absent ids are left out."""
        ...

    def list(self, after: BlobId | None = None) -> AsyncIterator[BlobId]:
        """Every blob in ascending order, beginning behind ``after``."""
        ...

    async def remove(self, ids: Collection[BlobId]) -> None:
        """Let go of blobs; an absent one is not an error. Only the collector calls this."""
        ...


def digest(data: Buffer) -> BlobId:
    """The name of these bytes."""
    return BlobId(blake3(data).digest())


def check_span(span: Span, size: int) -> None:
    """Raises RangeInvalid unless ``span`` lies within ``size`` bytes."""
    if not 0 <= span.start <= span.end <= size:
        raise RangeInvalid(size, f"{span.start}-{span.end}")


async def receive(store: BlobStore, data: Buffer, id: BlobId | None = None) -> BlobId:
    """The only way into a store: bounds the blob, names it, keeps it.

    ``id`` is given when the caller has just hashed the same bytes (hashing belongs in a thread).
    Raises TooLarge and what ``put`` raises.
    """
    size = len(data)
    if size > store.capabilities.max_blob:
        raise TooLarge("blob", size, store.capabilities.max_blob)
    name = digest(data) if id is None else id
    await store.put(name, data)
    return name
