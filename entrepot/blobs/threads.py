"""Blocking calls in a few threads, one hop each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Generic, ParamSpec, TypeVar

from entrepot.model import BlobId

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """A pool of its own, so that one store's slow disk holds up nobody else."""

    def __init__(self, name: str, count: int) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix=name)

    def submit(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        return self._pool.submit(call, *args, **kwargs)

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``call`` returns. When this is cancelled, a call that has not begun never will; one
        that has is waited for, so that nothing uses the arguments any more.
        """
        return await _result(self._pool.submit(call, *args, **kwargs))

    def close(self) -> None:
        """Returns when running calls have ended; those still waiting are cancelled."""
        self._pool.shutdown(cancel_futures=True)


class Shared(Generic[T]):
    """One running call for each blob: whoever asks meanwhile gets that call's outcome."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._running: dict[BlobId, Future[T]] = {}

    async def run(self, id: BlobId, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, bool]:
        """The outcome, and whether it was this caller's call that ran.

        Cancellation is that of :meth:`Threads.run` for the caller whose call it is; the others
        then run their own if it never began.
        """
        while (running := self._running.get(id)) is not None:
            await _ended(running)
            if not running.cancelled():
                return running.result(), False
        own = self._threads.submit(call, *args, **kwargs)
        self._running[id] = own
        try:
            return await _result(own), True
        finally:
            if self._running.get(id) is own:
                del self._running[id]


async def _result(job: Future[T]) -> T:
    try:
        await _ended(job)
    except asyncio.CancelledError:
        while not job.cancel() and not job.done():
            with suppress(asyncio.CancelledError):  # raised below, once, when the thread is done
                await _ended(job)
        raise
    return job.result()


async def _ended(job: Future[T]) -> None:
    """Wait for the end of ``job`` without retrieving its outcome; cancellation leaves it alone."""
    loop = asyncio.get_running_loop()
    waiter = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    def ended(_: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(wake)

    job.add_done_callback(ended)
    await waiter
