"""What the operations on objects promise, on whatever engine."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.operations import buckets, keys, objects, uploads
from entrepot.catalog.operations.layouts import find_layout
from entrepot.errors import (
    ArgumentInvalid,
    BucketMissing,
    BucketNotEmpty,
    Denied,
    NothingToMatch,
    PreconditionFailed,
    Superseded,
    UploadMissing,
)
from entrepot.model import NULL_VERSION, Bucket, Bytes, Checksums, Meta, Owned, Part, Piece, Precondition, Versioning
from tests.contracts.acts import STORE, Acts, clock, digest, new_version, outcomes

if TYPE_CHECKING:
    from entrepot.catalog.database import Database

ABSENT = Precondition(if_none_match=("*",))


class ObjectsContract:
    @pytest.fixture
    def acts(self, database: Database) -> Acts:
        return Acts(database)

    async def test_everything_said_about_a_version_comes_back(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        meta = Meta("image/png", {"cache-control": "no-store", "expires": "é"}, {"a": "", "b\u00e9": "\U0001f980"})
        checksums = Checksums({"crc32": b"\x00\xff\x00\x01", "sha256": bytes(32)}, composite=True, parts=3)
        key = "k\x00/../%2F\U0001f980\n"
        parts = [Part(number, "", 0, Bytes(1, b""), Checksums({"sha256": bytes(32)})) for number in (1, 7, 10_000)]
        written = await acts.put(
            bucket, key, b"\x00\xff", version_id="version", meta=meta, checksums=checksums, parts=parts
        )
        read = await acts.live(bucket, key)
        assert read is not None
        assert read.bytes.data == b"\x00\xff"
        assert (read.id, read.key, read.version_id, read.live, read.marker) == (written.id, key, "version", True, False)
        assert (read.meta, read.checksums, read.parts, read.owner, read.size) == (meta, checksums, 3, "owner", 2)
        assert (read.etag, read.created_at, read.archived_at) == (written.etag, written.created_at, None)
        assert await acts.database.read(objects.find_version(bucket.id, key, "version")) == read
        assert await acts.database.read(objects.find_version(bucket.id, key, "other")) is None
        assert await acts.database.read(find_layout(read.id)) == parts

    @pytest.mark.parametrize("text", ["\x00", "null\x00", "a\x00b"])
    async def test_text_that_an_engine_cannot_hold_is_not_found(self, acts: Acts, text: str) -> None:
        """Clients ask for whatever they like: that is no failure of the catalog, whichever way it says no."""
        bucket = await acts.bucket(Versioning.ON)
        await acts.put(bucket, "k", b"x")
        for absent in (objects.find_version(bucket.id, "k", text), buckets.find_bucket(text), keys.find_key(text)):
            with contextlib.suppress(ArgumentInvalid):
                assert await acts.database.read(absent) is None
        with pytest.raises((ArgumentInvalid, UploadMissing)):
            await acts.database.read(uploads.get_upload(text))
        assert await acts.data(bucket, "k") == b"x"

    async def test_a_bucket_is_more_than_its_name(self, acts: Acts) -> None:
        old = await acts.bucket()
        await acts.database.write(buckets.delete_bucket(old.name, "o", 9))
        new = await acts.database.write(buckets.create_bucket(old.name, "other", STORE, next(clock)))
        with pytest.raises(BucketMissing):
            await acts.put(old, "k", b"a")
        assert await acts.live(new, "k") is None

    async def test_a_version_goes_to_the_bucket_of_its_name_if_it_may(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        new = replace(new_version(bucket, "k", b"a"), bucket=None)
        asked: list[Bucket] = []

        def allow(found: Bucket, row: Owned | None) -> None:
            asked.append(found)

        def refuse(found: Bucket, row: Owned | None) -> None:
            asked.append(found)
            raise Denied

        with pytest.raises(Denied):
            await acts.database.write(objects.insert_version(new, next(clock), check=refuse))
        assert asked == [bucket]
        assert await acts.live(bucket, "k") is None
        written = await acts.database.write(objects.insert_version(new, next(clock), check=allow))
        assert asked == [bucket, bucket]
        assert written.bucket == bucket.id
        found = await acts.live(bucket, "k")
        assert found is not None
        assert found.id == written.id
        with pytest.raises(BucketMissing):
            await acts.database.write(
                objects.insert_version(replace(new, bucket_name="absent"), next(clock), check=allow)
            )

    async def test_who_changes_a_key_is_asked_about_the_row_that_goes(self, acts: Acts) -> None:
        """Of the live version when a key is overwritten or deleted, of the version itself when that is removed."""
        bucket = await acts.bucket(Versioning.ON)
        older = await acts.put(bucket, "k", b"a")
        asked: list[str | None] = []

        def refuse(found: Bucket, row: Owned | None) -> None:
            asked.append(None if row is None else row.owner)
            raise Denied

        of_bob = replace(new_version(bucket, "k", b"b", "of bob"), owner="bob")
        await acts.database.write(objects.insert_version(of_bob, next(clock)))
        where = (bucket.id, bucket.name)
        for refused in (
            objects.insert_version(new_version(bucket, "k", b"c"), next(clock), check=refuse),
            objects.insert_version(new_version(bucket, "new", b"c"), next(clock), check=refuse),
            objects.delete_object(*where, "k", "carol", "id", next(clock), check=refuse),
            objects.delete_version(*where, "k", older.version_id, "carol", next(clock), check=refuse),
            objects.delete_version(*where, "k", "absent", "carol", next(clock), check=refuse),
        ):
            with pytest.raises(Denied):
                await acts.database.write(refused)
        assert asked == ["bob", None, "bob", "owner", None]

    async def test_what_is_overwritten_keeps_its_row_and_nothing_else(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        meta = Meta("image/png", {"cache-control": "no-store"}, {"a": "b"})
        old = await acts.put(bucket, "k", b"aa", meta=meta, checksums=Checksums({"crc32": bytes(4)}))
        new = await acts.put(bucket, "k", b"bbb", meta=Meta("text/plain"))
        found = await acts.live(bucket, "k")
        assert found is not None
        assert found.bytes.data == b"bbb"
        assert (found.id, found.size, found.etag, found.created_at) == (old.id, 3, new.etag, new.created_at)
        assert (found.meta, found.checksums) == (Meta("text/plain"), Checksums())

    async def test_the_layout_goes_with_its_version(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        parts = [Part(1, "", 0, Bytes(1, b""))]
        old = await acts.put(bucket, "k", b"a", parts=parts)
        new = await acts.put(bucket, "k", b"b")
        assert await acts.database.read(find_layout(old.id)) == []
        assert await acts.database.read(find_layout(new.id)) == []

    async def test_an_empty_object_is_an_object(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.put(bucket, "k", b"", bytes_=Bytes(0, digest(b"")))
        version = await acts.live(bucket, "k")
        assert version is not None
        assert version.size == 0
        assert version.bytes == Bytes(0, digest(b""))

    async def test_long_keys_are_kept_whole(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        keys = ["x" * 1024, "x" * 1023, "\U0001f980" * 256, "\x00" * 1024]
        for key in keys * 2:
            await acts.put(bucket, key, key.encode())
        for key in keys:
            assert await acts.data(bucket, key) == key.encode()

    async def test_what_is_asked_for_and_absent(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        read = acts.database.read
        assert await read(objects.look_up("no-such-bucket", "k")) == (None, None)
        assert await acts.live(bucket, "k") is None
        assert await acts.newest(bucket, "k") is None
        assert await read(objects.find_version(bucket.id, "k", "v")) is None
        assert await acts.delete(bucket, "k") == objects.Deleted(None, marker=False)
        assert await acts.delete_version(bucket, "k", "v") == objects.Deleted("v", marker=False)

    async def test_a_bucket_dropped_meanwhile_takes_nothing(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.database.write(buckets.delete_bucket(bucket.name, "o", 9))
        with pytest.raises(BucketMissing):
            await acts.put(bucket, "k", b"x")
        with pytest.raises(BucketMissing):
            await acts.delete(bucket, "k")
        with pytest.raises(BucketMissing):
            await acts.delete_version(bucket, "k", "v")
        assert await acts.number("SELECT count(*) FROM versions WHERE bucket = :id", id=bucket.id) == 0

    async def test_overwriting_without_versions_leaves_one_row(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        for data in (b"1", b"2", b"3"):
            version = await acts.put(bucket, "k", data)
            assert version.version_id == NULL_VERSION
        assert await acts.data(bucket, "k") == b"3"
        assert await acts.number("SELECT count(*) FROM versions WHERE bucket = :id", id=bucket.id) == 1

    async def test_an_archived_version_knows_when(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        first = await acts.put(bucket, "k", b"1")
        second = await acts.put(bucket, "k", b"2")
        old = await acts.database.read(objects.find_version(bucket.id, "k", first.version_id))
        assert old is not None
        assert (old.live, old.archived_at, old.bytes.data) == (False, second.created_at, b"1")
        await acts.delete_version(bucket, "k", second.version_id)
        again = await acts.live(bucket, "k")
        assert again is not None
        assert (again.version_id, again.live, again.archived_at) == (first.version_id, True, None)

    async def test_versions_written_before_versioning_are_null(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.put(bucket, "k", b"old")
        await acts.versioning(bucket.name, Versioning.ON)
        await acts.put(bucket, "k", b"new")
        null = await acts.database.read(objects.find_version(bucket.id, "k", NULL_VERSION))
        assert null is not None
        assert null.bytes.data == b"old"
        await acts.versioning(bucket.name, Versioning.SUSPENDED)
        await acts.put(bucket, "k", b"null again")
        assert await acts.number("SELECT count(*) FROM versions WHERE bucket = :id", id=bucket.id) == 2
        assert await acts.data(bucket, "k") == b"null again"

    async def test_a_bucket_with_history_is_not_empty(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        deleted = await acts.delete(bucket, "k")
        assert deleted.version_id is not None
        with pytest.raises(BucketNotEmpty):
            await acts.database.write(buckets.delete_bucket(bucket.name, "o", 9))
        await acts.delete_version(bucket, "k", deleted.version_id)
        await acts.database.write(buckets.delete_bucket(bucket.name, "o", 9))

    async def test_equal_bytes_are_kept_once(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        data = b"the same small bytes"
        for i in range(5):
            await acts.put(bucket, f"k{i % 2}", data)
        assert await acts.number("SELECT count(*) FROM inline_blobs WHERE digest = :d", d=digest(data)) == 1
        assert await acts.data(bucket, "k1") == data

    async def test_a_version_of_a_blob_needs_the_placement(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        blob = digest(b"large")
        placed = Bytes(5, blob, blob=blob, store=STORE)
        with pytest.raises(Superseded):
            await acts.put(bucket, "k", b"large", bytes_=placed)
        assert await acts.newest(bucket, "k") is None
        await acts.placed(b"large")
        await acts.put(bucket, "k", b"large", bytes_=placed)
        version = await acts.live(bucket, "k")
        assert version is not None
        assert version.bytes == placed

    async def test_a_manifest_keeps_its_order(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        blobs = [await acts.placed(b"%d" % i) for i in range(3)]
        pieces = tuple(Piece(i * 10, 10, blob) for i, blob in enumerate([*blobs, blobs[0]]))
        await acts.put(bucket, "k", b"", bytes_=Bytes(40, digest(b"all"), pieces=pieces, store=STORE))
        version = await acts.live(bucket, "k")
        assert version is not None
        assert version.bytes.manifest is not None
        assert version.size == 40
        await acts.delete(bucket, "k")
        released = await acts.number("SELECT released_at FROM manifests WHERE id = :id", id=version.bytes.manifest)
        assert released > version.created_at

    async def test_conditions_on_writing(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        with pytest.raises(NothingToMatch):
            await acts.put(bucket, "k", b"x", Precondition(if_match=("abc",)))
        first = await acts.put(bucket, "k", b"1", ABSENT)
        with pytest.raises(PreconditionFailed):
            await acts.put(bucket, "k", b"2", ABSENT)
        with pytest.raises(PreconditionFailed):
            await acts.put(bucket, "k", b"2", Precondition(if_match=("other",)))
        assert await acts.data(bucket, "k") == b"1"
        await acts.put(bucket, "k", b"2", Precondition(if_match=("other", first.etag)))
        assert await acts.data(bucket, "k") == b"2"
        assert await acts.number("SELECT count(*) FROM inline_blobs WHERE digest = :d", d=digest(b"x")) == 0

    async def test_a_delete_marker_counts_as_absent(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        version = await acts.put(bucket, "k", b"1")
        await acts.delete(bucket, "k")
        with pytest.raises(NothingToMatch):
            await acts.put(bucket, "k", b"2", Precondition(if_match=(version.etag,)))
        await acts.put(bucket, "k", b"2", ABSENT)

    async def test_conditions_on_deleting(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        version = await acts.put(bucket, "k", b"1")
        for wrong in (Precondition(if_match=("x",)), Precondition(size=2), Precondition(modified_at=99)):
            with pytest.raises(PreconditionFailed):
                await acts.delete(bucket, "k", wrong)
            with pytest.raises(PreconditionFailed):
                await acts.delete_version(bucket, "k", NULL_VERSION, wrong)
        right = Precondition(if_match=(version.etag,), size=1, modified_at=version.created_at // 1_000_000)
        await acts.delete(bucket, "k", right)
        assert await acts.newest(bucket, "k") is None
        await acts.delete(bucket, "k", Precondition(if_match=("x",)))

    async def test_conditions_on_deleting_a_marker(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        await acts.delete(bucket, "k", Precondition(if_match=("x",)))
        assert await acts.newest(bucket, "k") is None
        await acts.delete(bucket, "k")
        for wrong in (Precondition(if_match=("x",)), Precondition(size=2), Precondition(modified_at=99)):
            with pytest.raises(PreconditionFailed):
                await acts.delete(bucket, "k", wrong)
        await acts.delete(bucket, "k", Precondition(if_match=("*",), size=0))

    @pytest.mark.parametrize("versioning", list(Versioning))
    async def test_one_of_many_creators_wins(self, acts: Acts, versioning: Versioning) -> None:
        bucket = await acts.bucket(versioning)
        for round_ in range(5):
            key = f"k{round_}"
            won, lost = await outcomes(*(acts.put(bucket, key, b"%d" % i, ABSENT) for i in range(20)))
            assert len(won) == 1
            assert all(isinstance(error, PreconditionFailed) for error in lost)
            version = await acts.live(bucket, key)
            assert version is not None
            assert (version.id, version.etag) == (won[0].id, won[0].etag)

    async def test_no_update_is_lost(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.put(bucket, "n", b"0")

        async def increment() -> None:
            while True:
                version = await acts.live(bucket, "n")
                assert version is not None
                assert version.bytes.data is not None
                try:
                    number = b"%d" % (int(version.bytes.data) + 1)
                    await acts.put(bucket, "n", number, Precondition(if_match=(version.etag,)))
                except PreconditionFailed:
                    await asyncio.sleep(0)
                else:
                    return

        await asyncio.gather(*(increment() for _ in range(25)))
        assert await acts.data(bucket, "n") == b"25"

    async def test_every_version_of_a_race_is_there_once(self, acts: Acts) -> None:
        bucket = await acts.bucket(Versioning.ON)
        writes = [acts.put(bucket, "k", b"%d" % i) for i in range(30)]
        deletes = [acts.delete(bucket, "k") for _ in range(10)]
        won, lost = await outcomes(*writes, *deletes)
        assert lost == []
        assert len({done.version_id for done in won}) == 40
        count = "SELECT count(*) FROM versions WHERE bucket = :id"
        assert await acts.number(count, id=bucket.id) == 40
        assert await acts.number(f"{count} AND marker = 1", id=bucket.id) == 10
        newest = await acts.number("SELECT max(id) FROM versions WHERE bucket = :id", id=bucket.id)
        top = await acts.newest(bucket, "k")
        assert top is not None
        assert (top.id, top.live) == (newest, not top.marker)

    async def test_a_bucket_dies_either_before_or_after_a_write(self, acts: Acts) -> None:
        for _ in range(10):
            bucket = await acts.bucket()
            drop = acts.database.write(buckets.delete_bucket(bucket.name, "o", 9))
            puts = [
                acts.database.write(objects.insert_version(new_version(bucket, f"k{i}", b"x"), next(clock)))
                for i in range(4)
            ]
            results = await asyncio.gather(*puts[:2], drop, *puts[2:], return_exceptions=True)
            dropped = results[2] is None
            rows = await acts.number("SELECT count(*) FROM versions WHERE bucket = :id", id=bucket.id)
            if dropped:
                assert rows == 0
                assert all(isinstance(result, BucketMissing) for result in results[:2] + results[3:])
            else:
                assert isinstance(results[2], BucketNotEmpty)
                assert rows == 4
            assert bucket.store == STORE
