"""Folding: how keys that have a delimiter behind a prefix come together as one entry, the common prefix.

A folded list does not read what it skips: one recursive statement seeks from each key to the next that is to be
shown, behind a common prefix at once. Keys that do not fold are cheaper in blocks, so these are read while none does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from entrepot.catalog.database import Row, Statement, Transaction, Value
from entrepot.catalog.operations.rows import LAST_KEY, key_end

FIRST_BLOCK: Final = 16
"""Rows fetched at once where keys may fold; four times as many each time that none does."""

# How keys fold: ``cut`` is the length of the prefix that is asked for, ``beyond`` the first bytes behind
# the delimiter in the order of bytes.
_CUT: Final = "CAST(CAST(:cut AS BIGINT) AS INTEGER)"
FOLD: Final = f"instr(substr(w.key, {_CUT} + 1), :delimiter)"
"""Where the delimiter is behind the prefix in the key of ``walk``, 0 where it is not."""

_NEXT: Final = (
    f"CASE {FOLD} WHEN 0 THEN CAST(w.key || :nul AS BLOB) "
    f"ELSE CAST(substr(w.key, 1, {_CUT} + {FOLD} - 1) || :beyond AS BLOB) END"
)


def walk(first: str, while_: str = "") -> str:
    """The head of a statement: ``walk`` are the keys that an entry each begins with, numbered from 1, with
    a NULL behind the last one. ``first`` is a query for the first key from ``:start`` on.
    """
    return (
        f"WITH RECURSIVE walk (number, key) AS (SELECT CAST(1 AS BIGINT), ({first}) UNION ALL "
        f"SELECT w.number + 1, ({first.replace(':start', _NEXT)}) FROM walk w "
        f"WHERE w.key IS NOT NULL AND w.number < :limit{while_})"
    )


Prefixes = Callable[[int], Statement]
"""Asks for a key of each common prefix, so many at most, up to the first key that does not fold."""

Block = Callable[[int], Transaction[list[Row]]]
"""Fetches the next rows, so many at most."""


class Bounds:
    """The stretch of keys still to be listed, and how keys fold within it: behind the key or common prefix ``after``,
    and behind the key ``behind`` (b"" for none), which hides no common prefix of which there is more. The second
    column of a row is its key.
    """

    __slots__ = ("_cut", "_delimiter", "start", "stop")

    def __init__(self, prefix: bytes, delimiter: bytes, after: bytes, behind: bytes = b"") -> None:
        self._cut = len(prefix)
        self._delimiter = delimiter
        self.stop = key_end(prefix) or LAST_KEY
        self.start = max(prefix, behind and behind + b"\x00")
        if after:
            self.start = max(self.start, after + b"\x00")
            folded = self.fold(after) if after.startswith(prefix) else None
            if folded is not None:
                self.start = max(self.start, key_end(folded) or LAST_KEY)

    @property
    def folds(self) -> bool:
        return bool(self._delimiter)

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


def gather(
    bounds: Bounds, entries: list[Row | bytes], limit: int, prefixes: Prefixes, block: Block
) -> Transaction[None]:
    """Fill ``entries`` with rows and common prefixes until one more than ``limit`` is there, or the end is reached.
    A key may have any number of rows.
    """
    folding = bounds.folds
    size = FIRST_BLOCK if folding else limit + 1
    while len(entries) <= limit and bounds.start < bounds.stop:
        wanted = limit + 1 - len(entries)
        if folding:
            keys: list[Row] = yield prefixes(wanted)
            folding = all(bounds.take_fold(row[0], entries) for row in keys)
            if len(keys) < wanted and folding:
                break
            size = FIRST_BLOCK
            continue
        asked = min(size, wanted)
        rows = yield from block(asked)
        folding = bounds.take(rows, entries)
        if len(rows) < asked:
            break
        if len(entries) <= limit:
            bounds.give_back(rows[-1][1], entries)
        size *= 4


def split(entries: list[Row | bytes], limit: int) -> tuple[list[Row], list[str], bool]:
    """The first ``limit`` entries as rows and common prefixes, and whether there are more. ``entries`` keeps those."""
    more = len(entries) > limit
    del entries[limit:]
    rows = [entry for entry in entries if not isinstance(entry, bytes)]
    return rows, [entry.decode() for entry in entries if isinstance(entry, bytes)], more
