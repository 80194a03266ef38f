"""Commands that are told to end in the middle of their work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from types import FrameType
from typing import Final, NoReturn, TypeVar

from entrepot.cli.words import VOICE, complain

T = TypeVar("T")

ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a person, a service manager and a terminal that is closed send."""

FLUSH_SECONDS: Final = 1.0


async def endable(work: Awaitable[T]) -> T:
    """Do ``work``. The first signal that asks for the end cancels it, so that nothing half-done stays behind, and then
    ends the process; a second one ends it as it is.

    Work that is at a line of its output may wait for the reader, and keep the loop from running. There the handler
    itself raises the cancellation: it is Python's own, which runs while a write waits, and no callback of the loop.
    Nothing more is said then.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    received: list[int] = []

    def end(number: int, _: FrameType | None) -> None:
        received.append(number)
        for each in before:
            signal.signal(each, signal.SIG_DFL)
        VOICE.hushed = True
        if VOICE.busy:
            raise asyncio.CancelledError
        loop.call_soon_threadsafe(task.cancel)

    before = {each: signal.getsignal(each) for each in ENDS if signal.getsignal(each) is not signal.SIG_IGN}
    for each in before:
        signal.signal(each, end)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        _leave(128 + received[0])
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _leave(code: int) -> NoReturn:
    """End the process without its threads: one may wait for input that never comes, or for a reader of its output."""
    flushing = threading.Thread(target=_last_words, daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)
    os._exit(code)


def _last_words() -> None:
    VOICE.hushed = False
    complain("interrupted")
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
