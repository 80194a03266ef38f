"""Filters of lists against the decision on each row: random rules, compiled to Python and to SQL."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrepot.catalog.operations import buckets, objects, uploads
from entrepot.catalog.operations.listing import Query, list_live, list_versions
from entrepot.core.access import Access, Action, Resource
from entrepot.errors import Denied
from entrepot.model import Bucket, Meta, Principal, Right, Upload, Version, Versioning
from entrepot.rules import (
    FALSE,
    TRUE,
    AllOf,
    AnyOf,
    Before,
    Begins,
    Effect,
    Equal,
    Expression,
    Field,
    Granted,
    Not,
    Present,
    Rule,
    Within,
)
from tests.contracts.acts import STORE, Acts, clock, new_version

if TYPE_CHECKING:
    from entrepot.catalog.database import Database

NOW = 1_000
NAMES = ("alice", "bob", "é\U0001f980", "a", "al", "al%_", "bucket-a", "")
KEYS = ("alice", "alice/x", "bob/x", "é\U0001f980/", "a", "b\x00", "\uffff")
TEXTS = st.sampled_from([Field.ACCOUNT, Field.ACCESS_KEY, Field.BUCKET, Field.BUCKET_OWNER, Field.CLIENT, *NAMES])
PREFIXES = st.sampled_from([Field.ACCOUNT, Field.ACCESS_KEY, *NAMES])
LEAVES: st.SearchStrategy[Expression] = st.one_of(
    st.sampled_from([TRUE, FALSE]),
    st.builds(Present, st.sampled_from(Field)),
    st.builds(Equal, TEXTS, st.sampled_from([Field.KEY, Field.OWNER]) | TEXTS),
    st.builds(Equal, st.sampled_from([Field.ROOT, Field.PUBLIC, Field.SECURE]), st.booleans()),
    st.builds(Begins, st.sampled_from([Field.KEY, Field.OWNER, Field.BUCKET, Field.BUCKET_OWNER]) | TEXTS, PREFIXES),
    st.builds(Before, st.just(Field.TIME), st.sampled_from([NOW - 1, NOW, NOW + 1])),
    st.builds(Within, st.sampled_from([(ipaddress.ip_network("10.0.0.0/8"),), ()])),
    st.builds(Granted, st.sampled_from(Right)),
)
EXPRESSIONS: st.SearchStrategy[Expression] = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(AllOf, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
    max_leaves=8,
)
RULES = st.lists(
    st.builds(Rule, st.just("rule"), st.sampled_from(Effect), st.just(frozenset(Action)), EXPRESSIONS), max_size=4
)
GRANTS = st.dictionaries(
    st.sampled_from(["*", "bucket-a", "bucket-b"]), st.frozensets(st.sampled_from(Right)), max_size=2
)


@dataclass(frozen=True, slots=True)
class Asked:
    client: str
    secure: bool


PRINCIPALS = st.builds(
    Principal,
    st.sampled_from(["alice", "é\U0001f980", ""]),
    st.sampled_from(["al", ""]),
    st.booleans(),
    GRANTS,
    st.none() | st.builds(Asked, st.sampled_from(["", "10.1.2.3", "::1", "unix"]), st.booleans()),
)


class Given:
    """Rules that a test makes up."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules

    def rules(self) -> Sequence[Rule]:
        return self._rules


@dataclass(frozen=True, slots=True)
class Filled:
    """What there is: versions and open uploads of the first bucket, and every bucket."""

    buckets: list[Bucket]
    versions: list[Version]
    uploads: list[Upload]


async def fill(acts: Acts) -> Filled:
    filled = Filled([], [], [])
    for number, name in enumerate(("bucket-a", "bucket-b", "bucket-c")):
        await acts.database.write(buckets.create_bucket(name, NAMES[number], STORE, 1, public_read=number == 1))
        filled.buckets.append(await acts.versioning(name, Versioning.ON))
    for number, key in enumerate(KEYS):
        for owner in (NAMES[number % 3], NAMES[(number + 1) % 3]):
            version = replace(new_version(filled.buckets[0], key, b"x", f"v{number}{owner}"), owner=owner)
            filled.versions.append(await acts.database.write(objects.insert_version(version, next(clock))))
        upload = Upload(0, f"u{number}", filled.buckets[0].id, key, NAMES[number % 3], 1, Meta())
        filled.uploads.append(await acts.database.write(uploads.create_upload(upload, "bucket-a")))
    return filled


class FiltersContract:
    examples = 25

    def test_a_list_holds_what_the_decision_on_each_row_allows(
        self, database: Database, runner: asyncio.Runner
    ) -> None:
        filled = runner.run(fill(Acts(database)))

        @settings(max_examples=self.examples, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(RULES, PRINCIPALS, st.integers(1, 9))
        def check(rules: list[Rule], who: Principal, limit: int) -> None:
            runner.run(agree(Asking(Access([Given(rules)], lambda: NOW), who), limit))

        async def agree(asking: Asking, limit: int) -> None:
            await check_versions(database, asking, filled, limit)
            await check_uploads(database, asking, filled, limit)
            await check_buckets(database, asking, filled)

        check()


@dataclass(frozen=True, slots=True)
class Asking:
    access: Access
    who: Principal

    def may(self, action: Action, bucket: Bucket, row: Version | Upload | None = None) -> bool:
        key = None if row is None else row.key
        allowed = self.access.explain(self.who, action, Resource(bucket, key, row)).allowed
        with contextlib.ExitStack() as stack:
            if not allowed:
                stack.enter_context(pytest.raises(Denied))
            self.access.check(self.who, action, Resource(bucket, key, row))
        if allowed:  # then nobody was turned away before the row was known
            self.access.check_before(self.who, action, Resource(bucket, key))
            self.access.check_before(self.who, action, Resource(bucket))
        return allowed


async def check_versions(database: Database, asking: Asking, filled: Filled, limit: int) -> None:
    bucket = filled.buckets[0]
    visible = asking.access.filter(asking.who, Action.VERSION_LIST, bucket)
    seen = [version for version in filled.versions if asking.may(Action.VERSION_LIST, bucket, version)]
    query = Query(bucket.id, limit=limit, visible=visible)
    found: list[str] = []
    while True:
        page = await database.scan(list_versions(query))
        found.extend(item.version_id for item in page.items)
        if not page.more:
            break
        query = replace(query, after=page.last, after_version=page.last_version)
    assert sorted(found) == sorted(version.version_id for version in seen)
    newest = {version.key: version for version in filled.versions}
    live = sorted(version.key for version in seen if newest[version.key] is version)
    page = await database.scan(list_live(Query(bucket.id, visible=visible)))
    assert [item.key for item in page.items] == live
    page = await database.scan(list_live(Query(bucket.id, delimiter="/", visible=visible)))
    assert [item.key for item in page.items] == [key for key in live if "/" not in key]
    assert page.prefixes == sorted({key.partition("/")[0] + "/" for key in live if "/" in key})
    page = await database.scan(list_versions(Query(bucket.id, delimiter="/", visible=visible)))
    assert page.prefixes == sorted({each.key.partition("/")[0] + "/" for each in seen if "/" in each.key})


async def check_uploads(database: Database, asking: Asking, filled: Filled, limit: int) -> None:
    bucket = filled.buckets[0]
    visible = asking.access.filter(asking.who, Action.UPLOAD_LIST, bucket)
    seen = sorted(upload.key for upload in filled.uploads if asking.may(Action.UPLOAD_LIST, bucket, upload))
    query = uploads.UploadQuery(limit=limit, visible=visible)
    found: list[str] = []
    while True:
        page = await database.scan(uploads.list_uploads(bucket.id, query))
        found.extend(upload.key for upload in page.uploads)
        if page.following is None:
            break
        query = replace(query, after=page.following)
    assert found == seen
    page = await database.scan(uploads.list_uploads(bucket.id, uploads.UploadQuery("", "/", visible=visible)))
    assert [upload.key for upload in page.uploads] == [key for key in seen if "/" not in key]
    assert page.prefixes == sorted({key.partition("/")[0] + "/" for key in seen if "/" in key})


async def check_buckets(database: Database, asking: Asking, filled: Filled) -> None:
    visible = asking.access.filter(asking.who, Action.BUCKET_LIST, None)
    found = await database.scan(buckets.list_buckets("", "", 10, visible))
    assert found == [bucket for bucket in filled.buckets if asking.may(Action.BUCKET_LIST, bucket)]
