"""What the connections of a worker share, whatever they were made to: the bounds, and one another.

When there are as many as there may be, the one makes way that has kept the server waiting longest: between two
requests, in a head, in a body, or with an answer that it does not take. Clients that have proven who they are, and
those for whom the server is at work, stay. Where nobody makes way, a few places are left for whoever watches over
the server.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from entrepot.http1.connection import Connection

LOOKED_FOR: Final = 64
"""How many that may make way are found in one look at all of them, so that a crowd at the door costs little each."""

LOOK_SECONDS: Final = 0.05
"""How long it is believed that nobody makes way."""


class Admission(enum.Enum):
    """What a connection may ask for."""

    ANY = "everything"
    SPARE = "what is watched, and nothing else"
    NONE = "nothing: there is no place left"


class Guest(Protocol):
    """One who has a place: a connection, or the handshake before it."""

    @property
    def waits_since(self) -> float | None:
        """Since when (``time.monotonic``) nothing is done for it until its client gets on; None when it stays."""

    def make_way(self) -> None:
        """End it, at once and without a word."""


class Service:
    """``most`` connections are kept at once, and ``spare`` more that ask for one of the ``watched`` paths alone."""

    def __init__(
        self, *, header_bytes: int = 16_384, most: int = 1024, spare: int = 8, watched: tuple[bytes, ...] = ()
    ) -> None:
        self.header_bytes = header_bytes
        self.most = most
        self.spare = spare
        self.watched = watched
        self.connections: set[Connection] = set()
        self.handshakes: set[Guest] = set()
        self.stopping = False
        self.emptied = asyncio.Event()
        """Set with the end of the last connection."""
        self._waiting: list[tuple[float, Guest]] = []
        self._looks_from = 0.0

    def find_place(self) -> Admission:
        """The place of one more."""
        taken = len(self.connections) + len(self.handshakes)
        if taken < self.most or self._make_room():
            return Admission.ANY
        return Admission.SPARE if taken < self.most + self.spare else Admission.NONE

    def _make_room(self) -> bool:
        """Let the guest go who waits longest; False when there is none to go."""
        for _ in range(2):
            while self._waiting:
                since, guest = self._waiting.pop()
                if guest.waits_since == since:
                    guest.make_way()
                    return True
            if time.monotonic() < self._looks_from:
                return False
            guests = itertools.chain(self.connections, self.handshakes)
            waiting = [(since, guest) for guest in guests for since in [guest.waits_since] if since is not None]
            self._waiting = heapq.nsmallest(LOOKED_FOR, waiting, key=lambda each: each[0])[::-1]
            if not self._waiting:
                self._looks_from = time.monotonic() + LOOK_SECONDS
        return False
