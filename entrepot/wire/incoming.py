"""The body of a request on its way in, and what becomes of one that nobody read."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Final

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.wire.http import Headers

DRAIN_BYTES: Final = 16 * 1024 * 1024
"""Most of a refused body that is read and thrown away. The connection is closed over a longer one, and a
client that is still sending then may lose the answer with it."""


class Incoming(ABC, AsyncIterator[bytes]):
    """The body of one request: ``received`` bytes of it have been read, it has come to its end
    (``ended``), or never will (``broken``).

    Iterating raises BodyIncomplete when the client goes away before the end, and BodyStalled when
    nothing comes for too long.
    """

    __slots__ = ("broken", "ended", "received")

    def __init__(self) -> None:
        self.received = 0
        self.ended = False
        self.broken = False

    @abstractmethod
    async def __anext__(self) -> bytes: ...

    def pending(self, headers: Headers) -> bool:
        """Whether there is a body of which the end has not come. Then the connection cannot go on: who
        got an answer instead of "100 Continue" may send the body or leave it out (RFC 9110 §10.1.1), and
        the next request would be taken for it.
        """
        announced = headers.raw_get(b"content-length") or headers.raw_get(b"transfer-encoding")
        return not self.ended and announced is not None and announced != b"0"

    async def drain(self, headers: Headers) -> None:
        """Read what is left of a body that nobody wants, so that a client that sends all of it before it
        looks for an answer finds one, and its next request where it belongs. A client that waits for
        "100 Continue" has sent nothing yet: it is not asked to.
        """
        if self.broken or not self.pending(headers):
            return
        length = headers.raw_get(b"content-length")
        most = self.received + DRAIN_BYTES
        if ((length or b"").isdigit() and int(length or 0) > most) or headers.raw_get(b"expect") is not None:
            return
        with contextlib.suppress(BodyIncomplete, BodyStalled):
            async for _ in self:
                if self.received > most:
                    return
