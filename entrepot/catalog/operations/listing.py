"""Listings: keys and versions in byte order, folded at a delimiter (see :mod:`entrepot.catalog.operations.folding`)."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from entrepot.catalog.database import Row, Sql, Statement, Transaction, Value, all_, one
from entrepot.catalog.operations.filters import FILTERED, VERSIONS, Filter, compile_filter
from entrepot.catalog.operations.folding import FIRST_BLOCK, FOLD, Bounds, gather, split, walk
from entrepot.catalog.operations.rows import ID_OF_VERSION, LISTED_COLUMNS, listed_from
from entrepot.model import Listed
from entrepot.rules import TRUE, Expression

_STRETCH: Final = f"v.bucket = :bucket AND v.key >= :start AND v.key < :stop {FILTERED}"
_BLOCK: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE {_STRETCH} AND v.live = 1 ORDER BY v.key LIMIT :limit"
)
_HISTORY: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE {_STRETCH} AND v.live = 0 ORDER BY v.key, v.id DESC LIMIT :limit"
)

_FIRST: Final = f"SELECT v.key FROM versions v WHERE {_STRETCH} AND v.live = 1 ORDER BY v.key LIMIT 1"
_FIRST_OF_ALL: Final = (
    f"SELECT e.key FROM (SELECT l.key FROM ({_FIRST}) l UNION ALL "
    f"SELECT h.key FROM ({_FIRST.replace('v.live = 1', 'v.live = 0')}) h) e ORDER BY e.key LIMIT 1"
)
_ENTRIES: Final = Sql(
    f"{walk(_FIRST)} SELECT {LISTED_COLUMNS.replace('v.key', 'w.key')} FROM walk w LEFT JOIN versions v "
    f"ON v.id = (SELECT i.id FROM versions i WHERE {FOLD} = 0 AND i.bucket = :bucket AND i.live = 1 "
    "AND i.key = w.key) WHERE w.key IS NOT NULL ORDER BY w.number"
)
"""A row for each object, and for each common prefix one with nothing but a key that it stands for. The id
is asked for by itself: PostgreSQL would join by key only after reading the whole bucket.
"""

_PREFIXES: Final = Sql(
    f"{walk(_FIRST_OF_ALL, f' AND {FOLD} > 0')} SELECT w.key FROM walk w WHERE w.key IS NOT NULL ORDER BY w.number"
)
"""A key of each common prefix, up to the first key that does not fold."""

_LIVE_OF: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 1 "
    f"AND v.key = :key AND v.id < :below {FILTERED}"
)
_HISTORY_OF: Final = Sql(
    f"SELECT {LISTED_COLUMNS} FROM versions v WHERE v.bucket = :bucket AND v.live = 0 "
    f"AND v.key = :key AND v.id < :below {FILTERED} ORDER BY v.id DESC LIMIT :limit"
)
_NEWER_OF: Final = Sql(
    "SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.live = 1 AND v.key = :key AND v.id >= :below "
    "UNION ALL SELECT v.id FROM versions v WHERE v.bucket = :bucket AND v.live = 0 AND v.key = :key "
    "AND v.id >= :below LIMIT 1"
)
_ID: Final = Sql(f"SELECT {ID_OF_VERSION}")


@dataclass(frozen=True, slots=True)
class Query:
    """What to list: ``after`` is the last key or common prefix of the page before, '' to begin.

    ``after_version`` continues within the versions of the key ``after``: a version id, or what a page said of
    its last version. Where the id is of no version any more, what is left of the key is listed: repeated rather
    than left out. ``behind`` is a key that nothing listed comes before; a common prefix of which there is more
    behind it is listed. Only rows of which ``visible`` holds are there.
    """

    bucket: int
    prefix: str = ""
    delimiter: str = ""
    after: str = ""
    limit: int = 1000
    after_version: str | None = None
    behind: str = ""
    visible: Expression = TRUE


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


def list_live(query: Query) -> Transaction[Listing]:
    """Objects that have a current version with bytes, and the common prefixes of such."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _bounds(query)
    only = compile_filter(query.visible, VERSIONS)
    entries: list[Row | bytes] = []
    folding = bool(query.delimiter)
    block = FIRST_BLOCK if folding else query.limit + 1
    while len(entries) <= query.limit and bounds.start < bounds.stop:
        limit = min(block, query.limit + 1 - len(entries))
        where = {"bucket": query.bucket, "limit": limit, **(bounds.folding if folding else bounds.stretch)}
        rows: list[Row] = yield all_(only.of(_ENTRIES if folding else _BLOCK), **where, **only.params)
        folding = bounds.take(rows, entries)
        if len(rows) < limit:
            break
        block = query.limit + 1 if folding else block * 4
    return _page(entries, query.limit, lambda row: listed_from(row, latest=True))


def list_versions(query: Query) -> Transaction[Listing]:
    """Every version and marker, newest first within a key, and common prefixes."""
    if query.limit <= 0:
        return Listing([], [], more=False)
    bounds = _bounds(query)
    only = compile_filter(query.visible, VERSIONS)
    entries: list[Row | bytes] = []
    newest: set[int] = set()
    if query.after and query.after_version is not None:
        rest, newest = yield from _rest_of_key(query, only)
        entries.extend(rest)
    older = len(entries)

    def prefixes(wanted: int) -> Statement:
        where = {"bucket": query.bucket, "limit": wanted, **bounds.folding}
        return all_(only.of(_PREFIXES), **where, **only.params)

    def block(wanted: int) -> Transaction[list[Row]]:
        return _block_of_versions(only, {"bucket": query.bucket, **bounds.stretch}, wanted)

    yield from gather(bounds, entries, query.limit, prefixes, block)
    newest |= _newest_ids(entries[older:])
    return _page(entries, query.limit, lambda row: listed_from(row, latest=row[0] in newest))


def _bounds(query: Query) -> Bounds:
    return Bounds(query.prefix.encode(), query.delimiter.encode(), query.after.encode(), query.behind.encode())


def _block_of_versions(only: Filter, stretch: Mapping[str, Value], limit: int) -> Transaction[list[Row]]:
    live: list[Row] = yield all_(only.of(_BLOCK), limit=limit, **stretch, **only.params)
    history: list[Row] = yield all_(only.of(_HISTORY), limit=limit, **stretch, **only.params)
    return list(heapq.merge(live, history, key=lambda row: (row[1], -row[0])))[:limit]


def _rest_of_key(query: Query, only: Filter) -> Transaction[tuple[list[Row], set[int]]]:
    """The versions of the key ``after`` that are older than ``after_version``, and the id of the first one if it is
    the newest now: one that was removed has made way for it.
    """
    where: dict[str, Value] = {"bucket": query.bucket, "key": query.after.encode()}
    where["below"] = yield from _place(query, where)
    live: list[Row] = yield all_(only.of(_LIVE_OF), **where, **only.params)
    history: list[Row] = yield all_(only.of(_HISTORY_OF), limit=query.limit + 1, **where, **only.params)
    rest = sorted(live + history, key=lambda row: -row[0])[: query.limit + 1]
    newer: Row | None = (yield one(_NEWER_OF, **where)) if rest else None
    return rest, {row[0] for row in rest[:1] if newer is None}


def _place(query: Query, where: Mapping[str, Value]) -> Transaction[int]:
    """Where the version ``after_version`` stands or stood; beyond all of the key's when it cannot be told."""
    version_id, _, place = (query.after_version or "").partition(".")
    if place.isascii() and place.isdigit() and len(place) < _DIGITS:
        return int(place)
    row: Row = yield one(_ID, version_id=version_id, **where)
    return _BEYOND if row[0] is None else int(row[0])


_DIGITS: Final = 19
_BEYOND: Final = 2**63 - 1
"""More than the id of any row."""


def _newest_ids(entries: list[Row | bytes]) -> set[int]:
    """The first row of each key, unless that is an older version: the newest one may not be for who asks."""
    newest: set[int] = set()
    key: object = None
    for entry in entries:
        if not isinstance(entry, bytes) and entry[1] != key:
            key = entry[1]
            if entry[3] or entry[4]:  # live, or a marker
                newest.add(entry[0])
    return newest


def _page(entries: list[Row | bytes], limit: int, listed: Callable[[Row], Listed]) -> Listing:
    rows, prefixes, more = split(entries, limit)
    items = [listed(row) for row in rows]
    if not more:
        return Listing(items, prefixes, more=False)
    if isinstance(entries[-1], bytes):
        return Listing(items, prefixes, more=True, last=prefixes[-1])
    return Listing(items, prefixes, more=True, last=items[-1].key, last_version=f"{rows[-1][2]}.{rows[-1][0]}")
