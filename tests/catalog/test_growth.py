"""What an operation costs does not grow with what is stored beside its object: counted in steps of SQLite's machine.

    python -m tests.catalog.test_growth        # CPU of a lookup by version id, among many

Beside 100,000 versions of the same key and 1,000,000 other objects, that prints microseconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import apsw
import pytest

from entrepot.catalog.database import Transaction
from entrepot.catalog.operations import buckets, keys, objects, uploads
from entrepot.catalog.operations.blobs import condemn
from entrepot.catalog.operations.listing import Query, list_live, list_versions
from entrepot.catalog.operations.upkeep import list_condemned
from entrepot.catalog.schema import migrate_sqlite
from entrepot.catalog.sqlite.connections import drive
from entrepot.model import NO_CHECKSUMS, BlobId, Meta, Upload, Versioning
from tests.catalog.filling import FILL, ROWS, live_objects, one_key
from tests.contracts.acts import inline

SMALL, LARGE = 50, 5_000
KEY, BUCKET = "one key", "bucket2"
SLACK: Final = 1.2

Act = Callable[[], Transaction[Any]]


def new_version(key: str = KEY) -> objects.NewVersion:
    return objects.NewVersion(
        None, BUCKET, key, lambda: "new", "etag", "owner", inline(b"data"), Meta("text/plain"), NO_CHECKSUMS,
        (), {"tag": "value"},
    )  # fmt: skip


def open_upload(upload_id: str) -> Transaction[Upload]:
    return uploads.create_upload(Upload(0, upload_id, 1, "a key", "owner", 1, Meta()), "bucket1")


ACTS: Final[dict[str, Act]] = {
    "look up": lambda: objects.look_up("bucket1", "folder1/key10"),
    "find a version": lambda: objects.find_version(2, KEY, "version7"),
    "find none": lambda: objects.find_version(2, KEY, "nothing"),
    "find none of no key": lambda: objects.find_version(1, "nothing", "nothing"),
    "find the newest": lambda: objects.find_newest(2, KEY),
    "insert a version": lambda: objects.insert_version(new_version(), 1),
    "insert an object": lambda: objects.insert_version(new_version("new key"), 1),
    "delete an object": lambda: objects.delete_object(2, BUCKET, KEY, "owner", "marker", 1),
    "delete a version": lambda: objects.delete_version(2, BUCKET, KEY, "version9", "owner", 1),
    "tag a version": lambda: objects.tag_version(2, BUCKET, KEY, "version8", {"a": "b"}, "owner", 1),
    "list a page": lambda: list_live(Query(1, limit=10)),
    "list a page of folders": lambda: list_live(Query(1, delimiter="/", limit=5)),
    "list a page of versions": lambda: list_versions(Query(2, limit=10)),
    "list on behind a version": lambda: list_versions(Query(2, after=KEY, after_version="version20", limit=10)),
    "list on behind a place": lambda: list_versions(Query(2, after=KEY, after_version="gone.30", limit=10)),
    "list a page of uploads": lambda: uploads.list_uploads(1, uploads.UploadQuery(limit=10)),
    "open an upload": lambda: open_upload("new"),
    "find an upload": lambda: uploads.get_upload("upload1"),
    "call an account by its name": lambda: keys.find_display_name("account3"),
    "drop a bucket": lambda: buckets.delete_bucket("empty", "owner", 1),
    "condemn a blob": lambda: condemn("main", BlobId(b"blob1"), 1 << 40),
    "go on with what is condemned": lambda: list_condemned("main", b"", 10),
}


def catalog(count: int) -> apsw.Connection:
    """A catalog with so many rows in each table."""
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    for sql in FILL:
        connection.execute(sql.text.replace(str(ROWS), str(count)))
    drive(connection, buckets.create_bucket("empty", "owner", "main", 1))
    connection.execute("UPDATE buckets SET id = 1000000 WHERE name = 'empty'")  # no row above is in it
    drive(connection, buckets.change_bucket(BUCKET, buckets.BucketChange(Versioning.ON)))
    for number in range(20):
        drive(connection, open_upload(f"open{number}"))
    return connection


@pytest.fixture(scope="module")
def catalogs() -> Iterator[tuple[apsw.Connection, apsw.Connection]]:
    small, large = catalog(SMALL), catalog(LARGE)
    yield small, large
    small.close()
    large.close()


def steps(connection: apsw.Connection, act: Act) -> int:
    """Steps of all statements of an operation, which is undone."""
    counted: list[int] = []
    connection.trace_v2(
        apsw.SQLITE_TRACE_PROFILE, lambda event: counted.append(event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"])
    )
    connection.execute("BEGIN")
    try:
        counted.clear()
        drive(connection, act())
        return sum(counted)
    finally:
        connection.execute("ROLLBACK")
        connection.trace_v2(0, None)


@pytest.mark.parametrize("name", ACTS)
def test_an_operation_costs_the_same_beside_a_hundred_times_as_much(
    name: str, catalogs: tuple[apsw.Connection, apsw.Connection]
) -> None:
    small, large = (steps(connection, ACTS[name]) for connection in catalogs)
    assert 0 < large <= SLACK * small


def delete(version_id: str) -> Act:
    return lambda: objects.delete_version(2, BUCKET, KEY, version_id, "owner", 1)


def test_deleting_versions_of_a_long_history() -> None:
    """Each by itself costs the same, however many there are."""
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    drive(connection, buckets.create_bucket("first", "owner", "main", 1))
    drive(connection, buckets.create_bucket(BUCKET, "owner", "main", 1))
    connection.execute(one_key(3_000).text)
    costs = [steps(connection, delete(f"version{number}")) for number in (1, 1_500, 2_999)]
    assert max(costs) <= SLACK * min(costs)


def main() -> None:
    connection = apsw.Connection(":memory:")
    migrate_sqlite(connection)
    for number in (1, 2):
        drive(connection, buckets.create_bucket(f"bucket{number}", "owner", "main", 1))
    connection.execute(one_key(100_000).text)
    connection.execute(live_objects(1_000_000).text)
    for name, bucket, key, ids in (
        ("one of 100,000 versions of a key", 2, KEY, [f"version{number * 99}" for number in range(1, 1000)]),
        ("no version of that key", 2, KEY, ["nothing"] * 1000),
        ("one beside 1,000,000 objects", 1, "folder5000/key50000", ["null"] * 1000),
        ("none beside 1,000,000 objects", 1, "folder5000/key50000", ["nothing"] * 1000),
    ):
        began = time.process_time()
        for version_id in ids:
            drive(connection, objects.find_version(bucket, key, version_id))
        sys.stdout.write(f"{name:40} {(time.process_time() - began) / len(ids) * 1e6:8.1f} µs of CPU\n")
    began = time.process_time()
    for number in range(200):
        drive(connection, delete(f"version{number * 7 + 1}")())
    sys.stdout.write(f"{'200 of 100,000 versions deleted':40} {(time.process_time() - began) * 1e3:8.1f} ms of CPU\n")


if __name__ == "__main__":
    main()
