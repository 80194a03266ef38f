"""What every bell does: whoever hears a name is woken, in this process and in others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from entrepot.catalog.bell import Bell

SOON = 10.0
LITTLE = 0.3


class Belfry(Protocol):
    async def open(self) -> Bell:
        """Another bell of the same catalog, or the same one where there is only one process."""
        ...


class BellContract:
    @pytest.fixture
    def belfry(self) -> Belfry:
        raise NotImplementedError

    async def test_a_ring_wakes_who_hears_the_name(self, belfry: Belfry) -> None:
        near, far = await belfry.open(), await belfry.open()
        async with near.hear("a") as ear, near.hear("a") as other, near.hear("b") as stranger:
            for bell in (near, far):
                waiting = [asyncio.create_task(each.wait(SOON)) for each in (ear, other)]
                await asyncio.sleep(0)
                await bell.ring("a")
                assert await asyncio.gather(*waiting) == [True, True]
            assert not await stranger.wait(0)
        await near.close()
        await far.close()

    async def test_a_ring_before_the_wait_is_kept_and_several_are_one(self, belfry: Belfry) -> None:
        near, far = await belfry.open(), await belfry.open()
        async with near.hear("a") as ear:
            await near.ring("a")
            await near.ring("a")
            assert await ear.wait(SOON)
            assert not await ear.wait(LITTLE)
        await near.close()
        await far.close()

    async def test_nobody_is_woken_who_does_not_hear_any_more(self, belfry: Belfry) -> None:
        bell = await belfry.open()
        async with bell.hear("a") as ear:
            pass
        await bell.ring("a")
        assert not await ear.wait(0)
        await bell.close()

    async def test_a_bell_that_was_closed_is_in_nobodys_way(self, belfry: Belfry) -> None:
        near, far = await belfry.open(), await belfry.open()
        async with far.hear("a"):
            pass
        await far.close()
        async with near.hear("a") as ear:
            await near.ring("a")
            assert await ear.wait(SOON)
        await near.close()
