"""A transport without a socket, and the turns of a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from entrepot.wire.http import Buffer


class Line(asyncio.Transport):
    """The server's end of a connection. What is written is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.reads = True
        self.closed = self.aborted = self.said_all = False

    def write(self, data: Buffer) -> None:
        assert not self.closed
        assert not self.said_all
        self.sent += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.said_all = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def get_write_buffer_size(self) -> int:
        return 0


async def until(what: Callable[[], bool]) -> None:
    for turn in range(20_000):
        if what():
            return
        await asyncio.sleep(0 if turn < 10_000 else 0.001)  # what is under way may wait for a clock
    raise AssertionError("it hangs")
