"""Buckets whose name passes to somebody else in the middle of a change."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from entrepot.core import BucketChange
from entrepot.core.access import Action
from entrepot.errors import ArgumentInvalid, Denied
from entrepot.model import Principal, Versioning
from tests.core.services import ROOT, Services, open_services

if TYPE_CHECKING:
    from entrepot.catalog.database import Database, Transaction
    from entrepot.core.buckets import Buckets

ALICE, BOB = Principal("alice", "ALICEKEY"), Principal("bob", "BOBKEY")


class Interrupted:
    """A database in which something else happens between what is read and what is written."""

    def __init__(self, database: Database, between: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._between = between
        self.read = database.read

    async def write(self, operation: Transaction[Any], *, heavy: bool = False) -> Any:
        await self._between()
        return await self._database.write(operation, heavy=heavy)


def interrupted(services: Services, between: Callable[[], Awaitable[object]]) -> Buckets:
    return replace(services.buckets, database=cast("Database", Interrupted(services.database, between)))


@pytest.mark.parametrize(
    "act",
    [
        lambda buckets: buckets.delete(ALICE, "bucket"),
        lambda buckets: buckets.change(ALICE, "bucket", BucketChange(public_read=True)),
        lambda buckets: buckets.change(ALICE, "bucket", BucketChange(versioning=Versioning.ON)),
    ],
)
async def test_a_right_is_one_in_the_bucket_that_is_changed(act: Callable[[Buckets], Awaitable[object]]) -> None:
    async with open_services() as services:
        await services.buckets.create(ALICE, "bucket")

        async def pass_on() -> None:
            await services.buckets.delete(ALICE, "bucket")
            await services.buckets.create(BOB, "bucket")

        with pytest.raises(Denied):
            await act(interrupted(services, pass_on))
        found = await services.buckets.get(BOB, "bucket", Action.BUCKET_ADMIN)
        assert (found.owner, found.public_read, found.versioning) == ("bob", False, Versioning.OFF)


async def test_versions_that_are_kept_by_now_stay() -> None:
    async with open_services() as services:
        await services.buckets.create(ROOT, "bucket")

        async def keep_versions() -> None:
            await services.buckets.change(ROOT, "bucket", BucketChange(versioning=Versioning.ON))

        with pytest.raises(ArgumentInvalid):
            await interrupted(services, keep_versions).change(ROOT, "bucket", BucketChange(versioning=Versioning.OFF))
        assert (await services.buckets.get(ROOT, "bucket")).versioning is Versioning.ON
