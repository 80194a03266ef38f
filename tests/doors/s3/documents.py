"""Documents of requests, read as they arrive."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from entrepot.doors.s3.documents.incoming import Document
from entrepot.wire.documents import SLICE

T = TypeVar("T")


def read(kind: Callable[[], Document[T]], body: bytes, size: int = SLICE) -> T:
    """What a body comes to that arrives in pieces of so many bytes."""
    document = kind()
    for start in range(0, len(body), size):
        document.feed(body[start : start + size])
    return document.finish()
