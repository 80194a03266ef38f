"""Doing one thing to many items, a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, TypeVar

T = TypeVar("T")

AT_ONCE: Final = 8
"""Items under way together: enough for commits and disk writes to be shared."""


async def each(items: AsyncIterator[T], work: Callable[[T], Awaitable[None]]) -> None:
    """Do ``work`` to every item. The first error ends it all and is raised, when nothing runs any more."""
    turn = asyncio.Lock()

    async def worker() -> None:
        while True:
            async with turn:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
            await work(item)

    tasks = [asyncio.create_task(worker()) for _ in range(AT_ONCE)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_turn(items: Iterable[T]) -> AsyncIterator[T]:
    """Items that are all there, as :func:`each` takes them."""
    for item in items:
        yield item
