"""Lists of open uploads against a naive oracle that sorts and folds all of them."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING

import pytest

from entrepot.catalog.operations.uploads import UploadPage, UploadQuery, list_uploads
from tests.contracts.acts import names
from tests.contracts.listing import watch
from tests.contracts.uploads import UploadActs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from entrepot.catalog.database import Database
    from entrepot.model import Bucket

Entry = tuple[bytes, str]  # a key and an id; a common prefix has no id

KEYS = ("a", "a/", "a/b", "a/b/c", "a//", "a0", "b/x", "é/1", "é", "\x00", "\U0001f980/", "\uffff")


def expect(opened: Sequence[Entry], query: UploadQuery) -> list[Entry]:
    """Every entry behind the marker, in order."""
    prefix, delimiter, (after, after_id) = query.prefix.encode(), query.delimiter.encode(), query.after

    def fold(key: bytes) -> bytes | None:
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        return None if at < 0 or not key.startswith(prefix) else key[: at + len(delimiter)]

    behind = fold(after.encode())
    entries: list[Entry] = []
    for key, upload_id in sorted(opened):
        folded = fold(key)
        passed = key < after.encode() or (key == after.encode() and (not after_id or upload_id <= after_id))
        if not key.startswith(prefix) or (folded is not None and folded == behind) or (passed and after):
            continue
        entries.append((key, upload_id) if folded is None else (folded, ""))
    return list(dict.fromkeys(entries))


def entries_of(page: UploadPage) -> list[Entry]:
    found = [(upload.key.encode(), upload.upload_id) for upload in page.uploads]
    assert found == sorted(found)
    return sorted([*found, *((prefix.encode(), "") for prefix in page.prefixes)])


class UploadListsContract:
    @pytest.fixture
    def listing(self, database: Database) -> UploadActs:
        return UploadActs(database)

    async def open_all(self, listing: UploadActs, bucket: Bucket) -> list[Entry]:
        rng = random.Random(3)
        opened = []
        for key in KEYS * 3:
            upload_id = f"{rng.choice('Ab-_z')}{next(names)}"
            opened.append((key.encode(), upload_id))
            await listing.open_upload(bucket, key, upload_id)
        await listing.open_upload(await listing.bucket(), "a/b")
        return opened

    async def test_open_uploads_are_listed_in_pages(self, listing: UploadActs) -> None:
        bucket = await listing.bucket()
        opened = await self.open_all(listing, bucket)
        prefixes = ("", "a", "a/", "b", "\x00", "\uffff", "none")
        for prefix, delimiter, limit in itertools.product(prefixes, ("", "/", "//", "b"), (1, 2, 5, 100)):
            query = UploadQuery(prefix, delimiter, limit=limit)
            expected = expect(opened, query)
            found: list[Entry] = []
            while True:
                page = await listing.database.read(list_uploads(bucket.id, query))
                found += entries_of(page)
                assert len(page.uploads) + len(page.prefixes) == min(limit, len(expected))
                expected = expected[limit:]
                if page.following is None:
                    break
                query = UploadQuery(prefix, delimiter, page.following, limit)
            assert found == expect(opened, UploadQuery(prefix, delimiter))
            assert expected == []

    async def test_a_marker_within_a_group_is_behind_it(self, listing: UploadActs) -> None:
        bucket = await listing.bucket()
        opened = await self.open_all(listing, bucket)
        ids = ["", opened[2][1], "zzz"]
        for prefix, delimiter, key, id in itertools.product(("", "a", "a/"), ("", "/"), (*KEYS, "a/a", "zz"), ids):
            query = UploadQuery(prefix, delimiter, (key, id))
            page = await listing.database.read(list_uploads(bucket.id, query))
            assert entries_of(page) == expect(opened, query), query
            assert page.following is None

    async def test_a_page_of_no_upload(self, listing: UploadActs) -> None:
        bucket = await listing.bucket()
        await listing.open_upload(bucket, "a")
        page = await listing.database.read(list_uploads(bucket.id, UploadQuery(limit=0)))
        assert page == UploadPage([], [], None)

    async def test_a_page_of_groups_takes_one_statement(self, listing: UploadActs) -> None:
        """However many groups and uploads there are: fetching each group by itself was quadratic."""
        bucket = await listing.bucket()
        for key in (f"{group:03}/{number}" for group in range(60) for number in range(3)):
            await listing.open_upload(bucket, key)
        for limit in (10, 50, 1000):
            page, seen = await watch(listing.database, list_uploads(bucket.id, UploadQuery("", "/", limit=limit)))
            assert list(page.prefixes) == [f"{group:03}/" for group in range(60)][:limit]
            assert len(seen) == 1
            assert sum(rows for _, rows in seen) <= limit + 1
