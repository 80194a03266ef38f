"""PostgreSQL's errors in our words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Final

import asyncpg

from entrepot.errors import ArgumentInvalid, Busy, Corrupt, StoreFull, Superseded, Unavailable

_NO_PRIMARY: Final = asyncpg.TargetServerAttributeNotMatched
DATABASE_ERRORS: Final = (
    asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, _NO_PRIMARY, OSError
)  # fmt: skip
"""What the driver raises. InternalClientError is one of them: the server's last word on a connection may have come,
and the end of the connection not yet; a request in between meets a protocol in a state of its own.
"""

_BUSY: Final = ("40", "53", "55P03", "57014", "25P03", "0A000")
"""Rolled back for another's sake, out of connections or memory, out of time; 0A000 is a statement
prepared before another process migrated the catalog."""

_UNAVAILABLE: Final = ("08", "28", "3D", "57P", "58", "25006")
"""Connection lost, refused, or to a database that is gone, going, or a standby."""


_LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError)


@contextlib.contextmanager
def translating() -> Iterator[None]:
    """Raise the database's errors in our words."""
    try:
        yield
    except DATABASE_ERRORS as error:
        raise translate(error) from error


def translate(error: Exception) -> Exception:
    """PostgreSQL's errors in our words; what has no word is a defect and comes back as it is."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.UniqueViolationError):
        return Superseded(error.constraint_name)
    if state == "22021":  # NUL, which SQLite takes; no text that is kept has one
        return ArgumentInvalid("text", "", "must not hold NUL")
    if state == "53100":
        return StoreFull("the disk that holds the catalog is full")
    if state in {"XX001", "XX002"}:
        return Corrupt(f"the catalog is damaged: {error}")
    if state.startswith(_BUSY):
        return Busy(f"the catalog is busy: {error}")
    lost = isinstance(error, OSError | _NO_PRIMARY) or type(error) in _LOST
    if lost or state.startswith(_UNAVAILABLE):
        return Unavailable(f"the catalog does not answer: {getattr(error, 'strerror', None) or error}")
    return error
