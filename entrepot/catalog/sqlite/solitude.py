"""Whether one writer at a time comes to a catalog, with nobody beside it.

Then a commit needs no thread: to wait for the disk on the event loop holds nobody up, and the way to a
thread and back would cost such a writer a third of its time. Who is beside it is seen, not told: by what
is asked of the catalog while a thread commits, and by what waits for the loop before and after a commit
that is made on it, when the writer itself has not had its answer yet.
"""

from __future__ import annotations

import asyncio
import select
import time
from typing import Final

SURE: Final = 4
"""Commits in a row that were short and had no company, before one is made on the loop."""

SHORT: Final = 0.002
"""Seconds that a commit may take for the loop to wait for it: a slow disk is left to the thread."""


class Solitude:
    """What one event loop knows of it. ``asked`` is raised with everything asked of the catalog."""

    __slots__ = ("_asked", "_began", "_loop", "_streak", "_turned", "_waiting", "asked")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.asked = 0
        self._loop = loop
        self._waiting = _waiting_for(loop)
        self._asked = 0
        self._began = 0.0
        self._streak = 0
        self._turned = True

    def sure(self) -> bool:
        """Whether a commit may be made on the loop now. Never twice without giving it a turn."""
        waiting = self._waiting
        return self._streak >= SURE and self._turned and waiting is not None and not waiting.poll(0)

    def begin(self) -> None:
        """A commit begins."""
        self._asked = self.asked
        self._began = time.perf_counter()

    def end(self, writes: int) -> None:
        """A commit of so many writes that was left to the thread is over."""
        alone = writes == 1 and self.asked == self._asked and time.perf_counter() - self._began < SHORT
        self._streak = self._streak + 1 if alone else 0

    def end_on_loop(self) -> None:
        """A commit on the loop is over."""
        if time.perf_counter() - self._began >= SHORT or (self._waiting is not None and self._waiting.poll(0)):
            self._streak = 0
        self._turned = False
        self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._turned = True


def _waiting_for(loop: asyncio.AbstractEventLoop) -> select.poll | None:
    """Tells whether anything has arrived that the loop has not seen yet, by looking at the descriptor
    that the loop itself waits on. Neither uvloop nor asyncio promises to tell which one that is; where
    none is found every commit is left to the thread.
    """
    find = getattr(loop, "_get_backend_id", None) or getattr(getattr(loop, "_selector", None), "fileno", None)
    if find is None or not hasattr(select, "poll"):
        return None
    waiting = select.poll()
    waiting.register(find(), select.POLLIN)
    return waiting
