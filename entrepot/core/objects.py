"""Objects: put, open, stat, list, copy, delete. Doors translate into these and back."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from entrepot.catalog.database import Database
from entrepot.catalog.operations import objects as rows
from entrepot.catalog.operations.events import Kind
from entrepot.catalog.operations.layouts import find_layout
from entrepot.catalog.operations.listing import Listing, Query, list_live, list_versions
from entrepot.catalog.operations.objects import Deleted, NewVersion
from entrepot.catalog.operations.tags import list_tags
from entrepot.core.access import Action, Resource
from entrepot.core.buckets import Buckets
from entrepot.core.content import Content, Intake, Received
from entrepot.core.names import check_key, check_meta
from entrepot.core.tags import OF_OBJECT, check_tags
from entrepot.errors import (
    BlobMissing,
    BucketMissing,
    Busy,
    DeleteMarkerFound,
    EntrepotError,
    ObjectMissing,
    VersionMissing,
)
from entrepot.model import (
    ALWAYS,
    STORAGE_CLASS,
    Bucket,
    Buffer,
    Bytes,
    Checksums,
    Meta,
    Owned,
    Part,
    Precondition,
    Principal,
    Span,
    Version,
    value,
)

HEAVY_PIECES: Final = 64
"""A write of more rows than this makes way for short ones."""


@value
class Put:
    """What is known of an object to be put, besides its bytes. ``keep`` names the digests that
    are stored with it as checksums. ``asking`` says that the client waits to be told whether to send
    the body at all.
    """

    meta: Meta
    intake: Intake
    keep: tuple[str, ...] = ()
    when: Precondition = ALWAYS
    asking: bool = True
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class CopySource:
    """An object to copy from."""

    bucket: str
    key: str
    version_id: str | None = None
    when: Precondition = ALWAYS


@dataclass(frozen=True, slots=True)
class Copy:
    """How to copy: ``meta`` and ``tags`` replace the source's if given, ``keep`` asks for these checksums. Of what
    the source has the ``storage_class`` is not taken over. ``digests`` are computed where the bytes are read, as those
    of an intake are.
    """

    source: CopySource
    meta: Meta | None = None
    keep: tuple[str, ...] = ()
    when: Precondition = ALWAYS
    tags: Mapping[str, str] | None = None
    storage_class: str = ""
    digests: tuple[str, ...] = ()


class Opened:
    """A version whose bytes can be read."""

    __slots__ = ("_content", "_database", "bucket", "version")

    def __init__(self, content: Content, database: Database, bucket: Bucket, version: Version) -> None:
        self._content = content
        self._database = database
        self.bucket = bucket
        self.version = version

    async def parts(self) -> list[Part]:
        """The parts that the version was completed from, in order: numbers, sizes and checksums; no part
        when it was put or copied in one piece. Raises Busy as :meth:`read` does.
        """
        version = self.version
        if not version.parts:
            return []
        found = await self._database.read(find_layout(version.id))
        if await self._is_replaced():  # asked afterwards: so they were this version's still
            raise _replaced()
        return found

    async def tags(self) -> Mapping[str, str]:
        """The tags of the version in order of name. Raises Busy as :meth:`read` does."""
        version = self.version
        if not version.tags:
            return {}
        found = await self._database.read(list_tags(version.id))
        if await self._is_replaced():  # as above
            raise _replaced()
        return found

    async def read(self, span: Span | None = None) -> Buffer | AsyncIterator[Buffer]:
        """See :meth:`Content.read`; the whole content without a span.

        Raises Busy when the version was deleted, and its bytes collected, since it was opened.
        """
        version = self.version
        try:
            return await self._content.read(version.bytes, span or Span(0, version.size))
        except BlobMissing:
            if await self._is_replaced():
                raise _replaced() from None
            raise

    async def _is_replaced(self) -> bool:
        version = self.version
        same = await self._database.read(rows.find_version(self.bucket.id, version.key, version.version_id))
        return same is None or _name(same) != _name(version)


def _replaced() -> Busy:
    return Busy("the object was replaced while it was being read")


def _name(version: Version) -> tuple[int, int, bytes]:
    """What tells a version from the one that overwrites it, in the same row perhaps."""
    return version.id, version.created_at, version.bytes.hash


def _present(version: Version | None, key: str, version_id: str | None) -> Version:
    """What was found, the newest one without ``version_id``, if it is there and has bytes. Raises VersionMissing,
    ObjectMissing, DeleteMarkerFound.
    """
    if version is None:
        raise ObjectMissing(key) if version_id is None else VersionMissing(version_id)
    if version.marker:
        raise DeleteMarkerFound(key, version.version_id, current=version_id is None, modified=version.created_at)
    return version


def new_version_id() -> str:
    """32 characters that no other version has."""
    return secrets.token_hex(16)


def etag_of(received_bytes: Bytes, digests: Mapping[str, bytes]) -> str:
    """The MD5 where a door asked for it, as S3's clients expect; else the content's own name."""
    return digests.get("md5", received_bytes.hash).hex()


@dataclass(frozen=True, slots=True)
class Objects:
    """The service that every door shares."""

    database: Database
    content: Content
    buckets: Buckets
    clock: Callable[[], int]
    new_id: Callable[[], str] = field(default=new_version_id)

    async def put(self, who: Principal, bucket: str, key: str, body: AsyncIterator[Buffer], put: Put) -> Version:
        """Store a body and publish it under a key; on disk when this returns.

        Raises BucketMissing, Denied, PreconditionFailed (before the body is read if it is certain
        then, and decided again when publishing), BodyIncomplete, TooLarge, DigestMismatch,
        StoreFull, TagInvalid, TagsTooMany. Nothing is visible after a failure or a cancellation before the commit.
        """
        check_key(key)
        check_meta(put.meta)
        if put.tags:
            check_tags(put.tags, OF_OBJECT)
        if who.account and put.when is ALWAYS and not put.asking and self._is_small(put.intake):
            return await self._put_small(who, bucket, key, body, put)
        found = await self.buckets.enter(who, bucket, Action.OBJECT_WRITE, key)
        if put.when is not ALWAYS:
            _, current = await self.database.read(rows.look_up(bucket, key))
            put.when.check_write(current, key)
        received = await self.content.take(found.store, body, put.intake)
        return await self._publish(who, self._new(who, found.id, bucket, key, put, received), put.when)

    async def _put_small(self, who: Principal, bucket: str, key: str, body: AsyncIterator[Buffer], put: Put) -> Version:
        """As ``put``, of a body that needs no store: the bucket is looked at once, when publishing."""
        try:
            received = await self.content.take("", body, put.intake)
        except EntrepotError:
            await self.buckets.enter(who, bucket, Action.OBJECT_WRITE, key)  # what speaks against that comes first
            raise
        return await self._publish(who, self._new(who, None, bucket, key, put, received))

    def _is_small(self, intake: Intake) -> bool:
        most = min(self.content.inline_limit, self.content.blob_size)
        return intake.inline and intake.size is not None and intake.size <= most

    def _new(self, who: Principal, id: int | None, bucket: str, key: str, put: Put, received: Received) -> NewVersion:
        checksums = Checksums({name: received.digests[name] for name in put.keep})
        return NewVersion(
            id, bucket, key, self.new_id, etag_of(received.place, received.digests), who.account, received.place,
            put.meta, checksums, tags=put.tags,
        )  # fmt: skip

    async def _publish(self, who: Principal, new: NewVersion, when: Precondition = ALWAYS) -> Version:
        heavy = len(new.bytes.pieces) > HEAVY_PIECES
        actions = (Action.OBJECT_WRITE, Action.OBJECT_TAG_WRITE) if new.tags else (Action.OBJECT_WRITE,)
        check = self.guard(who, new.key, *actions)
        return await self.database.write(rows.insert_version(new, self.clock(), when, check), heavy=heavy)

    def guard(self, who: Principal, key: str, *actions: Action) -> rows.Check:
        """Decides in the transaction that changes a key: rights, rules and the row may be others by then."""

        def check(bucket: Bucket, row: Owned | None) -> None:
            for action in actions:
                self.buckets.access.check(who, action, Resource(bucket, key, row))

        return check

    async def open(
        self,
        who: Principal,
        bucket: str,
        key: str,
        version_id: str | None = None,
        when: Precondition = ALWAYS,
        action: Action | None = None,
    ) -> Opened:
        """The version to read: the current one, or that of ``version_id``. ``action`` says what is wanted of it
        when that is not its bytes.

        Raises BucketMissing, Denied, ObjectMissing, VersionMissing, DeleteMarkerFound,
        PreconditionFailed, NotModified.
        """
        check_key(key)
        found, version = await self.database.read(rows.look_up(bucket, key))
        if found is None:
            raise BucketMissing(bucket)
        if version_id is not None and (version is None or version.version_id != version_id):
            version = await self.database.read(rows.find_version(found.id, key, version_id))
        elif version is None:
            version = await self.database.read(rows.find_newest(found.id, key))
        action = action or (Action.OBJECT_READ if version_id is None else Action.VERSION_READ)
        self.buckets.access.check(who, action, Resource(found, key, version))
        version = _present(version, key, version_id)
        if when is not ALWAYS:
            when.check_read(version)
        return Opened(self.content, self.database, found, version)

    async def list(self, who: Principal, bucket: str, query: Query) -> Listing:
        """A page of current objects. ``query.bucket`` is filled in. Raises BucketMissing, Denied."""
        found, visible = await self.buckets.list_in(who, bucket, Action.OBJECT_LIST)
        return await self.database.scan(list_live(replace(query, bucket=found.id, visible=visible)))

    async def list_versions(self, who: Principal, bucket: str, query: Query) -> Listing:
        """A page of all versions and markers. Raises BucketMissing, Denied."""
        found, visible = await self.buckets.list_in(who, bucket, Action.VERSION_LIST)
        return await self.database.scan(list_versions(replace(query, bucket=found.id, visible=visible)))

    async def copy(self, who: Principal, bucket: str, key: str, copy: Copy) -> tuple[Version, Version]:
        """Publish the bytes of another version under this key; returns the source and the copy.

        A copy is one piece: it has the etag and the checksums of its source, but no parts. No byte
        is copied unless the buckets are bound to different stores, or a checksum is asked for that
        the source does not have. Raises what ``open`` and ``put`` raise, for the source with its
        own precondition.
        """
        if copy.meta is not None:
            check_meta(copy.meta)
        if copy.tags:
            check_tags(copy.tags, OF_OBJECT)
        target = await self.buckets.enter(who, bucket, Action.OBJECT_WRITE, key)
        await self.content.room.check(target.store)
        source = await self.open(who, copy.source.bucket, copy.source.key, copy.source.version_id)
        copy.source.when.check_source(source.version)
        old = source.version
        meta = _of_class(old.meta, copy.storage_class) if copy.meta is None else copy.meta
        if copy.tags is None and old.tags:
            self.buckets.access.check(who, Action.OBJECT_TAG_READ, Resource(source.bucket, old.key, old))
        tags = await source.tags() if copy.tags is None else copy.tags
        missing = tuple(name for name in copy.keep if name not in old.checksums.values or old.checksums.composite)
        elsewhere = old.bytes.store not in ("", target.store)
        if missing or elsewhere:
            new = await self._recut(who, source, target, key, copy, missing)
            new = replace(new, meta=meta, tags=tags)
        else:
            etag, checksums = await _in_one_piece(source)
            new = NewVersion(
                target.id, bucket, key, self.new_id, etag, who.account, replace(old.bytes, data=None), meta,
                checksums, tags=tags, kind=Kind.COPIED,
            )  # fmt: skip
        return old, await self._publish(who, new, copy.when)

    async def _recut(
        self, who: Principal, source: Opened, target: Bucket, key: str, copy: Copy, keep: tuple[str, ...]
    ) -> NewVersion:
        """A copy whose bytes have to be read; its etag is that of an object put in one piece."""
        old = source.version
        intake = Intake(size=old.size, digests={*copy.digests, *keep})
        received = await self.content.take(target.store, stream(await source.read()), intake)
        values = {} if keep or old.checksums.composite else dict(old.checksums.values)
        values.update({name: received.digests[name] for name in keep})
        return NewVersion(
            target.id, target.name, key, self.new_id, etag_of(received.place, received.digests), who.account,
            received.place, old.meta, Checksums(values), kind=Kind.COPIED,
        )  # fmt: skip

    async def delete(
        self, who: Principal, bucket: str, key: str, version_id: str | None = None, when: Precondition = ALWAYS
    ) -> Deleted:
        """Delete an object, or one version of it for good. What is not there is deleted already.

        Raises BucketMissing, Denied, PreconditionFailed.
        """
        action = Action.OBJECT_DELETE if version_id is None else Action.VERSION_DELETE
        found = await self.buckets.enter(who, bucket, action, key)
        self.content.room.relieve()
        now, check = self.clock(), self.guard(who, key, action)
        if version_id is None:
            operation = rows.delete_object(found.id, bucket, key, who.account, self.new_id(), now, when, check)
        else:
            operation = rows.delete_version(found.id, bucket, key, version_id, who.account, now, when, check)
        return await self.database.write(operation)

    async def tags(
        self, who: Principal, bucket: str, key: str, version_id: str | None = None
    ) -> tuple[Version, Mapping[str, str]]:
        """The version meant, and its tags in order of name. Raises what :meth:`open` raises, and Busy."""
        opened = await self.open(who, bucket, key, version_id, action=Action.OBJECT_TAG_READ)
        return opened.version, await opened.tags()

    async def set_tags(
        self, who: Principal, bucket: str, key: str, tags: Mapping[str, str], version_id: str | None = None
    ) -> Version:
        """Give a version these tags instead of those that it had; none take them away.

        Raises BucketMissing, Denied, ObjectMissing, VersionMissing, DeleteMarkerFound, TagInvalid, TagsTooMany.
        """
        action = Action.OBJECT_TAG_WRITE
        found = await self.buckets.enter(who, bucket, action, key)
        check_tags(tags, OF_OBJECT)
        check = self.guard(who, key, action)
        operation = rows.tag_version(found.id, bucket, key, version_id, tags, who.account, self.clock(), check)
        version = await self.database.write(operation)
        return _present(version, key, version_id)


def _of_class(meta: Meta, storage_class: str) -> Meta:
    """The same but for the class of storage."""
    if meta.headers.get(STORAGE_CLASS, "") == storage_class:
        return meta
    headers = {name: text for name, text in meta.headers.items() if name != STORAGE_CLASS}
    return replace(meta, headers=headers | {STORAGE_CLASS: storage_class} if storage_class else headers)


async def _in_one_piece(source: Opened) -> tuple[str, Checksums]:
    """Etag and checksums of a copy whose bytes are not read. Of an object of one part they are those of one that was
    put in one piece, if its door kept the part's MD5; what was made of several parts keeps what it has.
    """
    old = source.version
    if old.parts == 1:
        values = dict((await source.parts())[0].checksums.values)
        md5 = values.pop("md5", None)
        if md5 is not None:
            return md5.hex(), Checksums(values)
    return old.etag, old.checksums


async def stream(data: Buffer | AsyncIterator[Buffer]) -> AsyncIterator[Buffer]:
    """Bytes that are all there as a stream of one."""
    if isinstance(data, bytes | bytearray | memoryview):
        yield data
    else:
        async for part in data:
            yield part
