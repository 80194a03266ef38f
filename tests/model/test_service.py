"""The whole service against a dict: objects, versions and uploads, whatever the order of requests."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from entrepot.catalog.operations.buckets import BucketChange
from entrepot.catalog.operations.listing import Query
from entrepot.core.content import Intake
from entrepot.core.objects import Copy, CopySource, Put
from entrepot.core.uploads import Place, UploadQuery
from entrepot.errors import (
    DeleteMarkerFound,
    EntrepotError,
    NothingToMatch,
    ObjectMissing,
    PartMissing,
    PreconditionFailed,
    UploadMissing,
    VersionMissing,
)
from entrepot.model import NULL_VERSION, Meta, Precondition, Span, Versioning
from tests.core.services import ROOT, Numbered, Services, cut, expecting, joined, open_services, pieces

T = TypeVar("T")

KEYS = st.sampled_from(["a", "a/b", "a/b/c", "a//", "b", "é/\U0001f980"])
BODIES = st.binary(max_size=60)
CUTS = st.lists(st.integers(0, 60), max_size=4)
CONDITIONS = st.sampled_from(["", "absent", "same", "other"])


@dataclass
class Entry:
    """A version: its bytes, or None for a delete marker."""

    version_id: str
    data: bytes | None
    etag: str = ""


@dataclass
class Model:
    versioning: Versioning = Versioning.OFF
    keys: dict[str, list[Entry]] = field(default_factory=dict)

    def current(self, key: str) -> Entry | None:
        entries = self.keys.get(key)
        return entries[-1] if entries and entries[-1].data is not None else None

    def add(self, key: str, entry: Entry) -> None:
        entries = self.keys.setdefault(key, [])
        if self.versioning is not Versioning.ON:
            entry.version_id = NULL_VERSION
            entries[:] = [each for each in entries if each.version_id != NULL_VERSION]
        entries.append(entry)

    def remove(self, key: str, version_id: str) -> None:
        self.keys[key] = [each for each in self.keys.get(key, []) if each.version_id != version_id]

    def delete(self, key: str, marker_id: str | None) -> None:
        if self.versioning is Versioning.OFF:
            self.keys.pop(key, None)
        else:
            self.add(key, Entry(marker_id or "", None))


def condition(word: str, current: Entry | None) -> tuple[Precondition, type[EntrepotError] | None]:
    """A precondition, and how it fails on the present state."""
    if word == "absent":
        return Precondition(if_none_match=("*",)), PreconditionFailed if current else None
    if word == "same":
        etag = current.etag if current else "0" * 32
        return Precondition(if_match=(etag,)), None if current else NothingToMatch
    if word == "other":
        return Precondition(if_match=("f" * 32,)), PreconditionFailed if current else NothingToMatch
    return Precondition(), None


@contextlib.contextmanager
def failing(error: type[EntrepotError] | None) -> Any:
    if error is None:
        yield
    else:
        with pytest.raises(error):
            yield


class Service(RuleBasedStateMachine):
    uploads = Bundle("uploads")

    @initialize(versioning=st.sampled_from(Versioning))
    def open(self, versioning: Versioning) -> None:
        self.runner = asyncio.Runner()
        self.stack = contextlib.AsyncExitStack()
        self.services: Services = self.run(self.stack.enter_async_context(open_services(blob_size=8, inline_limit=4)))
        self.run(self.services.buckets.create(ROOT, "bucket"))
        self.model = Model()
        self.parts: dict[str, dict[int, bytes]] = {}
        if versioning is not Versioning.OFF:
            self.set_versioning(versioning)

    def run(self, act: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(act)

    def teardown(self) -> None:
        self.run(self.stack.aclose())
        self.runner.close()

    @rule(versioning=st.sampled_from([Versioning.ON, Versioning.SUSPENDED]))
    def set_versioning(self, versioning: Versioning) -> None:
        self.run(self.services.buckets.change(ROOT, "bucket", BucketChange(versioning)))
        self.model.versioning = versioning

    @rule(key=KEYS, body=BODIES, cuts=CUTS, word=CONDITIONS)
    def put(self, key: str, body: bytes, cuts: list[int], word: str) -> None:
        when, error = condition(word, self.model.current(key))
        put = Put(Meta(), Intake(size=len(body), digests=("md5",)), when=when)
        with failing(error):
            made = self.run(self.services.objects.put(ROOT, "bucket", key, pieces(cut(body, cuts)), put))
            assert made.etag == hashlib.md5(body, usedforsecurity=False).hexdigest()
            self.model.add(key, Entry(made.version_id, body, made.etag))

    @rule(key=KEYS, source=KEYS, word=CONDITIONS)
    def copy(self, key: str, source: str, word: str) -> None:
        when, error = condition(word, self.model.current(key))
        found = self.model.current(source)
        copy = Copy(CopySource("bucket", source), when=when)
        with failing(error if found else ObjectMissing):
            _, made = self.run(self.services.objects.copy(ROOT, "bucket", key, copy))
            assert found
            self.model.add(key, Entry(made.version_id, found.data, made.etag))

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        done = self.run(self.services.objects.delete(ROOT, "bucket", key))
        assert done.marker is (self.model.versioning is not Versioning.OFF)
        self.model.delete(key, done.version_id)

    @rule(key=KEYS, pick=st.integers(0, 5))
    def delete_version(self, key: str, pick: int) -> None:
        entries = self.model.keys.get(key)
        if entries:
            entry = entries[pick % len(entries)]
            done = self.run(self.services.objects.delete(ROOT, "bucket", key, entry.version_id))
            assert done.marker is (entry.data is None)
            self.model.remove(key, entry.version_id)

    @rule(key=KEYS, start=st.integers(0, 60), end=st.integers(0, 60))
    def read(self, key: str, start: int, end: int) -> None:
        entries = self.model.keys.get(key, [])
        current = self.model.current(key)
        if current is None or current.data is None:
            with pytest.raises(DeleteMarkerFound if entries else ObjectMissing):
                self.run(self.services.objects.open(ROOT, "bucket", key))
            return
        low, high = sorted(min(at, len(current.data)) for at in (start, end))
        opened = self.run(self.services.objects.open(ROOT, "bucket", key))
        assert self.read_all(opened, Span(low, high)) == current.data[low:high]

    def read_all(self, opened: Any, span: Span | None = None) -> bytes:
        async def everything() -> bytes:
            return await joined(await opened.read(span))

        return self.run(everything())

    @rule(target=uploads, key=KEYS, parts=st.dictionaries(st.integers(1, 4), BODIES))
    def begin(self, key: str, parts: dict[int, bytes]) -> Place:
        upload = self.run(self.services.uploads.create(ROOT, "bucket", key, Meta()))
        place = Place("bucket", key, upload.upload_id)
        self.parts[upload.upload_id] = {}
        for number, body in parts.items():
            self.put_part(place, number, body)
        return place

    @rule(place=uploads, number=st.integers(1, 4), body=BODIES)
    def put_part(self, place: Place, number: int, body: bytes) -> None:
        with failing(None if place.upload_id in self.parts else UploadMissing):
            self.run(self.services.uploads.put_part(ROOT, place, number, pieces([body]), expecting()))
            self.parts[place.upload_id][number] = body

    @rule(place=uploads, number=st.integers(1, 4), source=KEYS)
    def copy_part(self, place: Place, number: int, source: str) -> None:
        found = self.model.current(source)
        missing = None if found else ObjectMissing
        with failing(missing if place.upload_id in self.parts else UploadMissing):
            self.run(
                self.services.uploads.copy_part(ROOT, place, number, CopySource("bucket", source), None, expecting())
            )
            assert found
            assert found.data is not None
            self.parts[place.upload_id][number] = found.data

    @rule(place=consumes(uploads), word=CONDITIONS, wrong=st.booleans())
    def complete(self, place: Place, word: str, wrong: bool) -> None:  # noqa: FBT001 - drawn
        parts = self.parts.get(place.upload_id)
        if not parts:
            return
        numbers = sorted(parts)
        when, error = condition(word, self.model.current(place.key))
        if wrong:
            with pytest.raises(PartMissing):
                self.run(self.services.uploads.complete(ROOT, place, Numbered(*numbers, 5)))
        with failing(error):
            done = self.run(self.services.uploads.complete(ROOT, place, Numbered(*numbers), when))
            again = self.run(self.services.uploads.complete(ROOT, place, Numbered(*numbers)))
            assert (again.etag, again.version_id, again.again) == (done.etag, done.version_id, True)
            data = b"".join(parts[number] for number in numbers)
            self.model.add(place.key, Entry(done.version_id, data, done.etag))
            del self.parts[place.upload_id]

    @rule(place=uploads)
    def abort(self, place: Place) -> None:
        with failing(None if place.upload_id in self.parts else UploadMissing):
            self.run(self.services.uploads.abort(ROOT, place))
            del self.parts[place.upload_id]

    @rule(limit=st.integers(1, 4), delimiter=st.sampled_from(["", "/"]))
    def list_uploads(self, limit: int, delimiter: str) -> None:
        seen: list[str] = []
        after = ("", "")
        while True:
            query = UploadQuery("", delimiter, after, limit)
            page = self.run(self.services.uploads.list(ROOT, "bucket", query))
            assert len(page.uploads) + len(page.prefixes) <= limit
            seen += [upload.key for upload in page.uploads] + list(page.prefixes)
            if page.following is None:
                break
            after = page.following
        keys = [upload.key for upload in self.run(self.every_upload())]
        groups = {key[: key.index("/") + 1] for key in keys if "/" in key} if delimiter else set()
        assert sorted(seen) == sorted([key for key in keys if not (delimiter and "/" in key)] + list(groups))

    async def every_upload(self) -> Any:
        page = await self.services.uploads.list(ROOT, "bucket", UploadQuery())
        assert {upload.upload_id for upload in page.uploads} == set(self.parts)
        return page.uploads

    @invariant()
    def lists_agree(self) -> None:
        if not hasattr(self, "services"):
            return
        listing = self.run(self.services.objects.list(ROOT, "bucket", Query(0)))
        present = {key: current for key in self.model.keys if (current := self.model.current(key))}
        order = sorted(present, key=str.encode)
        assert [(item.key, item.etag, item.size) for item in listing.items] == [
            (key, present[key].etag, len(present[key].data or b"")) for key in order
        ]
        versions = self.run(self.services.objects.list_versions(ROOT, "bucket", Query(0)))
        assert [(item.key, item.version_id, item.marker, item.latest) for item in versions.items] == [
            (key, entry.version_id, entry.data is None, entry is self.model.keys[key][-1])
            for key in sorted(self.model.keys, key=str.encode)
            for entry in reversed(self.model.keys[key])
        ]

    @invariant()
    def every_version_is_whole(self) -> None:
        if not hasattr(self, "services"):
            return
        for key, entries in self.model.keys.items():
            for entry in entries:
                if entry.data is not None:
                    opened = self.run(self.services.objects.open(ROOT, "bucket", key, entry.version_id))
                    assert self.read_all(opened) == entry.data
            with pytest.raises(VersionMissing):
                self.run(self.services.objects.open(ROOT, "bucket", key, "f" * 32))


Service.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestService = Service.TestCase
