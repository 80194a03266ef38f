"""Listings: keys and versions in byte order, folded at a delimiter.

A folded listing does not read what it skips: one recursive statement seeks from each key to the next
that is to be shown, behind a common prefix at once. Keys that do not fold are cheaper in blocks, so
these are read while none does.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Transaction, Value, all_, one
from entrepot.catalog.operations.rows import LAST_KEY, LISTED_COLUMNS, key_end, listed_from
from entrepot.model import Listed

_FIRST_BLOCK: Final = 16
"""Rows fetched at once where keys may fold; four times as many each time that none does."""

_STRETCH: Final = "v.bucket = :bucket AND v.key >= :start AND v.key < :stop"
_BLOCK: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE {_STRETCH} AND v.live = 1 ORDER BY v.key LIMIT :limit"
)
_HISTORY: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE {_STRETCH} AND v.live = 0 ORDER BY v.key, v.id DESC LIMIT :limit"
)

# How keys fold: ``cut`` is the length of the prefix that is asked for, ``beyond`` the first bytes behind
# the delimiter in the order of bytes.
_CUT: Final = "CAST(CAST(:cut AS BIGINT) AS INTEGER)"
_FOLD: Final = f"instr(substr(w.key, {_CUT} + 1), :delimiter)"
_NEXT: Final = (
    f"CASE {_FOLD} WHEN 0 THEN CAST(w.key || :nul AS BLOB) "
    f"ELSE CAST(substr(w.key, 1, {_CUT} + {_FOLD} - 1) || :beyond AS BLOB) END"
)


def _walk(first: str, while_: str = "") -> str:
    """The head of a statement: ``walk`` are the keys that an entry each begins with, numbered from 1, with
    a NULL behind the last one. ``first`` is a query for the first key from ``:start`` on.
    """
    return (
        f"WITH RECURSIVE walk (number, key) AS (SELECT CAST(1 AS BIGINT), ({first}) UNION ALL "
        f"SELECT w.number + 1, ({first.replace(':start', _NEXT)}) FROM walk w "
        f"WHERE w.key IS NOT NULL AND w.number < :limit{while_})"
    )


_FIRST: Final = f"SELECT v.key FROM versions v WHERE {_STRETCH} AND v.live = 1 ORDER BY v.key LIMIT 1"
_FIRST_OF_ALL: Final = (
    f"SELECT e.key FROM (SELECT l.key FROM ({_FIRST}) l UNION ALL "
    f"SELECT h.key FROM ({_FIRST.replace('v.live = 1', 'v.live = 0')}) h) e ORDER BY e.key LIMIT 1"
)
_ENTRIES: Final = Sql(
    f"{_walk(_FIRST)} SELECT {LISTED_COLUMNS.replace('v.key', 'w.key')} FROM walk w LEFT JOIN versions v "
    f"ON v.id = (SELECT i.id FROM versions i WHERE {_FOLD} = 0 AND i.bucket = :bucket AND i.live = 1 "
    "AND i.key = w.key) WHERE w.key IS NOT NULL ORDER BY w.number"
)
"""A row for each object, and for each common prefix one with nothing but a key that it stands for. The id
is asked for by itself: PostgreSQL would join by key only after reading the whole bucket.
"""

_PREFIXES: Final = Sql(
    f"{_walk(_FIRST_OF_ALL, f' AND {_FOLD} > 0')} SELECT w.key FROM walk w WHERE w.key IS NOT NULL ORDER BY w.number"
)
"""A key of each common prefix, up to the first key that does not fold."""

_LIVE_OF: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 1 "
    "AND v.key = :key AND v.id < :below"
)
_HISTORY_OF: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 0 "
    "AND v.key = :key AND v.id < :below ORDER BY v.id DESC LIMIT :limit"
)
_NEWER_OF: Final = Sql(
    "SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.live = 1 AND v.key = :key AND v.id >= :below "
    "UNION ALL SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.live = 0 AND v.key = :key "
    "AND v.id >= :below LIMIT 1"
)
_ID: Final = Sql(
    "SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.live = 1 AND v.key = :key "
    "AND v.version_id = :version_id UNION ALL SELECT v.id FROM versions v WHERE v.bucket = :bucket "
    "AND v.live = 0 AND v.key = :key AND v.version_id = :version_id"
)


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: ``after`` is the last key or common prefix of the page before, '' to begin.

    ``after_version`` continues within the versions of the key ``after``: a version id, or what a page said of
    its last version. Where the id is of no version any more, what is left of the key is listed: repeated rather
    than left out. ``behind`` is a key that nothing listed comes before; a common prefix of which there is more
    behind it is listed.
    """

    bucket: int
    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000
    after_version: str | None = None
    behind: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """A page. ``items`` and ``prefixes`` are each in order; ``more`` tells that others follow
    ``last``, the greatest key or prefix of the page, of a version whose place ``last_version`` names: its id, and
    behind a dot where it stood, so that the list goes on behind it when it is gone.
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
        behind, after = query.behind.encode(), query.after.encode()
        self.start = max(prefix, behind and behind + b"\x00")
        if after:
            self.start = max(self.start, after + b"\x00")
            folded = self.fold(after) if after.startswith(prefix) else None
            if folded is not None:
                self.start = max(self.start, key_end(folded) or LAST_KEY)

    @property
    def stretch(self) -> dict[str, Value]:
        """The parameters of a statement that reads on."""
        return {"start": self.start, "stop": self.stop}

    @property
    def folding(self) -> dict[str, Value]:
        """Those of a statement that folds, besides."""
        delimiter = self._delimiter
        return {
            **self.stretch, "cut": self._cut, "delimiter": delimiter, "beyond": key_end(delimiter), "nul": b"\x00",
        }  # fmt: skip

    def fold(self, key: bytes) -> bytes | None:
        """The common prefix that stands for this key, or None."""
        if not self._delimiter:
            return None
        at = key.find(self._delimiter, self._cut)
        return None if at < 0 else key[: at + len(self._delimiter)]

    def skip(self, prefix: bytes) -> None:
        """Go on behind every key with this prefix."""
        self.start = key_end(prefix) or LAST_KEY

    def take(self, rows: Sequence[Row], entries: list[Row | bytes]) -> bool:
        """Move what the next rows come to into the page; True when a key folded."""
        if not self._delimiter:
            entries.extend(rows)
            return False
        folded = False
        for row in rows:
            if row[1] < self.start:
                continue  # behind the key that stands for its prefix
            if self.take_fold(row[1], entries):
                folded = True
            else:
                entries.append(row)
        if rows:
            self.start = max(self.start, rows[-1][1] + b"\x00")
        return folded

    def give_back(self, key: bytes, entries: list[Row | bytes]) -> None:
        """Take the rows of a key out of the page again, and go on with it: there may be more of them."""
        while entries and not isinstance(entries[-1], bytes) and entries[-1][1] == key:
            entries.pop()
            self.start = key

    def take_fold(self, key: bytes, entries: list[Row | bytes]) -> bool:
        """Move the common prefix that stands for a key into the page, and go on behind it, if there is one."""
        prefix = self.fold(key)
        if prefix is None:
            return False
        entries.append(prefix)
        self.skip(prefix)
        return True


def list_live(query: Query) -> Transaction[Listing]:
    """Objects that have a current version with bytes, and the common prefixes of such."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _Bounds(query)
    entries: list[Row | bytes] = []
    folding = bool(query.delimiter)
    block = _FIRST_BLOCK if folding else query.limit + 1
    while len(entries) <= query.limit and bounds.start < bounds.stop:
        limit = min(block, query.limit + 1 - len(entries))
        where = bounds.folding if folding else bounds.stretch
        rows: list[Row] = yield all_(_ENTRIES if folding else _BLOCK, bucket=query.bucket, limit=limit, **where)
        folding = bounds.take(rows, entries)
        if len(rows) < limit:
            break
        block = query.limit + 1 if folding else block * 4
    return _page(entries, query.limit, lambda row: listed_from(row, latest=True))


def list_versions(query: Query) -> Transaction[Listing]:
    """Every version and marker, newest first within a key, and common prefixes."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _Bounds(query)
    entries: list[Row | bytes] = []
    newest: set[int] = set()
    if query.after and query.after_version is not None:
        rest, newest = yield from _rest_of_key(query)
        entries.extend(rest)
    older = len(entries)
    folding = bool(query.delimiter)
    block = _FIRST_BLOCK if folding else query.limit + 1
    while len(entries) <= query.limit and bounds.start < bounds.stop:
        wanted = query.limit + 1 - len(entries)
        if folding:
            keys: list[Row] = yield all_(_PREFIXES, bucket=query.bucket, limit=wanted, **bounds.folding)
            folding = all(bounds.take_fold(row[0], entries) for row in keys)
            if len(keys) < wanted and folding:
                break
            block = _FIRST_BLOCK
            continue
        limit = min(block, wanted)
        rows = yield from _block_of_versions(query, bounds, limit)
        folding = bounds.take(rows, entries)
        if len(rows) < limit:
            break
        if len(entries) <= query.limit:
            bounds.give_back(rows[-1][1], entries)
        block *= 4
    newest |= _newest_ids(entries[older:])
    return _page(entries, query.limit, lambda row: listed_from(row, latest=row[0] in newest))


def _block_of_versions(query: Query, bounds: _Bounds, limit: int) -> Transaction[list[Row]]:
    where: dict[str, Value] = {"bucket": query.bucket, "limit": limit, **bounds.stretch}
    live: list[Row] = yield all_(_BLOCK, **where)
    history: list[Row] = yield all_(_HISTORY, **where)
    return list(heapq.merge(live, history, key=lambda row: (row[1], -row[0])))[:limit]


def _rest_of_key(query: Query) -> Transaction[tuple[list[Row], set[int]]]:
    """The versions of the key ``after`` that are older than ``after_version``, and the id of the first one if it is
    the newest now: one that was removed has made way for it.
    """
    where: dict[str, Value] = {"bucket": query.bucket, "key": query.after.encode()}
    where["below"] = yield from _place(query, where)
    live: list[Row] = yield all_(_LIVE_OF, **where)
    history: list[Row] = yield all_(_HISTORY_OF, limit=query.limit + 1, **where)
    rest = sorted(live + history, key=lambda row: -row[0])[: query.limit + 1]
    newer: Row | None = (yield one(_NEWER_OF, **where)) if rest else None
    return rest, {row[0] for row in rest[:1] if newer is None}


def _place(query: Query, where: Mapping[str, Value]) -> Transaction[int]:
    """Where the version ``after_version`` stands or stood; beyond all of the key's when it cannot be told."""
    version_id, _, place = (query.after_version or "").partition(".")
    if place.isascii() and place.isdigit() and len(place) < _DIGITS:
        return int(place)
    row: Row | None = yield one(_ID, version_id=version_id, **where)
    return _BEYOND if row is None else int(row[0])


_DIGITS: Final = 19
_BEYOND: Final = 2**63 - 1
"""More than the id of any row."""


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
    return Listing(items, prefixes, more=True, last=items[-1].key, last_version=f"{last[2]}.{last[0]}")
