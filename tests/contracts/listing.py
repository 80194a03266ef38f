"""Listings against a naive oracle that reads everything and folds it in Python."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.catalog.database import Sql, Transaction, one, run
from entrepot.catalog.operations.listing import Listing, Query, list_live, list_versions
from entrepot.model import Bucket, Listed, Versioning
from tests.contracts.acts import Acts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from entrepot.catalog.database import Database

T = TypeVar("T")

# Few characters, so that prefixes and delimiters meet: below and above the delimiter, of one to four bytes.
TEXT = st.text(st.sampled_from("a/b.0\x00é\U0001f980\x7f\uffff"), max_size=5)
KEYS = st.sets(TEXT.filter(bool), max_size=40)
DELIMITERS = st.sampled_from(["", "", "/", "/", "a", "//", "é", "a/b", "\x00"])

_ANY = Sql("SELECT count(*) FROM versions WHERE bucket = :bucket")
_MANY_KEYS = Sql(
    "INSERT INTO versions (bucket, key, version_id, live, marker, size, etag, hash, store, media_type, parts, tags, "
    "owner, created_at) SELECT bucket, key || :suffix, version_id, live, marker, size, etag, hash, store, media_type, "
    "parts, tags, owner, created_at FROM versions WHERE bucket = :bucket AND live = 1"
)


@dataclass(frozen=True, slots=True)
class Known:
    """A version as the oracle remembers it; a key's versions are newest first."""

    version_id: str
    marker: bool


History = dict[str, list[Known]]
Entry = str | tuple[str, str, bool, bool]  # a common prefix, or key, version id, latest, marker


def fold(key: bytes, query: Query) -> bytes | None:
    prefix, delimiter = query.prefix.encode(), query.delimiter.encode()
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else key[: at + len(delimiter)]


def expect(history: History, query: Query, *, versions: bool) -> list[Entry]:
    """Every entry of a listing, whatever its limit, in order."""
    entries: list[Entry] = []
    after = query.after.encode()
    behind = fold(after, query) if after.startswith(query.prefix.encode()) else None
    for key in sorted(history, key=str.encode):
        coded = key.encode()
        common = fold(coded, query)
        if not key.startswith(query.prefix) or coded <= max(after, query.behind.encode()):
            continue
        if common is not None and common == behind:
            continue
        shown = history[key] if versions else [known for known in history[key][:1] if not known.marker]
        if common is None:
            entries.extend((key, known.version_id, known is history[key][0], known.marker) for known in shown)
        elif shown and (not entries or entries[-1] != common.decode()):
            entries.append(common.decode())
    return entries


def entries_of(page: Listing) -> list[Entry]:
    """A page's items and prefixes in their common order; both must be sorted already."""
    items = [(item.key, item.version_id, item.latest, item.marker) for item in page.items]
    assert [item[0] for item in items] == sorted((item[0] for item in items), key=str.encode)
    assert page.prefixes == sorted(set(page.prefixes), key=str.encode)
    merged: list[Entry] = [*items, *page.prefixes]
    return sorted(merged, key=lambda entry: (entry if isinstance(entry, str) else entry[0]).encode())


async def read_pages(
    database: Database, query: Query, operation: Callable[[Query], Transaction[Listing]], *, versions: bool
) -> list[Entry]:
    """Every page of a listing, each continued from the last one's end."""
    entries: list[Entry] = []
    while True:
        page = await database.scan(operation(query))
        found = entries_of(page)
        entries.extend(found)
        assert len(found) <= query.limit
        if not page.more:
            return entries
        assert len(found) == query.limit
        assert (page.last, page.last_version) != (query.after, query.after_version)
        query = replace(query, after=page.last, after_version=page.last_version if versions else None)


async def check_listings(database: Database, bucket: Bucket, history: History, query: Query) -> None:
    """Both listings of a bucket agree with the oracle."""
    query = replace(query, bucket=bucket.id)
    expected = expect(history, query, versions=False)
    assert await read_pages(database, query, list_live, versions=False) == expected
    expected = expect(history, query, versions=True)
    assert await read_pages(database, query, list_versions, versions=True) == expected


QUERIES = st.builds(
    Query, st.just(0), TEXT, DELIMITERS, st.just("") | TEXT, st.integers(1, 12), behind=st.just("") | TEXT
)  # fmt: skip


class ListingContract:
    examples = 60

    @pytest.fixture
    def acts(self, database: Database) -> Acts:
        return Acts(database)

    def test_listings_agree_with_the_oracle(self, acts: Acts, runner: asyncio.Runner) -> None:
        @settings(max_examples=self.examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(KEYS, st.lists(QUERIES, min_size=3, max_size=8), st.randoms(use_true_random=False))
        def check(keys: set[str], queries: list[Query], rng: random.Random) -> None:
            runner.run(agree(keys, queries, rng))

        async def agree(keys: set[str], queries: list[Query], rng: random.Random) -> None:
            bucket = await acts.bucket(Versioning.ON)
            history = await fill(acts, bucket, keys, rng)
            for query in queries:
                await check_listings(acts.database, bucket, history, query)

        check()

    def test_what_is_listed_while_it_is_removed(self, acts: Acts, runner: asyncio.Runner) -> None:
        """Page by page, of which all or some versions are removed before the next one is asked for: the list
        goes on behind the last version, whether it is there or not, and tells which ones are the newest now.
        """

        @settings(max_examples=self.examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(KEYS, st.integers(1, 9), st.randoms(use_true_random=False), st.booleans())
        def check(keys: set[str], limit: int, rng: random.Random, all_of_them: bool) -> None:  # noqa: FBT001 - drawn
            runner.run(remove(keys, limit, rng, all_of_them=all_of_them))

        async def remove(keys: set[str], limit: int, rng: random.Random, *, all_of_them: bool) -> None:
            bucket = await acts.bucket(Versioning.ON)
            history = await fill(acts, bucket, keys, rng)
            left = await remove_pages(acts, bucket, history, limit, lambda: all_of_them or rng.random() < 0.5)
            rows = await acts.database.read(_count(bucket.id))
            assert rows == left
            assert not (all_of_them and left)

        check()

    async def test_a_marker_that_does_not_say_where_it_stood(self, acts: Acts) -> None:
        """A version id of another client's own making, of a version that is gone: nothing that is left is missed."""
        bucket = await acts.bucket(Versioning.ON)
        made = [(await acts.put(bucket, "k", b"%d" % i)).version_id for i in range(4)]
        newest_first = made[::-1]
        query = Query(bucket.id, after="k", after_version=newest_first[1])
        page = await acts.database.scan(list_versions(query))
        assert [(line.version_id, line.latest) for line in page.items] == [(id, False) for id in newest_first[2:]]
        await acts.delete_version(bucket, "k", newest_first[1])
        page = await acts.database.scan(list_versions(query))
        assert [line.version_id for line in page.items] == [newest_first[0], *newest_first[2:]]
        assert [line.latest for line in page.items] == [True, False, False]

    async def test_a_line_tells_what_a_client_shows(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        version = await acts.put(bucket, "k", b"12345")
        page = await acts.database.read(list_live(Query(bucket.id)))
        line = Listed("k", "null", True, False, version.etag, 5, version.created_at, "owner")
        assert page == Listing([line], [], more=False)

    async def test_a_page_of_nothing(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        await acts.put(bucket, "k", b"1")
        for operation in (list_live, list_versions):
            assert await acts.database.read(operation(Query(bucket.id, limit=0))) == Listing([], [], more=False)
            assert await acts.database.read(operation(Query(bucket.id + 1))) == Listing([], [], more=False)

    async def test_buckets_do_not_mix(self, acts: Acts) -> None:
        first, second = await acts.bucket(), await acts.bucket()
        await acts.put(first, "a/1", b"1")
        await acts.put(second, "a/2", b"1")
        page = await acts.database.read(list_live(Query(second.id)))
        assert [item.key for item in page.items] == ["a/2"]

    async def test_a_full_page_says_whether_there_is_more(self, acts: Acts) -> None:
        bucket = await acts.bucket()
        for i in range(4):
            await acts.put(bucket, f"d{i}/x", b"1")
            await acts.put(bucket, f"d{i}/y", b"1")
        for limit, more in ((3, True), (4, False), (5, False)):
            page = await acts.database.read(list_live(Query(bucket.id, delimiter="/", limit=limit)))
            assert (len(page.prefixes), page.more) == (min(limit, 4), more)

    async def test_skipped_keys_cost_nothing(self, acts: Acts) -> None:
        """A page of prefixes takes the same number of statements and rows however many keys each one hides."""
        bucket = await acts.bucket()
        for i in range(5):
            await acts.put(bucket, f"d{i}/x", b"1")
        few = await self.cost(acts, bucket)
        for suffix in (b"0", b"1", b"2", b"3", b"4", b"5", b"6"):
            await acts.database.write(grow(bucket.id, suffix), heavy=True)
        assert await acts.number("SELECT count(*) FROM versions WHERE bucket = :b", b=bucket.id) == 5 * 2**7
        assert await self.cost(acts, bucket) == few

    async def cost(self, acts: Acts, bucket: Bucket) -> list[tuple[str, int]]:
        """The statements of a folded listing, each with the number of rows that it returned."""
        page, seen = await watch(acts.database, list_live(Query(bucket.id, delimiter="/", limit=4)))
        assert page.prefixes == ["d0/", "d1/", "d2/", "d3/"]
        return seen

    @pytest.mark.parametrize(("operation", "most"), [(list_live, 5), (list_versions, 25)])
    @pytest.mark.parametrize("folders", [(0,), (0, 1), (0, 1, 2, 3, 4, 5, 6, 7), range(8, 100), ()])
    async def test_a_page_takes_a_handful_of_statements(
        self, acts: Acts, operation: Callable[[Query], Transaction[Listing]], most: int, folders: Sequence[int]
    ) -> None:
        """Whether keys fold, or do not, or do in turn: on a server each statement is a round trip. Versions
        go prefix by prefix where they stand between plain keys.
        """
        bucket = await acts.bucket()
        keys = [f"{i:03}" + ("/x" if i % 10 in folders or i in folders else "") for i in range(100)]
        for key in keys:
            await acts.put(bucket, key, b"1")
        page, seen = await watch(acts.database, operation(Query(bucket.id, delimiter="/", limit=90)))
        assert entries_of_keys(page) == [key.partition("/")[0] for key in keys][:90]
        assert len(seen) <= most
        assert sum(rows for _, rows in seen) < 300


async def remove_pages(
    acts: Acts, bucket: Bucket, history: History, limit: int, chosen: Callable[[], bool]
) -> int:  # fmt: skip
    """List every version in pages, removing those that are chosen; how many are left then."""
    expected = [(key, known.version_id) for key in sorted(history, key=str.encode) for known in history[key]]
    kept = 0
    query = Query(bucket.id, limit=limit)
    while True:
        page = await acts.database.scan(list_versions(query))
        assert [(line.key, line.version_id) for line in page.items] == expected[: len(page.items)]
        for line in page.items:
            newest = history[line.key][0].version_id
            assert line.latest is (line.version_id == newest)
        for line in page.items:
            expected.pop(0)
            if chosen():
                await acts.delete_version(bucket, line.key, line.version_id)
                history[line.key] = [known for known in history[line.key] if known.version_id != line.version_id]
            else:
                kept += 1
        if not page.more:
            assert expected == []
            return kept
        query = replace(query, after=page.last, after_version=page.last_version)


def entries_of_keys(page: Listing) -> list[str]:
    return sorted([item.key for item in page.items] + [prefix.removesuffix("/") for prefix in page.prefixes])


async def watch(database: Database, operation: Transaction[T]) -> tuple[T, list[tuple[str, int]]]:
    """What an operation returns, and its statements, each with the number of rows that it returned."""
    seen: list[tuple[str, int]] = []

    def watched() -> Transaction[T]:
        result = None
        while True:
            try:
                statement = operation.send(result)
            except StopIteration as stop:
                value: T = stop.value
                return value
            result = yield statement
            seen.append((statement.sql.text, len(result) if isinstance(result, list) else 1))

    return await database.scan(watched()), seen


def grow(bucket: int, suffix: bytes) -> Transaction[int]:
    changed: int = yield run(_MANY_KEYS, bucket=bucket, suffix=suffix)
    return changed


async def fill(acts: Acts, bucket: Bucket, keys: set[str], rng: random.Random) -> History:
    """Write one to three versions of each key, some of them delete markers."""
    history: History = {}
    for key in keys:
        known = history.setdefault(key, [])
        for _ in range(rng.choice([1, 1, 2, 3])):
            if rng.random() < 0.25:
                deleted = await acts.delete(bucket, key)
                assert deleted.version_id is not None
                known.insert(0, Known(deleted.version_id, marker=True))
            else:
                version = await acts.put(bucket, key, b"data")
                known.insert(0, Known(version.version_id, marker=False))
    rows = await acts.database.read(_count(bucket.id))
    assert rows == sum(map(len, history.values()))
    return history


def _count(bucket: int) -> Transaction[int]:
    row = yield one(_ANY, bucket=bucket)
    return int(row[0])
