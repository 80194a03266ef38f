"""Tags of versions and buckets go with what they are of, and with nothing else; user metadata is text like them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.database import Sql, Transaction, one
from entrepot.catalog.operations import buckets, objects, tags
from entrepot.errors import BucketMissing
from entrepot.model import Meta, Version, Versioning
from tests.contracts.acts import Acts, clock, names, new_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from entrepot.catalog.database import Database
    from entrepot.model import Bucket

ROWS = "SELECT count(*) FROM version_tags"


class TagActs(Acts):
    async def put_tagged(self, bucket: Bucket, key: str, given: Mapping[str, str]) -> Version:
        new = new_version(bucket, key, b"data", f"v{next(names)}", tags=given)
        return await self.database.write(objects.insert_version(new, next(clock)))

    async def tags_of(self, version: Version) -> dict[str, str]:
        found = await self.database.read(objects.find_version(version.bucket, version.key, version.version_id))
        assert found is not None
        listed = await self.database.read(tags.list_tags(found.id))
        assert len(listed) == found.tags
        return listed

    async def tag(
        self, bucket: Bucket, key: str, given: Mapping[str, str], version_id: str | None = None
    ) -> Version | None:
        return await self.database.write(
            objects.tag_version(bucket.id, bucket.name, key, version_id, given, "owner", next(clock))
        )


def _make(text: str) -> Transaction[None]:
    yield one(Sql(text))


class TagsContract:
    @pytest.fixture
    def tagging(self, database: Database) -> TagActs:
        return TagActs(database)

    async def test_tags_come_with_a_version_in_order_of_name(self, tagging: TagActs) -> None:
        bucket = await tagging.bucket()
        version = await tagging.put_tagged(bucket, "k", {"é": "", "b": "\U0001f980 x", "a": "1"})
        assert version.tags == 3
        assert list((await tagging.tags_of(version)).items()) == [("a", "1"), ("b", "\U0001f980 x"), ("é", "")]
        live = await tagging.live(bucket, "k")
        assert live is not None
        assert live.tags == 3

    @pytest.mark.parametrize("versioning", list(Versioning))
    async def test_they_go_with_what_is_overwritten_or_deleted(self, tagging: TagActs, versioning: Versioning) -> None:
        bucket = await tagging.bucket(versioning)
        before = await tagging.number(ROWS)
        first = await tagging.put_tagged(bucket, "k", {"a": "1"})
        second = await tagging.put_tagged(bucket, "k", {"b": "2", "c": "3"})
        assert await tagging.tags_of(second) == {"b": "2", "c": "3"}
        kept = versioning is Versioning.ON
        assert await tagging.number(ROWS) == before + 2 + kept
        plain = await tagging.put(bucket, "k", b"x")
        assert await tagging.tags_of(plain) == {}
        assert await tagging.number(ROWS) == before + 3 * kept
        for version in (first, second, plain):
            await tagging.delete_version(bucket, "k", version.version_id)
        assert await tagging.number(ROWS) == before

    async def test_they_are_replaced_as_a_whole(self, tagging: TagActs) -> None:
        bucket = await tagging.bucket(Versioning.ON)
        old = await tagging.put_tagged(bucket, "k", {"a": "1"})
        new = await tagging.put(bucket, "k", b"x")
        tagged = await tagging.tag(bucket, "k", {"b": "2"})
        assert tagged is not None
        assert (tagged.version_id, tagged.tags) == (new.version_id, 1)
        assert await tagging.tags_of(new) == {"b": "2"}
        await tagging.tag(bucket, "k", {"c": "3", "d": "4"}, old.version_id)
        assert await tagging.tags_of(old) == {"c": "3", "d": "4"}
        await tagging.tag(bucket, "k", {}, old.version_id)
        assert await tagging.tags_of(old) == {}
        assert await tagging.tags_of(new) == {"b": "2"}

    async def test_what_is_not_there_or_a_marker_gets_none(self, tagging: TagActs) -> None:
        bucket = await tagging.bucket(Versioning.ON)
        version = await tagging.put_tagged(bucket, "k", {"a": "1"})
        deleted = await tagging.delete(bucket, "k")
        for version_id in (None, deleted.version_id):
            marker = await tagging.tag(bucket, "k", {"b": "2"}, version_id)
            assert marker is not None
            assert (marker.marker, marker.tags) == (True, 0)
        assert await tagging.tag(bucket, "k", {"b": "2"}, "nothing") is None
        assert await tagging.tag(bucket, "other", {"b": "2"}) is None
        assert await tagging.tags_of(version) == {"a": "1"}
        await tagging.database.write(buckets.create_bucket("to-be-dropped", "owner", "main", 1))
        await tagging.database.write(buckets.delete_bucket("to-be-dropped", "o", 9))
        with pytest.raises(BucketMissing):
            await tagging.database.write(
                objects.tag_version(1 << 40, "to-be-dropped", "k", None, {}, "owner", next(clock))
            )

    async def test_user_metadata_can_be_asked_for_in_sql(self, tagging: TagActs) -> None:
        """In one text for every engine, and through an index where somebody makes one."""
        bucket = await tagging.bucket()
        for colour in ("blue", "gre\u00e9n", 'q"uo\\te', ""):
            await tagging.put(bucket, f"key {colour}", b"", meta=Meta(user={"colour": colour, "n": "1"}))
        await tagging.put(bucket, "none", b"", meta=Meta())
        count = "SELECT count(*) FROM versions WHERE bucket = :bucket AND jsonb(metadata) ->> 'colour' = :colour"
        for colour in ("blue", "gre\u00e9n", 'q"uo\\te', "", "red"):
            assert await tagging.number(count, bucket=bucket.id, colour=colour) == (colour != "red")
        await tagging.database.write(_make("CREATE INDEX by_colour ON versions ((jsonb(metadata) ->> 'colour'))"))

    async def test_a_bucket_has_tags_until_it_is_dropped(self, tagging: TagActs) -> None:
        bucket, other = await tagging.bucket(), await tagging.bucket()
        for given in ({"b": "2", "a": "1"}, {"c": ""}, {}, {"d": "4"}):
            await tagging.database.write(buckets.tag_bucket(bucket.name, given))
            found = await tagging.database.read(tags.list_bucket_tags(bucket.id))
            assert list(found.items()) == sorted(given.items())
        assert await tagging.database.read(tags.list_bucket_tags(other.id)) == {}
        await tagging.database.write(buckets.delete_bucket(bucket.name, "o", 9))
        assert await tagging.number("SELECT count(*) FROM bucket_tags WHERE bucket = :id", id=bucket.id) == 0
        with pytest.raises(BucketMissing):
            await tagging.database.write(buckets.tag_bucket(bucket.name, {}))
