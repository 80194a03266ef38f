"""For how long a client is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.http1.bodies import ArrivingBody
from entrepot.http1.machine import HEAD, IDLE, Phase
from entrepot.wire.incoming import LINGER_SECONDS, is_too_slow

HEAD_SECONDS: Final = 30
IDLE_SECONDS: Final = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """Seconds that a client may take: for a ``head``, until its next request (``idle``), without any progress of a
    body or an answer (``stall``), for all that is left of a body that nobody wants (``linger``). Of a body
    that is wanted it has to send ``body_rate`` bytes a second on the average (see ``wire.incoming``).
    """

    head: float = HEAD_SECONDS
    idle: float = IDLE_SECONDS
    stall: float = 60
    linger: float = LINGER_SECONDS
    body_rate: float = 0

    def has_body_stalled(self, body: ArrivingBody, now: float) -> bool:
        """Whether the reader of a body waits for it in vain."""
        since = body.waiting_since
        return since is not None and (
            now - since > self.stall or is_too_slow(body.received + body.held, body.waited(now), self.body_rate)
        )

    def between(self, state: Phase, *, served: bool) -> float:
        """For how long a client is waited for while no request of it is under way."""
        if state is IDLE and served:
            return self.idle
        return self.head if state in (IDLE, HEAD) else self.linger

    @classmethod
    def of(cls, stall: float, body_rate: float) -> Patience:
        """As long as usual, but for a head and a leftover no longer than ``stall``."""
        return cls(head=min(HEAD_SECONDS, stall), stall=stall, linger=min(LINGER_SECONDS, stall), body_rate=body_rate)


class Unsent:
    """How long the same bytes have waited to be taken by the client."""

    __slots__ = ("_since", "_size")

    def __init__(self, now: float) -> None:
        self._size = 0
        self._since = now

    def seconds(self, size: int, now: float) -> float:
        """``size`` are the bytes that wait at this moment."""
        if not size or size != self._size:
            self._size, self._since = size, now
        return now - self._since
