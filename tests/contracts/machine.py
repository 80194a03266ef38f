"""Random histories of one bucket beside a model of it: what S3 says about versions, in thirty lines of Python."""

from __future__ import annotations

import asyncio
import functools
import itertools
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from entrepot.catalog.operations import objects
from entrepot.catalog.operations.consistency import find_broken
from entrepot.catalog.operations.listing import Query
from entrepot.errors import NothingToMatch, PreconditionFailed
from entrepot.model import NULL_VERSION, Precondition, Version, Versioning
from tests.contracts.acts import Acts
from tests.contracts.listing import QUERIES, Known, check_listings

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from typing import TypeVar

    from entrepot.catalog.database import Database

    T = TypeVar("T")

KEYS = st.sampled_from(["a", "a/b", "a/c", "a0", "é", "\x00"])
CONDITIONS = st.sampled_from(["always", "always", "absent", "matching", "other"])


class Model:
    """A bucket's versions, newest first within a key, with their bytes."""

    def __init__(self) -> None:
        self.versioning = Versioning.OFF
        self.versions: dict[str, list[tuple[Known, bytes]]] = {}

    def live(self, key: str) -> bytes | None:
        versions = self.versions.get(key, [])
        return versions[0][1] if versions and not versions[0][0].marker else None

    def add(self, key: str, version_id: str, data: bytes, *, marker: bool) -> None:
        """Put a version or a delete marker on top of a key."""
        if self.versioning is not Versioning.ON:
            self.remove(key, NULL_VERSION)
            version_id = NULL_VERSION
        if not (marker and self.versioning is Versioning.OFF):
            self.versions.setdefault(key, []).insert(0, (Known(version_id, marker), data))

    def remove(self, key: str, version_id: str) -> bool:
        """Take one version away; whether it was a delete marker."""
        versions = self.versions.pop(key, [])
        kept = [each for each in versions if each[0].version_id != version_id]
        if kept:
            self.versions[key] = kept
        return any(known.marker for known, _ in versions if known.version_id == version_id)


class BucketMachine(RuleBasedStateMachine):
    def __init__(self, acts: Acts, runner: asyncio.Runner) -> None:
        super().__init__()
        self.acts = acts
        self.runner = runner
        self.model = Model()
        self.numbers = itertools.count(1)
        self.bucket = self.run(acts.bucket())

    def run(self, act: Awaitable[T]) -> T:
        async def wait() -> T:
            return await act

        return self.runner.run(wait())

    def condition(self, kind: str, key: str) -> tuple[Precondition, type[Exception] | None]:
        """A precondition, and the error that a write under it must meet."""
        version = self.run(self.acts.live(self.bucket, key))
        match kind:
            case "absent":
                return Precondition(if_none_match=("*",)), PreconditionFailed if version else None
            case "matching" if version is not None:
                return Precondition(if_match=(version.etag,)), None
            case "matching" | "other":
                error = PreconditionFailed if version else NothingToMatch
                return Precondition(if_match=("0" * 32,)), error
        return Precondition(), None

    @initialize(versioning=st.sampled_from(list(Versioning)))
    def begin(self, versioning: Versioning) -> None:
        self.configure(versioning)

    @rule(key=KEYS, kind=CONDITIONS)
    def put(self, key: str, kind: str) -> None:
        version_id = f"v{next(self.numbers)}"
        data = version_id.encode()
        when, error = self.condition(kind, key)
        if error is not None:
            with pytest.raises(error):
                self.run(self.acts.put(self.bucket, key, data, when, version_id=version_id))
            return
        self.run(self.acts.put(self.bucket, key, data, when, version_id=version_id))
        self.model.add(key, version_id, data, marker=False)

    @rule(key=KEYS, kind=CONDITIONS.filter(lambda kind: kind != "absent"))
    def delete(self, key: str, kind: str) -> None:
        when, error = self.condition(kind, key)
        anything = self.run(self.acts.newest(self.bucket, key)) is not None
        if error is not None and anything:
            with pytest.raises(PreconditionFailed):
                self.run(self.acts.delete(self.bucket, key, when))
            return
        deleted = self.run(self.acts.delete(self.bucket, key, when))
        if error is not None:
            assert deleted == objects.Deleted(None, marker=False)
            return
        assert deleted.marker == (self.model.versioning is not Versioning.OFF)
        self.model.add(key, deleted.version_id or NULL_VERSION, b"", marker=True)

    @rule(key=KEYS, choice=st.integers(0, 4))
    def delete_version(self, key: str, choice: int) -> None:
        ids = [NULL_VERSION, *(known.version_id for known, _ in self.model.versions.get(key, []))]
        version_id = ids[choice % len(ids)]
        deleted = self.run(self.acts.delete_version(self.bucket, key, version_id))
        assert deleted == objects.Deleted(version_id, marker=self.model.remove(key, version_id))

    @rule(versioning=st.sampled_from([Versioning.ON, Versioning.SUSPENDED]))
    def configure(self, versioning: Versioning) -> None:
        self.run(self.acts.versioning(self.bucket.name, versioning))
        self.model.versioning = versioning

    @rule(query=QUERIES)
    def list(self, query: Query) -> None:
        history = {key: [known for known, _ in versions] for key, versions in self.model.versions.items()}
        self.run(check_listings(self.acts.database, self.bucket, history, query))

    @rule(key=KEYS)
    def look(self, key: str) -> None:
        """Every version of a key can be read by its id, and only the first is live."""
        assert self.run(self.acts.data(self.bucket, key)) == self.model.live(key)
        for position, (known, data) in enumerate(self.model.versions.get(key, [])):
            read = self.acts.database.read(objects.find_version(self.bucket.id, key, known.version_id))
            version: Version | None = self.run(read)
            assert version is not None
            assert (version.marker, version.bytes.data or b"") == (known.marker, data)
            assert version.live == (position == 0 and not known.marker)

    @invariant()
    def newest_is_newest(self) -> None:
        for key, versions in self.model.versions.items():
            version = self.run(self.acts.newest(self.bucket, key))
            assert version is not None
            assert version.version_id == versions[0][0].version_id

    def teardown(self) -> None:
        assert self.run(self.acts.database.scan(find_broken())) == []


class MachineContract:
    histories = 40

    def test_any_history_agrees_with_the_model(self, database: Database, runner: asyncio.Runner) -> None:
        make = functools.partial(BucketMachine, Acts(database), runner)
        run_state_machine_as_test(
            cast("type[BucketMachine]", make),
            settings=settings(
                max_examples=self.histories,
                stateful_step_count=40,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
