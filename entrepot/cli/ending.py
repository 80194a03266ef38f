"""Commands that are told to end in the middle of their work."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Awaitable
from typing import Final, NoReturn, TypeVar

from entrepot.cli.words import complain

T = TypeVar("T")

ENDS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What a person, a service manager and a terminal that is closed send."""

FLUSH_SECONDS: Final = 1.0


async def endable(work: Awaitable[T]) -> T:
    """Do ``work``. The first signal that asks for the end cancels it, so that nothing half-done stays behind, and then
    ends the process; a second one ends it as it is.
    """
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    received: list[signal.Signals] = []

    def end(number: signal.Signals) -> None:
        received.append(number)
        for each in obeyed:
            loop.remove_signal_handler(each)
            signal.signal(each, signal.SIG_DFL)
        task.cancel()

    obeyed = [number for number in ENDS if signal.getsignal(number) is not signal.SIG_IGN]
    for number in obeyed:
        loop.add_signal_handler(number, end, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        _leave(128 + received[0])


def _leave(code: int) -> NoReturn:
    """End the process without its threads: one may wait for input that never comes, or for a reader of its output."""
    complain("interrupted")
    flushing = threading.Thread(target=_flush, daemon=True)
    flushing.start()
    flushing.join(FLUSH_SECONDS)
    os._exit(code)


def _flush() -> None:
    with contextlib.suppress(OSError):  # nobody reads any more
        sys.stdout.flush()
