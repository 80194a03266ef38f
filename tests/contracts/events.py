"""What the outbox promises, on whatever engine: an event for each act, or none, and a feed without gaps."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

import pytest

from entrepot.catalog.database import Sql, Statement
from entrepot.catalog.operations import buckets, objects, uploads
from entrepot.catalog.operations.buckets import BucketChange
from entrepot.catalog.operations.events import Event, Kind, number_events, record, trim_events
from entrepot.core.outbox import Outbox
from entrepot.errors import PreconditionFailed
from entrepot.model import Precondition, Upload, Versioning
from tests.contracts.acts import Acts, clock, digest, new_version

if TYPE_CHECKING:
    from entrepot.catalog.database import Database, Transaction
    from entrepot.model import Bucket


class Listened(Acts):
    async def listen(self, bucket: Bucket, *, on: bool = True) -> None:
        await self.database.write(buckets.change_bucket(bucket.name, BucketChange(events=on)))

    async def put_as(self, bucket: Bucket, key: str, **fields: Any) -> None:
        await self.database.write(objects.insert_version(new_version(bucket, key, b"data", **fields), next(clock)))

    async def told(self, cursor: int = 0) -> list[tuple[str, str | None, str | None]]:
        feed = await Outbox(self.database).read(cursor)
        return [(event.kind, event.key, event.version_id) for event in feed.events]


def happened(number: int) -> Event:
    return Event(Kind.PUT, "bucket", number, "me", f"k{number}")


def record_slowly(number: int, pauses: int) -> Transaction[None]:
    for _ in range(pauses):
        yield from objects.find_newest(0, "none")
    yield from record(happened(number))
    for _ in range(pauses):
        yield from objects.find_newest(0, "none")


def counting(operation: Transaction[Any], seen: list[Sql]) -> Transaction[Any]:
    """The same operation, its statements noted."""
    result: Any = None
    while True:
        try:
            statement: Statement = operation.send(result)
        except StopIteration as stop:
            return stop.value
        seen.append(statement.sql)
        result = yield statement


class EventsContract:
    async def test_every_act_is_told_once(self, database: Database) -> None:
        acts = Listened(database)
        bucket = await acts.bucket(Versioning.ON)
        await acts.listen(bucket)
        await acts.put_as(bucket, "a", version_id="v1")
        await acts.delete(bucket, "a")
        await acts.delete_version(bucket, "a", "v1")
        await acts.delete_version(bucket, "a", "none")
        new = Upload(0, "u1", bucket.id, "b", "owner", next(clock), new_version(bucket, "b", b"").meta)
        await database.write(uploads.create_upload(new, bucket.name))
        await database.write(uploads.abort_upload("u1", "me", next(clock)))
        marker = (await acts.told())[1][2]
        assert await acts.told() == [
            ("object.put", "a", "v1"), ("object.marked", "a", marker), ("version.deleted", "a", "v1"),
            ("upload.opened", "b", None), ("upload.aborted", "b", None),
        ]  # fmt: skip
        feed = await Outbox(database).read(0, 1)
        [put] = feed.events
        assert (put.bucket, put.principal, put.hash) == (bucket.name, "owner", digest(b"data"))
        assert put.payload == {"size": 4, "etag": new_version(bucket, "a", b"data").etag}
        assert (put.sequence, feed.cursor, feed.missed) == (1, 1, False)

    async def test_deleting_in_a_bucket_without_versions(self, database: Database) -> None:
        acts = Listened(database)
        bucket = await acts.bucket()
        await acts.listen(bucket)
        await acts.delete(bucket, "none")
        await acts.put_as(bucket, "a")
        await acts.delete(bucket, "a")
        await database.write(buckets.delete_bucket(bucket.name, "me", next(clock)))
        assert await acts.told() == [
            ("object.put", "a", "null"), ("object.deleted", "a", None), ("bucket.deleted", None, None)
        ]  # fmt: skip

    async def test_what_did_not_happen_is_not_told(self, database: Database) -> None:
        acts = Listened(database)
        bucket = await acts.bucket()
        await acts.listen(bucket)
        await acts.put_as(bucket, "a")
        refused = objects.insert_version(
            new_version(bucket, "a", b"x"), next(clock), Precondition(if_none_match=("*",))
        )
        with pytest.raises(PreconditionFailed):
            await database.write(refused)
        assert len(await acts.told()) == 1

    async def test_nobody_listens_and_nothing_is_written_or_asked(self, database: Database) -> None:
        acts = Listened(database)
        deaf, heard = await acts.bucket(), await acts.bucket()
        await acts.listen(heard)
        statements = []
        for bucket in (deaf, heard):
            seen: list[Sql] = []
            operation = objects.insert_version(new_version(bucket, "a", bucket.name.encode()), next(clock))
            await database.write(counting(operation, seen))
            statements.append(seen)
        assert len(statements[0]) + 1 == len(statements[1])
        await acts.listen(heard, on=False)
        await acts.put_as(heard, "b")
        assert len(await acts.told()) == 1

    async def test_a_follower_misses_none_of_many_writers(self, database: Database) -> None:
        chance, outbox = random.Random(3), Outbox(database)
        numbers, seen, cursor = list(range(300)), [], 0

        async def write(number: int) -> None:
            await database.write(record_slowly(number, chance.randrange(4)), heavy=number % 7 == 0)

        writing = asyncio.gather(*map(write, numbers))
        done = False
        while not done:
            done = writing.done()
            feed = await outbox.read(cursor, 20)
            assert [event.sequence for event in feed.events] == list(range(cursor + 1, cursor + 1 + len(feed.events)))
            assert not feed.missed
            seen += [event.happened_at for event in feed.events]
            cursor, done = feed.cursor, done and not feed.events
            await asyncio.sleep(0)
        await writing
        assert sorted(seen) == numbers

    async def test_trimming_is_told_to_who_missed_something(self, database: Database) -> None:
        outbox = Outbox(database)
        for number in range(10):
            await database.write(record(happened(number)))
        assert await outbox.latest() == 10
        assert await database.write(trim_events(5, 3)) == 3
        assert await database.write(trim_events(5, 9)) == 2
        assert await database.write(trim_events(5, 9)) == 0
        feed = await outbox.read(3)
        assert feed.missed
        assert [event.sequence for event in feed.events] == [6, 7, 8, 9, 10]
        assert not (await outbox.read(5)).missed

    async def test_numbers_go_on_though_every_event_is_gone(self, database: Database) -> None:
        outbox = Outbox(database)
        await database.write(record(happened(1)))
        await outbox.latest()
        await database.write(trim_events(100, 100))
        feed = await outbox.read(0)
        assert (list(feed.events), feed.cursor, feed.missed) == ([], 1, True)
        await database.write(record(happened(2)))
        assert [event.sequence for event in (await outbox.read(1)).events] == [2]

    async def test_only_one_numbers_at_a_time(self, database: Database) -> None:
        for number in range(30):
            await database.write(record(happened(number)))
        await asyncio.gather(*(database.write(number_events()) for _ in range(8)))
        feed = await Outbox(database).read(0)
        assert [event.sequence for event in feed.events] == list(range(1, 31))
        assert [event.happened_at for event in feed.events] == list(range(30))
