"""Small bodies: read before their bucket is looked at, unless the client asks first."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.errors import BodyIncomplete, BucketMissing, Denied, ObjectMissing, PreconditionFailed
from entrepot.model import ALWAYS, ANONYMOUS, Buffer, Meta, Precondition, Principal, Right
from tests.core.services import ROOT, Services, joined, open_services, pieces

STRANGER = Principal("stranger", "KEY")
WRITER = Principal("writer", "KEY2", grants={"bucket": frozenset({Right.WRITE})})
SMALL = b"abc"


class Unread:
    """A body that nobody should touch."""

    def __aiter__(self) -> AsyncIterator[Buffer]:
        raise AssertionError("the body was read")


def said(*, asking: bool = False, size: int = len(SMALL), when: Precondition = ALWAYS) -> Put:
    return Put(Meta("text/plain"), Intake(size=size, digests=("md5",)), (), when, asking)


async def read(services: Services, key: str) -> bytes:
    return await joined(await (await services.objects.open(ROOT, "bucket", key)).read())


async def test_who_may_write_does() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        for who in (ROOT, WRITER):
            for asking in (False, True):
                await services.objects.put(who, "bucket", who.account, pieces([SMALL]), said(asking=asking))
                assert await read(services, who.account) == SMALL


async def test_who_may_not_leaves_nothing() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        for who in (STRANGER, ANONYMOUS):
            for asking in (False, True):
                with pytest.raises(Denied):
                    await services.objects.put(who, "bucket", "key", pieces([SMALL]), said(asking=asking))
        with pytest.raises(ObjectMissing):
            await services.objects.open(ROOT, "bucket", "key")
        with pytest.raises(BucketMissing):
            await services.objects.put(ROOT, "absent", "key", pieces([SMALL]), said())


async def test_what_speaks_against_the_bucket_comes_before_what_is_wrong_with_the_body() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        with pytest.raises(Denied):
            await services.objects.put(STRANGER, "bucket", "key", pieces([b"a"]), said())
        with pytest.raises(BucketMissing):
            await services.objects.put(ROOT, "absent", "key", pieces([b"a"]), said())
        with pytest.raises(BodyIncomplete):
            await services.objects.put(ROOT, "bucket", "key", pieces([b"a"]), said())


@pytest.mark.parametrize(
    ("who", "put"),
    [
        pytest.param(STRANGER, said(asking=True), id="the client asks first"),
        pytest.param(STRANGER, said(size=5), id="it is not small"),
        pytest.param(ANONYMOUS, said(), id="anybody sends it"),
    ],
)
async def test_other_bodies_are_not_read_for_nothing(who: Principal, put: Put) -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        with pytest.raises(Denied):
            await services.objects.put(who, "bucket", "key", Unread(), put)  # type: ignore[arg-type]  # it must not be read


async def test_nor_is_one_whose_condition_fails() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")
        await services.objects.put(ROOT, "bucket", "key", pieces([SMALL]), said())
        put = said(when=Precondition(if_none_match=("*",)))
        with pytest.raises(PreconditionFailed):
            await services.objects.put(ROOT, "bucket", "key", Unread(), put)  # type: ignore[arg-type]  # it must not be read
