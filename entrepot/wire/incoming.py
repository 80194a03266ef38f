"""The body of a request on its way in, and how much of one is read that nobody wants."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import Final

DRAIN_BYTES: Final = 16 * 1024 * 1024
"""Most of a refused body that is read and thrown away to find the next request behind it. The connection ends with
the answer to a longer one."""

LINGER_SECONDS: Final = 30
"""Most that a client may take to send what is left of a body when it has its answer already."""


BODY_GRACE_SECONDS: Final = 30
"""How long a reader has waited for a body in all before its rate counts."""


def is_too_slow(received: int, waited: float, rate: float) -> bool:
    """Whether less than ``rate`` bytes came for each second that a reader waited, those of the grace left out."""
    return waited > BODY_GRACE_SECONDS and received < rate * (waited - BODY_GRACE_SECONDS)


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
