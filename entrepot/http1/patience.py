"""For how long a client is waited for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.wire.incoming import LINGER_SECONDS

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

    @classmethod
    def of(cls, stall: float, body_rate: float) -> Patience:
        """As long as usual, but for a head and a leftover no longer than ``stall``."""
        return cls(head=min(HEAD_SECONDS, stall), stall=stall, linger=min(LINGER_SECONDS, stall), body_rate=body_rate)
