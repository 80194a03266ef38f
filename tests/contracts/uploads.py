"""What the operations on uploads and parts promise, on whatever engine."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.catalog.operations import buckets, uploads
from entrepot.catalog.operations.blobs import list_pieces
from entrepot.errors import (
    BucketMissing,
    NothingToMatch,
    PartMissing,
    PreconditionFailed,
    Superseded,
    UploadMissing,
)
from entrepot.model import (
    NULL_VERSION,
    Bucket,
    Bytes,
    Checksums,
    Meta,
    Part,
    Piece,
    Precondition,
    Span,
    Stage,
    Upload,
    Versioning,
)
from tests.contracts.acts import STORE, Acts, clock, digest, names, new_version, outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entrepot.catalog.database import Database
    from entrepot.catalog.operations.objects import NewVersion

PART_COUNT = "SELECT count(*) FROM parts p JOIN uploads u ON u.id = p.upload WHERE u.upload_id = :upload_id"


def part(number: int, data: bytes, **places: Any) -> Part:
    return Part(number, f"etag-{data.decode()}", 0, Bytes(len(data), digest(data), **places, store=STORE))


class UploadActs(Acts):
    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._buckets: dict[str, str] = {}

    async def open_upload(self, bucket: Bucket, key: str, upload_id: str = "", **fields: Any) -> Upload:
        upload_id = upload_id or f"upload{next(names)}"
        fields.setdefault("meta", Meta("text/plain"))
        self._buckets[upload_id] = bucket.name
        new = Upload(0, upload_id, bucket.id, key, "owner", next(clock), **fields)
        return await self.database.write(uploads.create_upload(new, bucket.name))

    async def put_part(self, upload: Upload, number: int, data: bytes) -> Part:
        """A part of one blob, which is claimed first."""
        blob = await self.placed(data)
        return await self._put(upload, part(number, data, blob=blob))

    async def _put(self, upload: Upload, new: Part) -> Part:
        name = self._buckets[upload.upload_id]
        return await self.database.write(uploads.put_part(upload.upload_id, name, new, next(clock)))

    async def put_long_part(self, upload: Upload, number: int, *blobs: bytes) -> Part:
        """A part of several blobs."""
        ids = [await self.placed(data) for data in blobs]
        starts = itertools.accumulate(map(len, blobs), initial=0)
        pieces = tuple(Piece(start, len(data), id) for start, data, id in zip(starts, blobs, ids, strict=False))
        return await self._put(upload, part(number, b"".join(blobs), pieces=pieces))

    async def append(self, upload: Upload, offset: int, data: bytes) -> Part:
        """A part of one blob, which is claimed first, behind those that there are."""
        new = part(0, data, blob=await self.placed(data))
        name = self._buckets[upload.upload_id]
        return await self.database.write(uploads.append_part(upload.upload_id, name, offset, new, next(clock)))

    async def complete(self, bucket: Bucket, upload: Upload, **when: Any) -> uploads.Outcome:
        return await self.database.write(
            uploads.complete_upload(upload.upload_id, bucket.name, compose(bucket), next(clock), Precondition(**when)),
            heavy=True,
        )

    async def abort(self, upload: Upload) -> None:
        await self.database.write(uploads.abort_upload(upload.upload_id, "owner", next(clock)), heavy=True)

    async def open_ids(self, bucket: Bucket, limit: int = 100) -> list[str]:
        page = await self.database.read(uploads.list_uploads(bucket.id, uploads.UploadQuery(limit=limit)))
        return [upload.upload_id for upload in page.uploads]


def compose(bucket: Bucket, least: int = 1) -> uploads.Compose:
    """Puts the parts one behind the other, at least so many."""

    def build(upload: Upload, parts: Sequence[Part]) -> NewVersion:
        if len(parts) < least:
            raise PartMissing(least, "not there")
        start, pieces = 0, []
        for each in parts:
            pieces.append(Piece(start, each.size, each.bytes.blob, each.bytes.manifest))
            start += each.size
        whole = Bytes(start, digest(b"".join(each.bytes.hash for each in parts)), pieces=tuple(pieces), store=STORE)
        return new_version(bucket, upload.key, upload.upload_id.encode(), upload.upload_id, bytes_=whole)

    return build


class UploadsContract:
    @pytest.fixture
    def uploading(self, database: Database) -> UploadActs:
        return UploadActs(database)

    async def test_an_upload_is_found_as_it_was_opened(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        meta = Meta("a/b", {"cache-control": "x"}, {"é": "\U0001f980"})
        upload = await uploading.open_upload(bucket, "k\x00\xff", meta=meta, algorithm="crc32", composite=False)
        found = await uploading.database.read(uploads.get_upload(upload.upload_id))
        assert found == upload
        assert (found.key, found.meta, found.algorithm, found.composite) == ("k\x00\xff", meta, "crc32", False)
        assert found.stage is Stage.OPEN
        with pytest.raises(UploadMissing):
            await uploading.database.read(uploads.get_upload("other"))

    async def test_no_upload_into_a_dropped_bucket(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        await uploading.put_part(upload, 1, b"1")
        await uploading.database.write(buckets.delete_bucket(bucket.name, "owner", next(clock)))
        with pytest.raises(BucketMissing):
            await uploading.open_upload(bucket, "k")
        with pytest.raises(UploadMissing):
            await uploading.put_part(upload, 2, b"2")
        assert await uploading.number("SELECT count(*) FROM parts WHERE upload = :id", id=upload.id) == 0

    async def test_parts_come_in_order_of_number_and_the_last_put_counts(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        numbers = [10_000, 1, 5, 2, 5, 10, 1]
        for turn, number in enumerate(numbers):
            await uploading.put_part(upload, number, b"%d-%d" % (number, turn))
        parts = await uploading.database.read(uploads.list_parts(upload.id))
        assert [(each.number, each.etag) for each in parts] == [
            (1, "etag-1-6"), (2, "etag-2-3"), (5, "etag-5-4"), (10, "etag-10-5"), (10_000, "etag-10000-0"),
        ]  # fmt: skip
        page = await uploading.database.read(uploads.list_parts(upload.id, 2, 2))
        assert page == parts[2:4]

    async def test_appends_go_one_behind_the_other(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        assert await uploading.database.read(uploads.received(upload.id)) == 0
        offset = 0
        for number, data in enumerate((b"a", b"bb", b"ccc"), 1):
            assert (await uploading.append(upload, offset, data)).number == number
            offset += len(data)
            assert await uploading.database.read(uploads.received(upload.id)) == offset
            with pytest.raises(Superseded):
                await uploading.append(upload, offset - 1, b"late")
        found = await uploading.database.read(uploads.get_upload(upload.upload_id))
        assert found.stage is Stage.RECEIVING
        won, lost = await outcomes(*(uploading.append(upload, offset, b"%d" % number) for number in range(4)))
        assert (len(won), [type(error) for error in lost]) == (1, [Superseded] * 3)
        await uploading.complete(bucket, upload)
        ended = await uploading.database.read(uploads.get_upload(upload.upload_id))
        assert (ended.stage, ended.finished_at is None) == (Stage.ACCEPTED, False)
        with pytest.raises(UploadMissing):
            await uploading.append(upload, offset + 1, b"late")

    async def test_a_part_tells_what_it_was_put_with(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        blob = await uploading.placed(b"data")
        checksums = Checksums({"sha1": b"\x00" * 20})
        new = Part(7, "etag", 0, Bytes(4, blob, blob=blob, store=STORE), checksums)
        put = await uploading.database.write(uploads.put_part(upload.upload_id, bucket.name, new, 77))
        assert put == Part(7, "etag", 77, Bytes(4, blob, blob=blob, store=STORE), checksums)
        assert await uploading.database.read(uploads.list_parts(upload.id)) == [put]

    async def test_a_part_needs_its_blobs(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        lost = digest(b"never claimed")
        for new in (part(1, b"x", blob=lost), part(1, b"x", pieces=(Piece(0, 1, lost),))):
            with pytest.raises(Superseded):
                await uploading.database.write(uploads.put_part(upload.upload_id, bucket.name, new, next(clock)))
        assert await uploading.database.read(uploads.list_parts(upload.id)) == []

    async def test_a_replaced_part_lets_go_of_its_manifest(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        first = await uploading.put_long_part(upload, 1, b"a", b"b")
        before = await uploading.number("SELECT released_at FROM manifests WHERE id = :m", m=first.bytes.manifest)
        await uploading.put_part(upload, 1, b"c")
        after = await uploading.number("SELECT released_at FROM manifests WHERE id = :m", m=first.bytes.manifest)
        assert after > before

    async def test_completion_publishes_the_parts_as_one(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket(Versioning.ON)
        upload = await uploading.open_upload(bucket, "k")
        long = await uploading.put_long_part(upload, 2, b"bb", b"ccc")
        await uploading.put_part(upload, 1, b"a")
        outcome = await uploading.complete(bucket, upload)
        assert (outcome.again, outcome.version_id) == (False, upload.upload_id)
        version = await uploading.live(bucket, "k")
        assert version is not None
        assert version.version_id == upload.upload_id
        assert version.bytes.manifest is not None
        pieces = await uploading.database.read(list_pieces(version.bytes.manifest, Span(0, 6), 100))
        assert pieces == [Piece(0, 1, digest(b"a")), Piece(1, 5, nested=long.bytes.manifest)]
        assert await uploading.number(PART_COUNT, upload_id=upload.upload_id) == 0
        assert await uploading.open_ids(bucket) == []

    async def test_a_lost_answer_can_be_asked_for_again(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        await uploading.put_part(upload, 1, b"a")
        first = await uploading.complete(bucket, upload)
        await uploading.put(bucket, "k", b"overwritten since")
        again = await uploading.complete(bucket, upload)
        assert again == uploads.Outcome(first.etag, NULL_VERSION, None, again=True)
        assert await uploading.data(bucket, "k") == b"overwritten since"

    async def test_a_completed_upload_has_ended(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        await uploading.put_part(upload, 1, b"a")
        await uploading.complete(bucket, upload)
        with pytest.raises(UploadMissing):
            await uploading.put_part(upload, 2, b"b")
        with pytest.raises(UploadMissing):
            await uploading.abort(upload)
        assert await uploading.live(bucket, "k") is not None

    async def test_a_refused_completion_leaves_the_upload_open(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        await uploading.put_part(upload, 1, b"a")
        picky = uploads.complete_upload(upload.upload_id, bucket.name, compose(bucket, 2), next(clock))
        with pytest.raises(PartMissing):
            await uploading.database.write(picky)
        with pytest.raises(NothingToMatch):
            await uploading.complete(bucket, upload, if_match=("x",))
        await uploading.put(bucket, "k", b"there")
        with pytest.raises(PreconditionFailed):
            await uploading.complete(bucket, upload, if_none_match=("*",))
        assert await uploading.data(bucket, "k") == b"there"
        assert await uploading.number(PART_COUNT, upload_id=upload.upload_id) == 1
        outcome = await uploading.complete(bucket, upload)
        assert not outcome.again

    async def test_an_aborted_upload_leaves_nothing(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket()
        upload = await uploading.open_upload(bucket, "k")
        long = await uploading.put_long_part(upload, 1, b"x", b"y")
        before = await uploading.number("SELECT released_at FROM manifests WHERE id = :m", m=long.bytes.manifest)
        await uploading.abort(upload)
        after = await uploading.number("SELECT released_at FROM manifests WHERE id = :m", m=long.bytes.manifest)
        assert after > before
        for attempt in (
            uploading.abort(upload),
            uploading.complete(bucket, upload),
            uploading.put_part(upload, 2, b""),
        ):
            with pytest.raises(UploadMissing):
                await attempt
        assert await uploading.number("SELECT count(*) FROM parts WHERE upload = :id", id=upload.id) == 0

    async def test_an_upload_ends_once(self, uploading: UploadActs) -> None:
        bucket = await uploading.bucket(Versioning.ON)
        for round_ in range(10):
            upload = await uploading.open_upload(bucket, f"k{round_}")
            await uploading.put_part(upload, 1, b"a")
            won, lost = await outcomes(
                uploading.complete(bucket, upload), uploading.abort(upload),
                uploading.complete(bucket, upload), uploading.abort(upload),
            )  # fmt: skip
            assert all(isinstance(error, UploadMissing) for error in lost)
            published = [each for each in won if each is not None and not each.again]
            version = await uploading.live(bucket, f"k{round_}")
            if published:
                assert len(published) == 1
                assert (len(won), len(lost)) == (2, 2)
                assert version is not None
            else:
                assert (len(won), len(lost)) == (1, 3)
                assert version is None

    async def test_parts_race_with_completion(self, uploading: UploadActs) -> None:
        """Each part put at the same time is either in the version or refused: none is left behind."""
        bucket = await uploading.bucket()
        for round_ in range(5):
            upload = await uploading.open_upload(bucket, f"k{round_}")
            await uploading.put_part(upload, 1, b"first")
            puts = [self.try_part(uploading, upload, number) for number in range(2, 12)]
            results = await asyncio.gather(*puts[:5], uploading.complete(bucket, upload), *puts[5:])
            sizes = sum(size for size in results if isinstance(size, int))
            version = await uploading.live(bucket, f"k{round_}")
            assert version is not None
            assert version.size == len(b"first") + sizes
            assert await uploading.number(PART_COUNT, upload_id=upload.upload_id) == 0

    async def try_part(self, uploading: UploadActs, upload: Upload, number: int) -> int:
        """Its size, or 0 when the upload has ended."""
        try:
            return (await uploading.put_part(upload, number, b"x" * number)).size
        except UploadMissing:
            return 0
