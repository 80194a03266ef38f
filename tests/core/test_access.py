"""Rules on the services: what a rule can look at, before a body is read and when it is published."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from entrepot.core import Query
from entrepot.core.access import DEFAULT, PRESENT, Access, Action, Explanation, Resource, RuleSource
from entrepot.core.content import Intake
from entrepot.core.objects import Copy, CopySource, Put
from entrepot.core.uploads import InOrder, Place
from entrepot.errors import ArgumentInvalid, Denied
from entrepot.model import ANONYMOUS, Bucket, Buffer, Meta, Principal, Right, Versioning
from entrepot.rules import (
    ROW_FIELDS,
    AllOf,
    Before,
    Begins,
    Effect,
    Equal,
    Field,
    Not,
    Present,
    Rule,
    Within,
    combine,
    fields_of,
)
from tests.core.services import ROOT, Services, expecting, open_services, pieces

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from entrepot.catalog.database import Database, Transaction

WRITING = frozenset({Right.READ, Right.WRITE, Right.DELETE})
ALICE = Principal("alice", "A", grants={"bucket": WRITING})
BOB = Principal("bob", "B", grants={"bucket": WRITING})
BUCKET = Bucket(1, "bucket", "owner", "main", Versioning.OFF, False, 0)
CHANGES = frozenset({Action.OBJECT_WRITE, Action.OBJECT_DELETE, Action.VERSION_DELETE, Action.OBJECT_TAG_WRITE})
LISTS = frozenset({Action.OBJECT_LIST, Action.VERSION_LIST})
OTHERS = AllOf((Present(Field.OWNER), Not(Equal(Field.OWNER, Field.ACCOUNT)), Equal(Field.ROOT, False)))


class Own:
    """Nobody changes or sees in a list what is another's."""

    def rules(self) -> Sequence[Rule]:
        return [Rule("of another", Effect.DENY, CHANGES | LISTS, OTHERS)]


def ruled(services: Services, source: RuleSource | None = None) -> Services:
    buckets = replace(services.buckets, access=Access([*PRESENT, source or Own()]))
    objects = replace(services.objects, buckets=buckets)
    return replace(services, buckets=buckets, objects=objects, uploads=replace(
        services.uploads, buckets=buckets, objects=objects
    ))  # fmt: skip


class Interrupted:
    """A database in which something else happens between what is read and what is written."""

    def __init__(self, database: Database, between: Callable[[], Awaitable[object]]) -> None:
        self._database = database
        self._between = between

    def __getattr__(self, name: str) -> object:
        return getattr(self._database, name)

    async def write(self, operation: Transaction[Any], **how: bool) -> object:
        await self._between()
        return await self._database.write(operation, **how)


def said(*, asking: bool) -> Put:
    return Put(Meta(), Intake(size=1, digests=("md5",)), asking=asking)


async def put(services: Services, who: Principal, key: str = "k", *, asking: bool = False) -> None:
    await services.objects.put(who, "bucket", key, pieces([b"x"]), said(asking=asking))


class NoTags:
    """Nobody but the root key reads tags, or writes any."""

    def rules(self) -> Sequence[Rule]:
        actions = frozenset({Action.OBJECT_TAG_READ, Action.OBJECT_TAG_WRITE})
        return [Rule("tags", Effect.DENY, actions, Equal(Field.ROOT, False))]


async def test_tags_are_read_and_written_by_no_other_way() -> None:
    tags, copy = {"a": "b"}, Copy(CopySource("bucket", "k"))
    async with open_services() as plain:
        services = ruled(plain, NoTags())
        await services.buckets.create(ROOT, "bucket")
        for asking in (True, False):
            tagged = replace(said(asking=asking), tags=tags)
            with pytest.raises(Denied):
                await services.objects.put(ALICE, "bucket", "k", pieces([b"x"]), tagged)
        with pytest.raises(Denied):
            await services.uploads.create(ALICE, "bucket", "k", Meta(), tags=tags)
        await put(services, ALICE)
        await services.objects.copy(ALICE, "bucket", "free", copy)
        with pytest.raises(Denied):
            await services.objects.copy(ALICE, "bucket", "tagged", replace(copy, tags=tags))
        await services.objects.set_tags(ROOT, "bucket", "k", tags)
        with pytest.raises(Denied):
            await services.objects.copy(ALICE, "bucket", "told", copy)
        await services.objects.copy(ALICE, "bucket", "told nothing", replace(copy, tags={}))


async def complete(services: Services, who: Principal, key: str = "k") -> None:
    upload = await services.uploads.create(who, "bucket", key, Meta())
    place = Place("bucket", key, upload.upload_id)
    await services.uploads.put_part(who, place, 1, pieces([b"x"]), expecting())
    await services.uploads.complete(who, place, InOrder())


CHANGING: dict[str, Callable[[Services, Principal], Awaitable[object]]] = {
    "put of few bytes": put,
    "put": lambda services, who: put(services, who, asking=True),
    "copy": lambda services, who: services.objects.copy(who, "bucket", "k", Copy(CopySource("bucket", "source"))),
    "complete": complete,
    "delete": lambda services, who: services.objects.delete(who, "bucket", "k"),
    "delete of a version": lambda services, who: services.objects.delete(who, "bucket", "k", "null"),
    "tags": lambda services, who: services.objects.set_tags(who, "bucket", "k", {"a": "b"}),
}
every_change = pytest.mark.parametrize("change", CHANGING.values(), ids=CHANGING)
Change = Callable[[Services, Principal], Awaitable[object]]


@every_change
async def test_a_rule_sees_the_row_that_goes(change: Change) -> None:
    async with open_services() as plain:
        services = ruled(plain)
        await services.buckets.create(ROOT, "bucket")
        await put(services, ALICE)
        await put(services, BOB, "source")
        with pytest.raises(Denied):
            await change(services, BOB)
        assert (await services.objects.open(BOB, "bucket", "k")).version.owner == "alice"
        await change(services, ALICE)


@every_change
async def test_it_is_the_row_that_is_there_when_it_is_changed(change: Change) -> None:
    """Of nobody, or of the one who asks, when the request began."""
    async with open_services() as plain:
        services = ruled(plain)
        await services.buckets.create(ROOT, "bucket")
        await put(services, BOB)
        await put(services, BOB, "source")
        done: list[object] = []

        async def overtake() -> None:
            if not done:
                done.append(await plain.objects.put(ALICE, "bucket", "k", pieces([b"x"]), said(asking=False)))

        database = cast("Database", Interrupted(plain.database, overtake))
        objects = replace(services.objects, database=database)
        uploads = replace(services.uploads, database=database, objects=objects)
        with pytest.raises(Denied):
            await change(replace(services, objects=objects, uploads=uploads), BOB)
        assert (await services.objects.open(BOB, "bucket", "k")).version.owner == "alice"


async def test_a_list_is_filtered_before_it_is_cut() -> None:
    async with open_services() as plain:
        services = ruled(plain)
        await services.buckets.create(ROOT, "bucket")
        for number in range(40):
            await put(services, ALICE if number % 10 else BOB, f"k{number:02}")
        page = await services.objects.list(BOB, "bucket", Query(0, limit=3))
        assert ([item.key for item in page.items], page.more) == (["k00", "k10", "k20"], True)
        page = await services.objects.list_versions(BOB, "bucket", Query(0, limit=3, after=page.last))
        assert ([item.key for item in page.items], page.more) == (["k30"], False)
        assert len((await services.objects.list(ROOT, "bucket", Query(0))).items) == 40
        with pytest.raises(Denied):
            await services.objects.list(ANONYMOUS, "bucket", Query(0))


class Unread:
    def __aiter__(self) -> AsyncIterator[Buffer]:
        raise AssertionError("the body was read")


async def test_what_no_row_can_change_is_decided_before_the_body() -> None:
    async with open_services() as plain:
        services = ruled(plain)
        await services.buckets.create(ROOT, "bucket")
        body = cast("AsyncIterator[Buffer]", Unread())
        with pytest.raises(Denied):
            await services.objects.put(Principal("carol", "C"), "bucket", "k", body, said(asking=True))


@dataclass(frozen=True, slots=True)
class Asked:
    client: str
    secure: bool


@pytest.mark.parametrize(
    ("origin", "at", "allowed"),
    [
        (Asked("10.1.2.3", secure=True), 99, True),
        (Asked("10.1.2.3", secure=True), 100, False),
        (Asked("10.1.2.3", secure=False), 99, False),
        (Asked("11.1.2.3", secure=True), 99, False),
        (Asked("", secure=True), 99, False),
        (None, 99, False),
    ],
)
def test_a_rule_sees_the_request(origin: Asked | None, at: int, allowed: bool) -> None:  # noqa: FBT001 - a table
    when = AllOf((
        Within((ipaddress.ip_network("10.0.0.0/8"),)), Equal(Field.SECURE, True), Before(Field.TIME, 100),
        Begins(Field.KEY, "a/"),
    ))  # fmt: skip

    class Narrow:
        def rules(self) -> Sequence[Rule]:
            return [Rule("narrow", Effect.REQUIRE, frozenset({Action.OBJECT_READ}), when)]

    access = Access([*PRESENT, Narrow()], lambda: at)
    who = ALICE if origin is None else ALICE.asking(origin)
    assert access.explain(who, Action.OBJECT_READ, Resource(BUCKET, "a/b")).allowed is allowed
    assert not access.explain(who, Action.OBJECT_READ, Resource(BUCKET, "b")).allowed


@pytest.mark.parametrize(
    ("who", "action", "explanation"),
    [
        (ROOT, Action.BLOB_READ, Explanation(True, "root")),
        (Principal("owner"), Action.BUCKET_ADMIN, Explanation(True, "owner")),
        (Principal("owner"), Action.BUCKET_GIVE, Explanation(False, "")),
        (ALICE, Action.OBJECT_READ, Explanation(True, "grant of read")),
        (ALICE, Action.BUCKET_ADMIN, Explanation(False, "")),
        (ALICE, Action.BUCKET_CREATE, Explanation(True, "known")),
        (ANONYMOUS, Action.BUCKET_CREATE, Explanation(False, "")),
    ],
)
def test_a_decision_is_explained(who: Principal, action: Action, explanation: Explanation) -> None:
    assert DEFAULT.explain(who, action, Resource(BUCKET)) == explanation


def test_every_action_is_somebody_s_and_no_rule_of_today_looks_at_rows() -> None:
    """So a list of today is everything or nothing, and its query has no condition more than before."""
    rules = tuple(rule for source in PRESENT for rule in source.rules())
    for action in Action:
        DEFAULT.check(ROOT, action, Resource(BUCKET))
        assert ROW_FIELDS.isdisjoint(fields_of(combine(rules, action)))


def test_nothing_is_put_together_for_a_request() -> None:
    """Rules become a function when an action is first asked for."""
    access = Access()
    access.check(ALICE, Action.OBJECT_READ, Resource(BUCKET))
    made = access._sure[Action.OBJECT_READ]
    access.check(BOB, Action.OBJECT_READ, Resource(BUCKET, "k"))
    assert access._sure[Action.OBJECT_READ] is made


@pytest.mark.parametrize(
    "make",
    [
        lambda: Equal(Field.KEY, Field.OWNER),
        lambda: Equal(Field.ROOT, "yes"),
        lambda: Before(Field.KEY, 1),
        lambda: Begins(Field.ACCOUNT, Field.KEY),
        lambda: Begins(Field.TIME, "1"),
    ],
)
def test_what_cannot_be_compared_is_no_rule(make: Callable[[], object]) -> None:
    with pytest.raises(ArgumentInvalid):
        make()
