"""Large bodies that are cheap to make and never repeat: a server that keeps equal bytes once gains nothing."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from bench.plan import KIB, MIB

BLOCK = 4 * MIB
_STAMP_EVERY = 64 * KIB


class Body:
    """Random bytes, of which every 64 KiB begin with a new serial number after each ``stamp``."""

    def __init__(self, size: int = BLOCK) -> None:
        self.bytes = bytearray(secrets.token_bytes(size))
        self._serial = 0

    def stamp(self) -> memoryview:
        for offset in range(0, len(self.bytes) - 8, _STAMP_EVERY):
            self._serial += 1
            self.bytes[offset : offset + 8] = self._serial.to_bytes(8, "big")
        return memoryview(self.bytes)


def pieces(size: int) -> Iterator[memoryview]:
    """``size`` bytes, block by block; each piece is to be sent before the next is asked for."""
    body = Body()
    left = size
    while left:
        block = body.stamp()[: min(left, BLOCK)]
        left -= len(block)
        yield block
