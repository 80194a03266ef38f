"""Uploads: transfers in several requests, for every door that knows such a thing.

Parts are numbered by their client, come in any order and replace one another (``put_part``, ``copy_part``), or each
goes behind the last (``append``). What a part must be, which of them make the object and what it is called then are
the rules of a door, which it brings along; the stages of an upload are in ``catalog.operations.stages``.
"""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from entrepot.catalog.database import Database
from entrepot.catalog.operations import uploads as rows
from entrepot.catalog.operations.events import Kind
from entrepot.catalog.operations.layouts import find_layout
from entrepot.catalog.operations.objects import NewVersion, find_version, look_up
from entrepot.catalog.operations.uploads import MOST_PARTS, UploadPage
from entrepot.catalog.operations.uploads import Outcome as Outcome  # noqa: PLC0414 - what doors get from completing
from entrepot.catalog.operations.uploads import UploadQuery as UploadQuery  # noqa: PLC0414 - as below
from entrepot.core.access import Action, Resource
from entrepot.core.buckets import Buckets
from entrepot.core.content import Content, Intake
from entrepot.core.names import check_meta
from entrepot.core.objects import CopySource, Objects, etag_of, stream
from entrepot.core.tags import OF_OBJECT, check_tags
from entrepot.digests import digest_of
from entrepot.errors import Invalid, PreconditionFailed, RangeInvalid, Superseded, UploadMissing
from entrepot.model import (
    ALWAYS,
    NO_CHECKSUMS,
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
class Arriving:
    """How a door takes a part: ``intake`` names the digests to compute, the MD5 among them where that is to be the
    part's etag; ``keep`` those that are stored with it.
    """

    intake: Intake
    keep: tuple[str, ...] = ()


Expect = Callable[[Upload], Arriving]
"""What a door expects of a part of this upload; asked before the body is read. May raise for a part that does not
belong to it."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """What becomes of an upload: its ``parts`` one behind the other, with this etag and these checksums."""

    parts: Sequence[Part]
    etag: str
    checksums: Checksums = NO_CHECKSUMS


class Completion(Protocol):
    """The rules by which a door makes an object of parts: which of them, and what the whole is called.

    Both are asked within a transaction, and may be asked again: they look at nothing else.
    """

    def assemble(self, upload: Upload, parts: Sequence[Part]) -> Assembly:
        """From the parts that are there, by number. Raises Invalid for parts that do not fit."""
        ...

    def is_same(self, upload: Upload, parts: Sequence[Part]) -> bool:
        """Whether this completed the upload, whose version was made of ``parts`` (see ``Opened.parts``)."""
        ...


class InOrder:
    """The completion of a door that only ever appends: everything that there is."""

    def assemble(self, upload: Upload, parts: Sequence[Part]) -> Assembly:
        return Assembly(parts, digest_of("blake3", b"".join(part.bytes.hash for part in parts)).hex())

    def is_same(self, upload: Upload, parts: Sequence[Part]) -> bool:
        return True


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
        if tags:
            self.buckets.access.check_before(who, Action.OBJECT_TAG_WRITE, Resource(found, key))
        check_meta(meta)
        check_tags(tags or {}, OF_OBJECT)
        await self.content.room.check(found.store)
        new = Upload(
            0, secrets.token_urlsafe(24), found.id, key, who.account, self.clock(), meta, algorithm, composite,
            tags=tags or {},
        )  # fmt: skip
        return await self.database.write(rows.create_upload(new, bucket))

    async def put_part(
        self, who: Principal, place: Place, number: int, body: AsyncIterator[Buffer], expect: Expect
    ) -> Part:
        """Store a part; durable on return. Raises what ``Objects.put`` and ``expect`` raise, and UploadMissing."""
        bucket, upload = await self._find(who, place, Action.UPLOAD_APPEND)
        arriving = expect(upload)
        received = await self.content.take(bucket.store, body, _stored(arriving))
        part = Part(
            number, etag_of(received.place, received.digests), 0, received.place,
            Checksums({name: received.digests[name] for name in arriving.keep}),
        )  # fmt: skip
        return await self.database.write(rows.put_part(place.upload_id, place.bucket, part, self.clock()))

    async def copy_part(
        self, who: Principal, place: Place, number: int, source: CopySource, span: Span | None, expect: Expect
    ) -> tuple[Version, Part]:
        """Store a stretch of another version as a part; returns that version too. Blobs that are there
        are not written again.

        Raises what reading the source raises, RangeInvalid for a span that it does not have, and what
        ``put_part`` raises.
        """
        await self._find(who, place, Action.UPLOAD_APPEND)
        opened = await self.objects.open(who, source.bucket, source.key, source.version_id)
        source.when.check_source(opened.version)
        whole = Span(0, opened.version.size)
        if span is not None and span.end > whole.end:
            raise RangeInvalid(whole.end, f"{span.start}-{span.end - 1}")
        wanted = span or whole

        def sized(upload: Upload) -> Arriving:
            arriving = expect(upload)
            return replace(arriving, intake=replace(arriving.intake, size=wanted.size))

        part = await self.put_part(who, place, number, stream(await opened.read(wanted)), sized)
        return opened.version, part

    async def append(
        self, who: Principal, place: Place, offset: int, body: AsyncIterator[Buffer], expect: Expect
    ) -> AsyncGenerator[int, None]:
        """Add a body behind the ``offset`` bytes that there are; yields the offset each time that more is on disk,
        whatever happens then. Of a body that breaks off everything is kept that came before, and then it raises.

        Raises what ``put_part`` raises, and Superseded where the upload has not come to that offset, or gone beyond.
        """
        bucket, upload = await self._find(who, place, Action.UPLOAD_APPEND)
        if await self.database.read(rows.received(upload.id)) != offset:
            raise Superseded(f"upload {place.upload_id}")
        arrival = self.content.arrival(bucket.store, body, _stored(expect(upload)))
        async with contextlib.aclosing(arrival) as pieces:
            async for piece in pieces:
                landed = Bytes(piece.size, piece.blob or b"", blob=piece.blob, claim=piece.claim, store=bucket.store)
                part = Part(0, landed.hash.hex(), 0, landed)
                await self.database.write(rows.append_part(place.upload_id, place.bucket, offset, part, self.clock()))
                offset += piece.size
                yield offset

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

    async def complete(
        self, who: Principal, place: Place, completion: Completion, when: Precondition = ALWAYS
    ) -> Outcome:
        """Publish parts as one version, by the rules of ``completion``. Copies no byte, unless the parts
        are so small that the object would be read from more than twice the blobs it needs.

        The same completion asked for again gives the same answer while its version is there. Raises UploadMissing,
        what ``completion`` raises, PreconditionFailed, Superseded; the upload stays as it was.
        """
        bucket = await self.buckets.enter(who, place.bucket, Action.OBJECT_WRITE, place.key)
        upload = await self.database.read(rows.get_upload(place.upload_id))
        _check_place(upload, bucket, place)
        recut: Bytes | None = None
        read: Sequence[Part] = ()
        if upload.version_id is None:
            parts = await self.database.scan(rows.list_parts(upload.id))
            with contextlib.suppress(Invalid):  # the upload may have ended since it was read: the transaction tells
                read = completion.assemble(upload, parts).parts
            if self._scattered(read):
                recut = await self._recut(bucket, read)

        def compose(upload: Upload, parts: Sequence[Part]) -> NewVersion:
            made = completion.assemble(upload, parts)
            same = [part.bytes.hash for part in made.parts] == [part.bytes.hash for part in read]
            if len(_stores(made.parts)) > 1 if recut is None else not same:
                raise Superseded(f"upload {place.upload_id}")  # a client that names no etags may have put another part
            return NewVersion(
                bucket.id, bucket.name, upload.key, self.objects.new_id, made.etag, upload.owner,
                recut or joined(made.parts), upload.meta, made.checksums, made.parts, upload.tags, Kind.COMPLETED,
            )  # fmt: skip

        check = self.objects.guard(who, place.key, Action.OBJECT_WRITE)
        operation = rows.complete_upload(place.upload_id, bucket.name, compose, self.clock(), when, check)
        outcome = await self.database.write(operation, heavy=True)
        return outcome if outcome.version is not None else await self._again(place, outcome, completion, when)

    async def _again(self, place: Place, outcome: Outcome, completion: Completion, when: Precondition) -> Outcome:
        """The answer to a completion that was given already, if this is that one, and what it made still stands."""
        upload = await self.database.read(rows.get_upload(place.upload_id))
        version = await self.database.read(find_version(upload.bucket, place.key, outcome.version_id))
        made = None if version is None else (version.etag, version.created_at)
        if version is None or made != (upload.etag, upload.finished_at):
            raise UploadMissing(place.upload_id)
        if not completion.is_same(upload, await self.database.read(find_layout(version.id))):
            raise UploadMissing(place.upload_id)
        if when is not ALWAYS:
            _, current = await self.database.read(look_up(place.bucket, place.key))
            when.check_write(current, place.key)
        return replace(outcome, version=version)

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

    async def abort(self, who: Principal, place: Place, opened_at: int | None = None) -> None:
        """End an upload without a version; where ``opened_at`` is given, only one that was opened in that second
        since the epoch. Raises BucketMissing, Denied, UploadMissing, PreconditionFailed.
        """
        _, upload = await self._find(who, place, Action.UPLOAD_ABORT)
        if opened_at is not None and upload.created_at // 1_000_000 != opened_at:
            raise PreconditionFailed("the upload was opened at another time")
        self.content.room.relieve()
        await self.database.write(rows.abort_upload(place.upload_id, who.account, self.clock()))

    async def _find(self, who: Principal, place: Place, action: Action) -> tuple[Bucket, Upload]:
        bucket = await self.buckets.enter(who, place.bucket, action, place.key)
        upload = await self.database.read(rows.get_upload(place.upload_id))
        _check_place(upload, bucket, place)
        self.buckets.access.check(who, action, Resource(bucket, place.key, upload))
        if upload.version_id is not None:
            raise UploadMissing(place.upload_id)
        return bucket, upload


def _stored(arriving: Arriving) -> Intake:
    """As a door expects a part; parts lie in a store, whatever their size."""
    digests = {*arriving.intake.digests, *arriving.keep}
    return replace(arriving.intake, digests=digests, inline=False)


def _check_place(upload: Upload, bucket: Bucket, place: Place) -> None:
    if upload.bucket != bucket.id or upload.key != place.key:
        raise UploadMissing(place.upload_id)


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
