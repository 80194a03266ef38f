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
    body or an answer (``stall``), for all that is left of a body that nobody wants (``linger``).
    """

    head: float = HEAD_SECONDS
    idle: float = IDLE_SECONDS
    stall: float = 60
    linger: float = LINGER_SECONDS

    @classmethod
    def of(cls, stall: float) -> Patience:
        """As long as usual, but for a head and a leftover no longer than ``stall``."""
        return cls(head=min(HEAD_SECONDS, stall), stall=stall, linger=min(LINGER_SECONDS, stall))
