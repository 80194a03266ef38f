"""The bell: how processes on one catalog wake each other, so that none has to ask again and again.

A ring is a hint and promises nothing: it may be lost with a process or a connection, and it may come for no reason. Who
hears it looks into the catalog, and looks there now and then anyway, never more often than once a second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol


class Ear:
    """Hears one name. A ring that comes while nobody waits is kept, one of many."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def sound(self) -> None:
        """What the bell does when it is rung."""
        self._rung.set()

    async def wait(self, seconds: float) -> bool:
        """Wait for a ring since the last wait; False when there was none for so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        rung = self._rung.is_set()
        self._rung.clear()
        return rung


class Bell(Protocol):
    """Safe for any number of tasks of the event loop that opened it."""

    async def ring(self, name: str) -> None:
        """Wake everybody who hears the name, in this process and in every other one. Raises nothing: a ring that
        cannot be given is one that is lost.
        """
        ...

    def hear(self, name: str) -> contextlib.AbstractAsyncContextManager[Ear]:
        """Hear a name from now on, for as long as the context lasts."""
        ...

    async def close(self) -> None:
        """Hear nothing any more."""
        ...


class MemoryBell:
    """A bell within one process, and what the others have in common."""

    def __init__(self) -> None:
        self._ears: dict[str, set[Ear]] = {}

    async def ring(self, name: str) -> None:
        self.sound(name)

    @contextlib.asynccontextmanager
    async def hear(self, name: str) -> AsyncIterator[Ear]:
        ear = Ear()
        self._ears.setdefault(name, set()).add(ear)
        try:
            yield ear
        finally:
            self._ears[name].discard(ear)

    async def close(self) -> None:
        return None

    def sound(self, name: str) -> None:
        """Wake who hears the name in this process."""
        for ear in self._ears.get(name, ()):
            ear.sound()

    def sound_all(self) -> None:
        """Wake everybody in this process: something may have been missed."""
        for name in self._ears:
            self.sound(name)
