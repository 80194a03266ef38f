"""Uploads: transfers in parts. One state machine behind every door that knows such a thing.

(none) ── create ──► open ── complete ──► complete (remembered for the grace period)
│  └── abort ──► (none)
└── put_part, copy_part: any number, in any order, replacing one another
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from entrepot.catalog.database import Database
from entrepot.catalog.operations import uploads as rows
from entrepot.catalog.operations.events import Kind
from entrepot.catalog.operations.objects import NewVersion, find_version
from entrepot.catalog.operations.uploads import MOST_PARTS, UploadPage
from entrepot.catalog.operations.uploads import Outcome as Outcome  # noqa: PLC0414 - what doors get from completing
from entrepot.catalog.operations.uploads import UploadQuery as UploadQuery  # noqa: PLC0414 - as below
from entrepot.core.access import Action, Resource
from entrepot.core.buckets import Buckets
from entrepot.core.content import Content, Intake
from entrepot.core.names import check_meta
from entrepot.core.objects import Objects, Source, stream
from entrepot.core.tags import OF_OBJECT, check_tags
from entrepot.digests import COMBINABLE, combine, composite
from entrepot.errors import (
    ArgumentInvalid,
    DigestMismatch,
    Invalid,
    PartInvalid,
    PartMissing,
    PartOrder,
    RangeInvalid,
    Superseded,
    TooLarge,
    TooSmall,
    UploadMissing,
)
from entrepot.model import (
    ALWAYS,
    Bucket,
    Buffer,
    Bytes,
    Checksums,
    Meta,
    Part,
    Piece,
    Precondition,
    Principal,
    Span,
    Upload,
    Version,
)


@dataclass(frozen=True, slots=True)
class ListedPart:
    """A part as its client names it at completion. An empty ``etag`` is not compared."""

    number: int
    etag: str = ""
    checksums: Mapping[str, bytes] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """What a client says when it completes an upload.

    ``least_part`` is the shortest any part but the last may be, ``limit`` the longest the whole
    may be; ``size``, ``checksums`` and ``composite`` (their kind) are what the whole must come to,
    when the client says so.
    """

    parts: Sequence[ListedPart]
    when: Precondition = ALWAYS
    least_part: int = 0
    limit: int = 1 << 62
    size: int | None = None
    checksums: Mapping[str, bytes] | None = None
    composite: bool | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Which upload: an id alone is not enough, bucket and key must be those it was opened for."""

    bucket: str
    key: str
    upload_id: str


@dataclass(frozen=True, slots=True)
class Uploads:
    """The service for uploads."""

    database: Database
    content: Content
    buckets: Buckets
    objects: Objects
    clock: Callable[[], int]

    async def create(
        self,
        who: Principal,
        bucket: str,
        key: str,
        meta: Meta,
        *,
        algorithm: str = "",
        composite: bool = True,
        tags: Mapping[str, str] | None = None,
    ) -> Upload:
        """Open an upload whose parts carry digests of ``algorithm``; its version will have the ``tags``.

        Raises BucketMissing, Denied, TagInvalid, TagsTooMany.
        """
        found = await self.buckets.enter(who, bucket, Action.UPLOAD_CREATE, key)
        check_meta(meta)
        check_tags(tags or {}, OF_OBJECT)
        new = Upload(
            0, secrets.token_urlsafe(24), found.id, key, who.account, self.clock(), meta, algorithm, composite,
            tags=tags or {},
        )  # fmt: skip
        return await self.database.write(rows.create_upload(new, bucket))

    async def put_part(
        self,
        who: Principal,
        place: Place,
        number: int,
        body: AsyncIterator[Buffer],
        intake: Intake,
        keep: tuple[str, ...] = (),
    ) -> Part:
        """Store a part; durable on return. ``keep`` names digests to store with it, beside the one
        of the upload. Raises what ``Objects.put`` raises, and UploadMissing.
        """
        bucket, upload = await self._find(who, place, Action.UPLOAD_APPEND)
        kept = tuple(dict.fromkeys([upload.algorithm, *keep] if upload.algorithm else keep))
        wanted = replace(intake, digests={"md5", *intake.digests, *kept}, inline=False)
        received = await self.content.take(bucket.store, body, wanted)
        part = Part(
            number, received.digests["md5"].hex(), 0, received.place,
            Checksums({name: received.digests[name] for name in kept}),
        )  # fmt: skip
        return await self.database.write(rows.put_part(place.upload_id, place.bucket, part, self.clock()))

    async def copy_part(
        self,
        who: Principal,
        place: Place,
        number: int,
        source: Source,
        span: Span | None = None,
        limit: int = 1 << 62,
    ) -> tuple[Version, Part]:
        """Store a stretch of another version as a part; returns that version too. Blobs that are there
        are not written again.

        Raises what reading the source raises, RangeInvalid for a span that it does not have,
        TooLarge for more than ``limit`` bytes.
        """
        await self._find(who, place, Action.UPLOAD_APPEND)
        opened = await self.objects.open(who, source.bucket, source.key, source.version_id)
        source.when.check_source(opened.version)
        whole = Span(0, opened.version.size)
        if span is not None and span.end > whole.end:
            raise RangeInvalid(whole.end, f"{span.start}-{span.end - 1}")
        wanted = span or whole
        body = stream(await opened.read(wanted))
        part = await self.put_part(who, place, number, body, Intake(size=wanted.size, limit=limit))
        return opened.version, part

    async def get(self, who: Principal, place: Place) -> Upload:
        """An open upload. Raises BucketMissing, Denied, UploadMissing."""
        _, upload = await self._find(who, place, Action.UPLOAD_LIST)
        return upload

    async def list_parts(
        self, who: Principal, place: Place, after: int = 0, limit: int = MOST_PARTS
    ) -> tuple[Upload, list[Part]]:
        """Parts by number. Raises BucketMissing, Denied, UploadMissing."""
        upload = await self.get(who, place)
        return upload, await self.database.scan(rows.list_parts(upload.id, after, limit))

    async def list(self, who: Principal, bucket: str, query: UploadQuery) -> UploadPage:
        """A page of open uploads by key, then id. Raises BucketMissing, Denied."""
        found, visible = await self.buckets.list_in(who, bucket, Action.UPLOAD_LIST)
        return await self.database.scan(rows.list_uploads(found.id, replace(query, visible=visible)))

    async def complete(self, who: Principal, place: Place, completion: Completion) -> Outcome:
        """Publish the parts named, in their order, as one version. Copies no byte, unless the parts
        are so small that the object would be read from more than twice the blobs it needs.

        Asked again it gives the same answer, without ``version`` once that is overwritten. Raises
        UploadMissing, PartMissing, PartInvalid, PartOrder, TooSmall, TooLarge, DigestMismatch,
        ArgumentInvalid, PreconditionFailed, ObjectMissing, Superseded; the upload stays open.
        """
        bucket = await self.buckets.enter(who, place.bucket, Action.OBJECT_WRITE, place.key)
        upload = await self.database.read(rows.get_upload(place.upload_id))
        _check_place(upload, bucket, place)
        recut: Bytes | None = None
        read: list[Part] = []
        if not upload.completed:
            parts = await self.database.scan(rows.list_parts(upload.id))
            with contextlib.suppress(Invalid):  # the upload may have ended since it was read: the transaction tells
                read = choose(parts, completion)
            if self._scattered(read):
                recut = await self._recut(bucket, read)

        def compose(upload: Upload, parts: Sequence[Part]) -> NewVersion:
            chosen = choose(parts, completion)
            same = [part.bytes.hash for part in chosen] == [part.bytes.hash for part in read]
            if len(_stores(chosen)) > 1 if recut is None else not same:
                raise Superseded(f"upload {place.upload_id}")  # a client that names no etags may have put another part
            return NewVersion(
                bucket.id, bucket.name, upload.key, self.objects.new_id, multipart_etag(chosen), upload.owner,
                recut or joined(chosen), upload.meta, whole_checksums(upload, chosen, completion), chosen,
                upload.tags, Kind.COMPLETED,
            )  # fmt: skip

        check = self.objects.guard(who, Action.OBJECT_WRITE, place.key)
        operation = rows.complete_upload(place.upload_id, bucket.name, compose, self.clock(), completion.when, check)
        outcome = await self.database.write(operation, heavy=True)
        if outcome.version is not None:
            return outcome
        version = await self.database.read(find_version(bucket.id, place.key, outcome.version_id))
        same = version is not None and version.etag == outcome.etag
        return replace(outcome, version=version) if same else outcome

    def _scattered(self, parts: Sequence[Part]) -> bool:
        """Whether to cut the parts anew: they have far more blobs than the whole needs, or lie in several stores."""
        if len(_stores(parts)) > 1:
            return True
        blobs = sum(math.ceil(part.size / self.content.blob_size) for part in parts)
        return blobs > 2 * math.ceil(sum(part.size for part in parts) / self.content.blob_size) and len(parts) > 1

    async def _recut(self, bucket: Bucket, parts: Sequence[Part]) -> Bytes:
        async def joined_bytes() -> AsyncIterator[Buffer]:
            for part in parts:
                async for data in stream(await self.content.read(part.bytes, Span(0, part.size))):
                    yield data

        received = await self.content.take(bucket.store, joined_bytes(), Intake())
        return received.place

    async def abort(self, who: Principal, place: Place) -> None:
        """Raises BucketMissing, Denied, UploadMissing."""
        await self._find(who, place, Action.UPLOAD_ABORT)
        await self.database.write(rows.abort_upload(place.upload_id, who.account, self.clock()))

    async def _find(self, who: Principal, place: Place, action: Action) -> tuple[Bucket, Upload]:
        bucket = await self.buckets.enter(who, place.bucket, action, place.key)
        upload = await self.database.read(rows.get_upload(place.upload_id))
        _check_place(upload, bucket, place)
        self.buckets.access.check(who, action, Resource(bucket, place.key, upload))
        if upload.completed:
            raise UploadMissing(place.upload_id)
        return bucket, upload


def _check_place(upload: Upload, bucket: Bucket, place: Place) -> None:
    if upload.bucket != bucket.id or upload.key != place.key:
        raise UploadMissing(place.upload_id)


def choose(parts: Sequence[Part], completion: Completion) -> list[Part]:
    """The parts that a client named, held against those that are there.

    Raises PartOrder, PartMissing, PartInvalid, TooSmall, TooLarge, ArgumentInvalid.
    """
    there = {part.number: part for part in parts}
    chosen: list[Part] = []
    for listed in completion.parts:
        if chosen and listed.number <= chosen[-1].number:
            raise PartOrder(listed.number, "parts must be named once each, in ascending order")
        part = there.get(listed.number)
        if part is None or (listed.etag and listed.etag != part.etag):
            raise PartMissing(listed.number, "it was not uploaded, or its etag is another")
        for name, value in (listed.checksums or {}).items():
            if part.checksums.values.get(name) != value:
                raise PartInvalid(listed.number, f"its {name} is another")
        chosen.append(part)
    if not chosen:
        raise ArgumentInvalid("parts", "", "name at least one part")
    for part in chosen[:-1]:
        if part.size < completion.least_part:
            raise TooSmall(f"part {part.number}", part.size, completion.least_part)
    size = sum(part.size for part in chosen)
    if completion.size is not None and completion.size != size:
        raise ArgumentInvalid("size", completion.size, f"the parts come to {size} bytes")
    if size > completion.limit:
        raise TooLarge("object", size, completion.limit)
    return chosen


def joined(parts: Sequence[Part]) -> Bytes:
    """The parts as one manifest; a single part is its own."""
    if len(parts) == 1:
        return parts[0].bytes
    pieces: list[Piece] = []
    start = 0
    for part in parts:
        if part.size:
            pieces.append(Piece(start, part.size, part.bytes.blob, part.bytes.manifest))
            start += part.size
    return Bytes(start, b"", pieces=tuple(pieces), store=next(iter(_stores(parts)), ""))


def _stores(parts: Sequence[Part]) -> set[str]:
    """Where the parts lie: in more than one store, if the bucket was moved between them."""
    return {part.bytes.store for part in parts if part.size}


def multipart_etag(parts: Sequence[Part]) -> str:
    """S3's etag of an object made of parts: MD5 over their MD5s, and their number."""
    whole = hashlib.md5(b"".join(bytes.fromhex(part.etag) for part in parts), usedforsecurity=False)
    return f"{whole.hexdigest()}-{len(parts)}"


def whole_checksums(upload: Upload, parts: Sequence[Part], completion: Completion) -> Checksums:
    """The checksum of the whole from those of its parts, held against what the client says.

    Raises DigestMismatch, and ArgumentInvalid for a kind of checksum that the upload has not.
    """
    made = _combined(upload, parts)
    for name, expected in (completion.checksums or {}).items():
        computed = made.values.get(name)
        if computed is None:
            raise ArgumentInvalid("checksum", name, f"the upload was begun with {upload.algorithm or 'none'}")
        if computed != expected:
            raise DigestMismatch(name, expected.hex(), computed.hex())
    if completion.composite is not None and completion.composite is not made.composite:
        raise ArgumentInvalid("checksum", completion.composite, "the upload was begun with the other type")
    return made


def _combined(upload: Upload, parts: Sequence[Part]) -> Checksums:
    name = upload.algorithm
    if not name:
        return Checksums()
    values = [part.checksums.values[name] for part in parts]
    if upload.composite or name not in COMBINABLE:
        return Checksums({name: composite(name, values)}, composite=True, parts=len(parts))
    whole = combine(name, zip(values, (part.size for part in parts), strict=True))
    return Checksums({name: whole}, parts=len(parts))
