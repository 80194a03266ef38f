"""What the connections of a worker share, whatever they were made to: the bounds, and one another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entrepot.http1.connection import Connection


class Service:
    """``most`` connections are kept at once."""

    def __init__(self, *, header_bytes: int = 16_384, most: int = 1024) -> None:
        self.header_bytes = header_bytes
        self.most = most
        self.connections: set[Connection] = set()
        self.stopping = False
        self.emptied = asyncio.Event()
        """Set with the end of the last connection."""
