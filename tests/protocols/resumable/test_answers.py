"""Answers to the byte, and heads with nothing good in them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import ArgumentInvalid
from entrepot.protocols.resumable import answers, refusals
from entrepot.protocols.resumable.acts import Act, parse
from entrepot.protocols.resumable.dialects import DIALECTS, Dialect
from entrepot.protocols.resumable.fields import MAX_INTEGER
from entrepot.protocols.resumable.refusals import Refusal
from entrepot.protocols.resumable.rules import Accepted, Limits, State, judge, settle
from entrepot.wire.http import Headers
from tests.protocols.heads import METHODS, VALUES, check_sendable, fields_of, head
from tests.protocols.resumable.heads import EVERY, act_of, append, creation, name_of

EIGHT = DIALECTS[8]
TYPES = "https://iana.org/assignments/http-problem-types#"


def document(act: Act, refusal: Refusal, state: State | None = None) -> dict[str, object]:
    answer = answers.refused(act, refusal, state)
    assert isinstance(answer.body, bytes)
    assert fields_of(answer)["content-type"] == "application/problem+json"
    assert fields_of(answer)["content-length"] == str(len(answer.body))
    found = json.loads(answer.body)
    assert isinstance(found, dict)
    assert found["status"] == answer.status
    return found


def test_a_creation_with_more_to_come() -> None:
    act = creation(EIGHT, size=5, upload_length="10")
    answer = answers.created(act, "https://h/uploads/a", State(5, 10), Limits(max_size=99, max_age=60))
    assert answer.status == 201
    assert fields_of(answer) == {
        "content-length": "0", "location": "https://h/uploads/a", "upload-offset": "5", "upload-complete": "?0",
        "upload-length": "10", "upload-limit": "max-size=99, max-age=60", "cache-control": "no-store",
        "upload-draft-interop-version": "8",
    }  # fmt: skip


def test_the_state_of_an_upload() -> None:
    answer = answers.told(act_of(DIALECTS[3], "HEAD"), State(7))
    assert fields_of(answer) == {
        "upload-offset": "7", "upload-incomplete": "?1", "cache-control": "no-store",
        "upload-draft-interop-version": "3",
    }  # fmt: skip
    done = fields_of(answers.told(act_of(DIALECTS[3], "HEAD"), State(7, 7, complete=True)))
    assert (done["upload-incomplete"], done["upload-length"]) == ("?0", "7")


def test_a_wrong_offset() -> None:
    act, state = append(EIGHT, 3, size=2), State(5, 10)
    verdict = judge(act, state)
    assert isinstance(verdict, Refusal)
    assert document(act, verdict, state) == {
        "type": TYPES + "mismatching-upload-offset",
        "title": "the offset of the request is not the offset of the upload",
        "status": 409,
        "detail": "The upload goes on at 5, the request begins at 3.",
        "expected-offset": 5,
        "provided-offset": 3,
    }
    fields = fields_of(answers.refused(act, verdict, state))
    assert (fields["upload-offset"], fields["upload-complete"]) == ("5", "?0")


@pytest.mark.parametrize(
    ("interop", "registered"),
    [
        (3, set()),
        (5, set()),
        (6, {"mismatching-upload-offset", "completed-upload"}),
        (7, {"mismatching-upload-offset", "completed-upload", "inconsistent-upload-length"}),
        (8, {"mismatching-upload-offset", "completed-upload", "inconsistent-upload-length"}),
        (9, {"mismatching-upload-offset", "inconsistent-upload-length"}),
    ],
)
def test_problem_types_are_those_of_the_dialect(interop: int, registered: set[str]) -> None:
    act = append(DIALECTS[interop], 0)
    all_three = (refusals.mismatching_offset(1, 2), refusals.completed(), refusals.inconsistent_length("x"))
    found = [document(act, refusal) for refusal in all_three]
    types = {str(problem["type"]).removeprefix(TYPES) for problem in found}
    assert types - {"about:blank"} == registered
    assert {problem["title"] for problem in found if problem["type"] == "about:blank"} <= {"Conflict", "Bad Request"}


def test_a_413_tells_the_limits() -> None:
    act, limits = creation(EIGHT, upload_length="11"), Limits(max_size=10)
    verdict = judge(act, None, limits)
    assert isinstance(verdict, Refusal)
    fields = fields_of(answers.refused(act, verdict, limits=limits))
    assert fields["upload-limit"] == "max-size=10"
    assert "upload-offset" not in fields


def test_a_failure_of_the_whole_is_final() -> None:
    act = append(EIGHT, 0, complete=True)
    assert fields_of(answers.refused(act, refusals.representation_mismatch()))["upload-complete"] == "?1"
    assert fields_of(answers.refused(act, refusals.content_mismatch(), State(4)))["upload-complete"] == "?0"


@pytest.mark.parametrize("dialect", EVERY, ids=name_of)
def test_without_limits_options_say_so(dialect: Dialect) -> None:
    assert fields_of(answers.options(act_of(dialect, "OPTIONS")))["upload-limit"] == "min-size=0"
    limited = fields_of(answers.options(act_of(dialect, "OPTIONS"), Limits(max_size=5)))
    assert limited["upload-limit"] == "max-size=5"


def test_a_location_that_cannot_be_a_field() -> None:
    act = creation(EIGHT)
    for make in (lambda: answers.created(act, "/a\r\nx: y", State()), lambda: answers.announcement(act, "/a\r\nx: y")):
        with pytest.raises(ArgumentInvalid):
            make()


def test_an_upload_that_has_failed_has_no_offset() -> None:
    act = append(EIGHT, 0)
    assert "upload-offset" not in fields_of(answers.refused(act, refusals.gone(EIGHT), State(4, gone=True)))


def test_digests_of_a_request() -> None:
    digest = "sha-256=:" + "A" * 43 + "=:"
    said = {"content_digest": digest, "repr_digest": digest, "want_repr_digest": "sha-512=1, sha-256=9"}
    act = creation(EIGHT, complete=True, size=1, **said)
    assert act.content_digests == act.repr_digests == {"sha256": bytes(32)}
    assert act.wanted == ("sha256", "sha512")
    later = append(EIGHT, 0, complete=True, size=1, **said)
    assert (later.content_digests, later.repr_digests) == ({"sha256": bytes(32)}, {})
    for name in ("content_digest", "repr_digest"):
        refusal = creation(EIGHT, complete=True, size=1, **{name: "sha-256=x"}).refusal
        assert refusal is not None
        assert refusal.status == 400
    assert append(EIGHT, 0, repr_digest="sha-256=x").refusal is None


def test_the_digest_of_the_whole() -> None:
    assert answers.digest_fields({"sha256": bytes(32), "blake3": bytes(32)}) == [
        (b"repr-digest", b"sha-256=:" + b"A" * 43 + b"=:")
    ]
    assert answers.digest_fields({"blake3": bytes(32)}) == []


def test_every_field_of_an_answer_is_exposed() -> None:
    shown = {name.lower() for name in answers.EXPOSED} | {"content-length", "content-type", "cache-control"}
    for dialect in EVERY:
        act = creation(dialect) if dialect.append_type else append(dialect, 0)
        limits = Limits(max_size=1)
        for answer in (
            answers.created(act, "/a", State(0, 1), limits),
            answers.options(act, limits),
            answers.refused(act, refusals.foreign_type("x"), State(), limits),
        ):
            assert set(fields_of(answer)) <= shown


NAMES = st.sampled_from(
    ["upload-draft-interop-version", "upload-complete", "upload-incomplete", "upload-offset", "upload-length",
     "content-length", "content-type", "content-digest", "repr-digest", "want-repr-digest", "transfer-encoding"]
)  # fmt: skip
STATES = st.none() | st.builds(
    State, st.integers(0, MAX_INTEGER), st.none() | st.integers(0, MAX_INTEGER), st.booleans(), st.booleans()
)


@given(
    method=METHODS,
    fields=st.lists(st.tuples(NAMES, VALUES), max_size=8),
    bare=st.booleans(),
    state=STATES,
    received=st.integers(0, 30),
)
def test_a_hostile_head_is_refused_or_ignored_and_never_raises(
    method: str, fields: list[tuple[str, str]], *, bare: bool, state: State | None, received: int
) -> None:
    headers = Headers([(name.encode(), value.encode("latin-1")) for name, value in fields])
    act = parse(method, headers, bare=bare)
    if act is None:
        return
    verdict = judge(act, state, Limits(max_size=20))
    if isinstance(verdict, Refusal):
        assert 400 <= verdict.status < 500
        check_sendable(answers.refused(act, verdict, state))
    elif isinstance(verdict, Accepted):
        outcome = settle(verdict, received, whole=True)
        assert outcome.state.offset >= verdict.start
        check_sendable(answers.created(act, "/a", outcome.state))
        check_sendable(answers.appended(act, outcome.state))
    elif state is not None:
        check_sendable(answers.told(act, state))


def test_methods_that_are_not_of_the_protocol() -> None:
    assert parse("POST", head({"content-length": "5"})) is None
    assert parse("POST", head({"upload-complete": "1"})) is None
    assert parse("POST", head({"upload-draft-interop-version": "3", "upload-complete": "?1"})) is None
    assert parse("GET", head({})) is None
    assert parse("TRACE", head({"upload-complete": "?1"})) is None
