"""The values that every layer shares. All are immutable; sizes are bytes, times are microseconds
since the epoch in UTC unless a name says otherwise.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NewType, Protocol, TypeVar, dataclass_transform

from entrepot.errors import ArgumentInvalid, NothingToMatch, NotModified, PreconditionFailed

BlobId = NewType("BlobId", bytes)
"""The 32 bytes of a BLAKE3-256 digest."""

Buffer = bytes | bytearray | memoryview

MOST_INLINE: Final = 8 * 1024 * 1024
"""Bytes of the longest blob that is kept in a catalog."""

NULL_VERSION: Final = "null"
"""The id of a version that was written while its bucket kept none."""


C = TypeVar("C")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def value(cls: type[C]) -> type[C]:
    """A dataclass that the type checker holds to be frozen. At run time it only has slots: a frozen
    one costs three times as much to make, and rows become values on every request.
    """
    return dataclass(slots=True, unsafe_hash=True)(cls)


@value
class Span:
    """The bytes from ``start`` up to, not including, ``end``."""

    start: int
    end: int

    @property
    def size(self) -> int:
        return self.end - self.start


class Versioning(enum.IntEnum):
    """Whether a bucket keeps what is overwritten. OFF is never come back to."""

    OFF = 0
    ON = 1
    SUSPENDED = 2


class Right(enum.StrEnum):
    """What a grant can allow on a bucket. ADMIN includes the others and the bucket's settings."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    ADMIN = "admin"


class Origin(Protocol):
    """The request in which somebody asks, as far as rules look at it. ``client`` is an address, '' when unknown."""

    @property
    def client(self) -> str: ...
    @property
    def secure(self) -> bool: ...


@value
class Principal:
    """Who asks. An empty ``account`` is the anonymous public; ``root`` may do everything. ``origin`` is None
    where nobody sent a request: on the command line, or in a job.
    """

    account: str
    access_key: str = ""
    root: bool = False
    grants: Mapping[str, frozenset[Right]] = field(default_factory=dict)
    origin: Origin | None = field(default=None, compare=False)

    @property
    def anonymous(self) -> bool:
        return not self.account

    def asking(self, origin: Origin) -> Principal:
        """The same in a request."""
        return Principal(self.account, self.access_key, self.root, self.grants, origin)


ANONYMOUS: Final = Principal("")


@value
class Key:
    """An access key. ``grants`` maps bucket names (or ``*``) to rights beyond its account's own."""

    access_key: str
    account: str
    sealed: bytes
    root: bool
    created_at: int
    grants: Mapping[str, frozenset[Right]] = field(default_factory=dict)
    display_name: str = ""


@value
class Bucket:
    id: int
    name: str
    owner: str
    store: str
    versioning: Versioning
    public_read: bool
    created_at: int
    events: bool = False
    """Whether what happens in it is written to the outbox."""


STORAGE_CLASS: Final = "storage-class"
"""Name in ``Meta.headers`` of the class of storage that a writer asked for. It is told, and changes nothing."""


@value
class Meta:
    """What a writer says about an object. ``headers`` are the standard fields that come back as
    they were sent (cache-control, content-disposition, content-encoding, content-language,
    expires) and STORAGE_CLASS, ``user`` the free ones; both by lower-case name.
    """

    media_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    user: Mapping[str, str] = field(default_factory=dict)


@value
class Checksums:
    """Digests that a client asked to keep, by algorithm name, as raw bytes.

    ``composite`` tells that each was computed over the digests of ``parts`` parts.
    """

    values: Mapping[str, bytes] = field(default_factory=dict)
    composite: bool = False
    parts: int = 0


NO_CHECKSUMS: Final = Checksums()


@value
class Piece:
    """``size`` bytes of a manifest at ``start``: a whole blob, or a whole nested manifest.
    Exactly one of ``blob`` and ``nested`` is set. ``claim`` as in :class:`Bytes`.
    """

    start: int
    size: int
    blob: BlobId | None = None
    nested: int | None = None
    claim: int = 0


@value
class Bytes:
    """Where the bytes of a version or part are: in a row of the catalog, a blob, a manifest (of pieces, while
    it is to be written), or nowhere, as there are none.

    ``data`` is set by reads that fetched inline bytes along with the row, and by writes that hand
    in bytes small enough for the catalog. ``store`` holds the blob, or those of the manifest; '' where there is
    neither. ``claim`` is for writers that have just put ``blob``: the claim under which they did; 0 for what has
    been named before. ``inline_digest`` names inline bytes that are not kept as they came; None where ``hash`` does.
    """

    size: int
    hash: bytes
    inline: int | None = None
    data: bytes | None = None
    blob: BlobId | None = None
    manifest: int | None = None
    pieces: tuple[Piece, ...] = ()
    claim: int = 0
    store: str = ""
    inline_digest: bytes | None = None

    @property
    def inline_name(self) -> bytes:
        """The digest that inline bytes are kept under, and verified by."""
        return self.inline_digest or self.hash


@value
class Version:
    """One state of an object, as the catalog has it. A delete marker has no bytes."""

    id: int
    bucket: int
    key: str
    version_id: str
    live: bool
    marker: bool
    etag: str
    created_at: int
    owner: str
    bytes: Bytes
    meta: Meta
    checksums: Checksums
    parts: int = 0
    archived_at: int | None = None
    tags: int = 0
    """How many it has."""

    @property
    def size(self) -> int:
        return self.bytes.size


@value
class Listed:
    """A line of a listing: what a client learns without asking for the object itself."""

    key: str
    version_id: str
    latest: bool
    marker: bool
    etag: str
    size: int
    created_at: int
    owner: str
    checksums: tuple[str, ...] = ()
    composite: bool = False
    storage_class: str = ""


class Stage(enum.StrEnum):
    """Where an upload stands (see ``catalog.operations.stages``)."""

    OPEN = "open"
    RECEIVING = "receiving"
    FINISHED = "finished"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ABORTED = "aborted"
    EXPIRED = "expired"
    FAILED = "failed"


@value
class Upload:
    """A resumable transfer that goes on (or ended a short while ago, at ``finished_at``). ``algorithm`` names the
    digest that its door asked its parts to have, '' where it left that open; ``composite`` that of the whole is to
    be made of those.
    """

    id: int
    upload_id: str
    bucket: int
    key: str
    owner: str
    created_at: int
    meta: Meta
    algorithm: str = ""
    composite: bool = True
    version_id: str | None = None
    etag: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    """Those of the version that it is to become."""
    stage: Stage = Stage.OPEN
    finished_at: int | None = None


@value
class Part:
    number: int
    etag: str
    created_at: int
    bytes: Bytes
    checksums: Checksums = NO_CHECKSUMS

    @property
    def size(self) -> int:
        return self.bytes.size


class Owned(Protocol):
    """A row that rules of access look at: a :class:`Version`, an :class:`Upload`, or what a writer overwrites."""

    @property
    def owner(self) -> str: ...


class State(Protocol):
    """What a precondition is held against: a :class:`Version` or a :class:`Listed`."""

    @property
    def etag(self) -> str: ...
    @property
    def created_at(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def marker(self) -> bool: ...


@value
class Precondition:
    """The state a caller requires. Etags are bare (no quotes); ``"*"`` matches any version.

    ``modified_since`` and ``unmodified_since`` are whole seconds since the epoch, as HTTP dates
    have no more; ``modified_at`` and ``size`` belong to S3's conditional DELETE.
    """

    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    modified_since: int | None = None
    unmodified_since: int | None = None
    modified_at: int | None = None
    size: int | None = None

    def check_read(self, state: State) -> None:
        """RFC 9110 §13.2.2. Raises PreconditionFailed or NotModified."""
        second = state.created_at // 1_000_000
        if self.if_match:
            if not _matches(self.if_match, state.etag):
                raise PreconditionFailed("If-Match")
        elif self.unmodified_since is not None and second > self.unmodified_since:
            raise PreconditionFailed("If-Unmodified-Since")
        if self.if_none_match:
            if _matches(self.if_none_match, state.etag):
                raise NotModified(state.etag, state.created_at)
        elif self.modified_since is not None and second <= self.modified_since:
            raise NotModified(state.etag, state.created_at)

    def check_source(self, state: State) -> None:
        """The same for the source of a copy, where a lack of change is a failure too."""
        try:
            self.check_read(state)
        except NotModified as error:
            raise PreconditionFailed("the copy source is unchanged") from error

    def check_write(self, state: State | None, name: object) -> None:
        """Decide a conditional PUT, copy or completion against the current state, None when
        there is none. Raises PreconditionFailed, which is NothingToMatch where If-Match met nothing.
        """
        present = state is not None and not state.marker
        if self.if_match:
            if not present or state is None:
                raise NothingToMatch("If-Match", name)
            if not _matches(self.if_match, state.etag):
                raise PreconditionFailed("If-Match")
        if self.if_none_match and present and state is not None and _matches(self.if_none_match, state.etag):
            raise PreconditionFailed("If-None-Match")

    def check_delete(self, state: State | None) -> None:
        """Decide a conditional DELETE. Deleting what is not there holds every condition; a delete
        marker is there, with its own date, no bytes, and an etag that only ``*`` matches.
        """
        if state is None:
            return
        if self.if_match and not _matches(self.if_match, state.etag):
            raise PreconditionFailed("If-Match")
        if self.modified_at is not None and state.created_at // 1_000_000 != self.modified_at:
            raise PreconditionFailed("If-Match-Last-Modified-Time")
        if self.size is not None and state.size != self.size:
            raise PreconditionFailed("If-Match-Size")

    @property
    def empty(self) -> bool:
        return self == ALWAYS


ALWAYS: Final = Precondition()


def _matches(etags: tuple[str, ...], etag: str) -> bool:
    return "*" in etags or etag in etags


def parse_grant(text: str) -> tuple[str, frozenset[Right]]:
    """``bucket:read,write`` → the bucket (or ``*``) and its rights. Raises ArgumentInvalid."""
    bucket, colon, rights = text.rpartition(":")
    known = ", ".join(right.value for right in Right)
    if not colon or not bucket:
        raise ArgumentInvalid("grant", text, f"write it as bucket:rights, rights being some of {known}")
    try:
        return bucket, frozenset(Right(word.strip()) for word in rights.split(","))
    except ValueError:
        raise ArgumentInvalid("grant", text, f"rights are {known}") from None
