"""Tags through the services: given with a put, a copy or an upload, read and changed, within their limits."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from entrepot.catalog.operations.buckets import BucketChange
from entrepot.core.content import Intake
from entrepot.core.objects import Copy, CopySource, Put
from entrepot.core.uploads import Place
from entrepot.errors import (
    DeleteMarkerFound,
    Denied,
    ObjectMissing,
    TagInvalid,
    TagsTooMany,
    VersionMissing,
)
from entrepot.model import Meta, Principal, Right, Versioning
from tests.core.services import ROOT, Numbered, Services, expecting, open_services, pieces

READER = Principal("reader", "KEY", grants={"bucket": frozenset({Right.READ})})
MOST = {f"name {number}": "x" * 256 for number in range(10)}


async def put(services: Services, key: str, tags: Mapping[str, str] | None, data: bytes = b"data") -> str:
    said = Put(Meta(), Intake(size=len(data), digests=("md5",)), tags=tags)
    return (await services.objects.put(ROOT, "bucket", key, pieces([data]), said)).version_id


async def tags_of(services: Services, key: str, version_id: str | None = None) -> Mapping[str, str]:
    return (await services.objects.tags(ROOT, "bucket", key, version_id))[1]


async def test_an_object_is_put_with_its_tags() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        for data in (b"data", b"data in several blobs"):
            await put(services, "key", {"b": "2", "a": ""}, data)
            assert list((await tags_of(services, "key")).items()) == [("a", ""), ("b", "2")]
        await put(services, "key", None)
        assert await tags_of(services, "key") == {}


async def test_a_copy_has_those_of_its_source_unless_it_is_given_others() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await put(services, "source", {"a": "1"})
        for given, expected in ((None, {"a": "1"}), ({"b": "2"}, {"b": "2"}), ({}, {})):
            for keep in ((), ("sha1",)):  # one that reads the bytes as well
                copy = Copy(CopySource("bucket", "source"), None, keep, tags=given)
                _, version = await services.objects.copy(ROOT, "bucket", "copy", copy)
                assert (await tags_of(services, "copy"), version.tags) == (expected, len(expected))


async def test_an_upload_hands_its_tags_to_its_version() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        upload = await services.uploads.create(ROOT, "bucket", "key", Meta(), tags={"a": "1"})
        place = Place("bucket", "key", upload.upload_id)
        await services.uploads.put_part(ROOT, place, 1, pieces([b"part"]), expecting())
        await services.uploads.complete(ROOT, place, Numbered(1))
        assert await tags_of(services, "key") == {"a": "1"}


async def test_they_are_of_one_version() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await services.buckets.change(ROOT, "bucket", BucketChange(Versioning.ON))
        old = await put(services, "key", {"a": "1"})
        await put(services, "key", None)
        version = await services.objects.set_tags(ROOT, "bucket", "key", {"c": "3"}, old)
        assert (version.version_id, version.tags) == (old, 1)
        assert await tags_of(services, "key") == {}
        assert await tags_of(services, "key", old) == {"c": "3"}
        with pytest.raises(VersionMissing):
            await services.objects.set_tags(ROOT, "bucket", "key", {}, "absent")
        with pytest.raises(ObjectMissing):
            await services.objects.set_tags(ROOT, "bucket", "absent", {})
        marker = (await services.objects.delete(ROOT, "bucket", "key")).version_id
        for version_id in (None, marker):
            with pytest.raises(DeleteMarkerFound):
                await services.objects.set_tags(ROOT, "bucket", "key", {}, version_id)
            with pytest.raises(DeleteMarkerFound):
                await services.objects.tags(ROOT, "bucket", "key", version_id)


async def test_who_may_read_reads_them_and_who_may_write_sets_them() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await put(services, "key", {"a": "1"})
        await services.buckets.set_tags(ROOT, "bucket", {"b": "2"})
        assert (await services.objects.tags(READER, "bucket", "key"))[1] == {"a": "1"}
        assert await services.buckets.tags(READER, "bucket") == {"b": "2"}
        with pytest.raises(Denied):
            await services.objects.set_tags(READER, "bucket", "key", {})
        with pytest.raises(Denied):
            await services.buckets.set_tags(READER, "bucket", {})
        stranger = Principal("stranger", "KEY2")
        with pytest.raises(Denied):
            await services.objects.tags(stranger, "bucket", "key")
        with pytest.raises(Denied):
            await services.buckets.tags(stranger, "bucket")


async def test_their_limits() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await put(services, "key", MOST)
        await services.objects.set_tags(ROOT, "bucket", "key", {"é" * 128: "\U0001f980" * 256})
        for wrong, error in (
            ({**MOST, "one more": ""}, TagsTooMany),
            ({"": "x"}, TagInvalid),
            ({"n" * 129: "x"}, TagInvalid),
            ({"n": "x" * 257}, TagInvalid),
            ({"n": "\0"}, TagInvalid),
        ):
            with pytest.raises(error):
                await services.objects.set_tags(ROOT, "bucket", "key", wrong)
            with pytest.raises(error):
                await put(services, "key", wrong)
            with pytest.raises(error):
                await services.objects.copy(ROOT, "bucket", "key", Copy(CopySource("bucket", "key"), tags=wrong))
            with pytest.raises(error):
                await services.uploads.create(ROOT, "bucket", "key", Meta(), tags=wrong)
        fifty = {f"name {number}": "" for number in range(50)}
        await services.buckets.set_tags(ROOT, "bucket", fifty)
        with pytest.raises(TagsTooMany):
            await services.buckets.set_tags(ROOT, "bucket", {**fifty, "one more": ""})
        assert await services.buckets.tags(ROOT, "bucket") == fifty
