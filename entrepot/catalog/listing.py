"""Listings: keys and versions in byte order, folded at a delimiter.

A folded listing does not read what it skips. While it meets plain keys it fetches rows in blocks;
once a key folds into a common prefix it jumps behind that prefix with one seek in the index.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, Value, all_, one
from entrepot.catalog.rows import LAST_KEY, LISTED_COLUMNS, key_end, listed_from
from entrepot.model import Listed

_FIRST_BLOCK: Final = 16
"""Rows fetched at once where keys may fold; four times as many each time that none does."""

_BLOCK: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 1 "
    "AND v.key >= :start AND v.key < :stop ORDER BY v.key LIMIT :limit"
)
_PEEK: Final = Sql(
    "SELECT v.key FROM versions v WHERE v.bucket = :bucket AND v.live = 1 "
    "AND v.key >= :start AND v.key < :stop ORDER BY v.key LIMIT 1"
)
_PEEK_HISTORY: Final = Sql(
    "SELECT v.key FROM versions v WHERE v.bucket = :bucket AND v.live = 0 "
    "AND v.key >= :start AND v.key < :stop ORDER BY v.key LIMIT 1"
)
_HISTORY: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 0 "
    "AND v.key >= :start AND v.key < :stop ORDER BY v.key, v.id DESC LIMIT :limit"
)
_HISTORY_OF: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 0 "
    "AND v.key = :key AND v.id < :below ORDER BY v.id DESC LIMIT :limit"
)
_ID: Final = Sql(
    "SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.key = :key AND v.live = :live "
    "AND v.version_id = :version_id"
)


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: ``after`` is the last key or common prefix of the page before, '' to begin.

    ``after_version`` continues within the versions of the key ``after``.
    """

    bucket: int
    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000
    after_version: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """A page. ``items`` and ``prefixes`` are each in order; ``more`` tells that others follow
    ``last``, the greatest key or prefix of the page (of version ``last_version``).
    """

    items: list[Listed]
    prefixes: list[str]
    more: bool
    last: str = ""
    last_version: str | None = None


class _Bounds:
    """The stretch of keys still to be listed, and how keys fold within it."""

    __slots__ = ("_cut", "_delimiter", "start", "stop")

    def __init__(self, query: Query) -> None:
        prefix = query.prefix.encode()
        self._cut = len(prefix)
        self._delimiter = query.delimiter.encode()
        self.stop = key_end(prefix) or LAST_KEY
        self.start = prefix
        after = query.after.encode()
        if after:
            self.start = max(prefix, after + b"\x00")
            folded = self.fold(after) if after.startswith(prefix) else None
            if folded is not None:
                self.skip(folded)

    def fold(self, key: bytes) -> bytes | None:
        """The common prefix that stands for this key, or None."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, self._cut)
        return None if at < 0 else key[: at + len(self._delimiter)]

    def skip(self, prefix: bytes) -> None:
        """Go on behind every key with this prefix."""
        self.start = key_end(prefix) or LAST_KEY

    def take_fold(self, key: bytes, entries: list[Row | bytes]) -> bool:
        """Move what stands for the next key into the page if it folds; else begin at that key."""
        prefix = self.fold(key)
        if prefix is None:
            self.start = key
            return False
        entries.append(prefix)
        self.skip(prefix)
        return True

    def take(self, rows: list[Row], entries: list[Row | bytes]) -> bool:
        """Move rows into the page up to the first that folds; True when one did."""
        if not self._delimiter:
            entries.extend(rows)
            return False
        for row in rows:
            prefix = self.fold(row[1])
            if prefix is not None:
                entries.append(prefix)
                self.skip(prefix)
                return True
            entries.append(row)
            self.start = row[1] + b"\x00"
        return False


def list_live(query: Query) -> Transaction[Listing]:
    """Objects that have a current version with bytes, and the common prefixes of such."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _Bounds(query)
    entries: list[Row | bytes] = []
    folding = bool(query.delimiter)
    block = _FIRST_BLOCK if folding else query.limit + 1
    while len(entries) <= query.limit and bounds.start < bounds.stop:
        where: dict[str, Value] = {"bucket": query.bucket, "start": bounds.start, "stop": bounds.stop}
        if folding:
            row: Row | None = yield one(_PEEK, **where)
            if row is None:
                break
            folding = bounds.take_fold(row[0], entries)
            continue
        limit = min(block, query.limit + 1 - len(entries))
        rows: list[Row] = yield all_(_BLOCK, **where, limit=limit)
        folding = bounds.take(rows, entries)
        if not folding and len(rows) < limit:
            break
        block *= 4
    return _page(entries, query.limit, lambda row: listed_from(row, latest=True))


def list_versions(query: Query) -> Transaction[Listing]:
    """Every version and marker, newest first within a key, and common prefixes."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _Bounds(query)
    entries: list[Row | bytes] = []
    if query.after and query.after_version is not None:
        rest = yield from _rest_of_key(query)
        entries.extend(rest)
    older = len(entries)
    while len(entries) <= query.limit and bounds.start < bounds.stop:
        where: dict[str, Value] = {"bucket": query.bucket, "start": bounds.start, "stop": bounds.stop}
        if query.delimiter:
            ahead: Row | None = yield one(_PEEK, **where)
            behind: Row | None = yield one(_PEEK_HISTORY, **where)
            keys = [row[0] for row in (ahead, behind) if row is not None]
            if not keys:
                break
            if bounds.take_fold(min(keys), entries):
                continue
        limit = query.limit + 1 - len(entries)
        live: list[Row] = yield all_(_BLOCK, **where, limit=limit)
        history: list[Row] = yield all_(_HISTORY, **where, limit=limit)
        merged = list(heapq.merge(live, history, key=lambda row: (row[1], -row[0])))[:limit]
        if not bounds.take(merged, entries):
            break
    newest = _newest_ids(entries[older:])
    return _page(entries, query.limit, lambda row: listed_from(row, latest=row[0] in newest))


def _rest_of_key(query: Query) -> Transaction[list[Row]]:
    """The versions of the key ``after`` that are older than ``after_version``."""
    key = query.after.encode()
    for live in (1, 0):
        row: Row | None = yield one(_ID, bucket=query.bucket, key=key, live=live, version_id=query.after_version)
        if row is not None:
            rest: list[Row] = yield all_(_HISTORY_OF, bucket=query.bucket, key=key, below=row[0], limit=query.limit + 1)
            return rest
    return []


def _newest_ids(entries: list[Row | bytes]) -> set[int]:
    """The first row of each key."""
    newest: set[int] = set()
    key: object = None
    for entry in entries:
        if not isinstance(entry, bytes) and entry[1] != key:
            key = entry[1]
            newest.add(entry[0])
    return newest


def _page(entries: list[Row | bytes], limit: int, listed: Callable[[Row], Listed]) -> Listing:
    more = len(entries) > limit
    del entries[limit:]
    items = [listed(entry) for entry in entries if not isinstance(entry, bytes)]
    prefixes = [entry.decode() for entry in entries if isinstance(entry, bytes)]
    if not more:
        return Listing(items, prefixes, more=False)
    last = entries[-1]
    if isinstance(last, bytes):
        return Listing(items, prefixes, more=True, last=last.decode())
    return Listing(items, prefixes, more=True, last=items[-1].key, last_version=items[-1].version_id)
