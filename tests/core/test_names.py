"""What keys, buckets and metadata can be, on every way into the services."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from entrepot.core.content import Intake
from entrepot.core.names import MOST_METADATA, check_bucket_name, check_key, check_meta
from entrepot.core.objects import Copy, CopySource, Put
from entrepot.core.uploads import Place
from entrepot.errors import ArgumentInvalid, KeyTooLong, NameInvalid, NothingToMatch, PreconditionFailed, TooLarge
from entrepot.model import Meta, Precondition
from tests.core.services import ROOT, Numbered, Services, expecting, open_services, pieces

BAD_KEYS = ["", "k" * 1025, "k" * 5000, "é" * 513, "\U0001f980" * 257, "a\ud800"]
GOOD_KEYS = ["k", "k" * 1024, "é" * 512, "\U0001f980" * 256, "\x00", "..", "/", " "]
SMALL = Put(Meta(), Intake(size=1), asking=False)

Way = Callable[[Services, str], Awaitable[object]]
WAYS: dict[str, Way] = {
    "put": lambda s, key: s.objects.put(ROOT, "bucket", key, pieces([b"x"]), replace_asking()),
    "put of few bytes": lambda s, key: s.objects.put(ROOT, "bucket", key, pieces([b"x"]), SMALL),
    "open": lambda s, key: s.objects.open(ROOT, "bucket", key),
    "copy to": lambda s, key: s.objects.copy(ROOT, "bucket", key, Copy(CopySource("bucket", "there"))),
    "copy from": lambda s, key: s.objects.copy(ROOT, "bucket", "new", Copy(CopySource("bucket", key))),
    "delete": lambda s, key: s.objects.delete(ROOT, "bucket", key),
    "delete a version": lambda s, key: s.objects.delete(ROOT, "bucket", key, "null"),
    "tags": lambda s, key: s.objects.tags(ROOT, "bucket", key),
    "set tags": lambda s, key: s.objects.set_tags(ROOT, "bucket", key, {}),
    "create an upload": lambda s, key: s.uploads.create(ROOT, "bucket", key, Meta()),
    "put a part": lambda s, key: s.uploads.put_part(ROOT, Place("bucket", key, "u"), 1, pieces([b"x"]), expecting()),
    "complete": lambda s, key: s.uploads.complete(ROOT, Place("bucket", key, "u"), Numbered(1)),
    "abort": lambda s, key: s.uploads.abort(ROOT, Place("bucket", key, "u")),
    "list parts": lambda s, key: s.uploads.list_parts(ROOT, Place("bucket", key, "u")),
}


def replace_asking() -> Put:
    return replace(SMALL, asking=True)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_no_way_in_takes_a_key_that_cannot_be(way: Way) -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await services.objects.put(ROOT, "bucket", "there", pieces([b"x"]), SMALL)
        for key in BAD_KEYS:
            with pytest.raises(NameInvalid) as caught:
                await way(services, key)
            assert isinstance(caught.value, KeyTooLong) is (len(key) > 200)


async def test_every_other_key_can_be() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        for key in GOOD_KEYS:
            check_key(key)
            await services.objects.put(ROOT, "bucket", key, pieces([b"x"]), SMALL)
            assert (await services.objects.open(ROOT, "bucket", key)).version.key == key


@pytest.mark.parametrize("name", ["", "ab", "A-b", "a_b", "-ab", "ab.", "a..b", "a-.b", "127.0.0.1", "b" * 64])
async def test_no_bucket_has_such_a_name(name: str) -> None:
    async with open_services() as services:
        for act in (services.buckets.create(ROOT, name),):
            with pytest.raises(NameInvalid):
                await act
    check_bucket_name("a.b-c9")


@pytest.mark.parametrize("name", ["", "a b", "é", "a:b"])
def test_names_of_metadata(name: str) -> None:
    with pytest.raises(ArgumentInvalid):
        check_meta(Meta(user={name: "x"}))


async def test_metadata_has_a_bound_of_bytes_whatever_writes_it() -> None:
    check_meta(Meta(user={"name": "v" * (MOST_METADATA - 4)}))
    for value in ("v" * (MOST_METADATA - 3), "ö" * (MOST_METADATA // 2 - 2) + "x"):
        meta = Meta(user={"name": value})
        async with open_services() as services:
            await services.buckets.create(ROOT, "bucket")
            for act in (
                services.objects.put(ROOT, "bucket", "k", pieces([b"x"]), replace(SMALL, meta=meta)),
                services.objects.copy(ROOT, "bucket", "k", Copy(CopySource("bucket", "k"), meta)),
                services.uploads.create(ROOT, "bucket", "k", meta),
            ):
                with pytest.raises(TooLarge) as caught:
                    await act
                assert caught.value.limit == MOST_METADATA


async def test_a_condition_on_what_is_not_there_fails_with_an_error_of_its_own() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        put = replace(SMALL, when=Precondition(if_match=("*",)))
        with pytest.raises(NothingToMatch) as caught:
            await services.objects.put(ROOT, "bucket", "k", pieces([b"x"]), put)
        assert isinstance(caught.value, PreconditionFailed)
        assert (caught.value.condition, caught.value.name) == ("If-Match", "k")
