"""The rules of state, by the rows of uploads.md §2.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.protocols.resumable.acts import Kind
from entrepot.protocols.resumable.dialects import DIALECTS, Dialect
from entrepot.protocols.resumable.fields import MAX_INTEGER
from entrepot.protocols.resumable.refusals import Refusal
from entrepot.protocols.resumable.rules import (
    NO_LIMITS,
    Accepted,
    Granted,
    Limits,
    Outcome,
    State,
    Verdict,
    judge,
    settle,
)
from tests.protocols.resumable.heads import ALL, EVERY, act_of, append, creation, name_of

EIGHT = DIALECTS[8]
TEN = DIALECTS[10]
DIGEST = "sha-256=:" + "A" * 43 + "=:"


def accepted(verdict: Verdict) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def refused(verdict: Verdict) -> Refusal:
    assert isinstance(verdict, Refusal), verdict
    return verdict


def inconsistent(refusal: Refusal | None) -> bool:
    return refusal is not None and (refusal.status, refusal.problem) == (400, "inconsistent-upload-length")


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
class TestCreation:
    def test_the_whole_at_once(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, complete=True, size=5), None))
        assert (verdict.start, verdict.room) == (0, 5)
        assert settle(verdict, 5, whole=True) == Outcome(State(5, 5, complete=True))

    def test_a_first_piece(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, size=5), None))
        assert settle(verdict, 5, whole=True) == Outcome(State(5))

    def test_an_empty_object(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, complete=True, size=0), None))
        assert settle(verdict, 0, whole=True) == Outcome(State(0, 0, complete=True))

    def test_careful_creation(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, size=0, upload_length="9"), None, Limits(min_append_size=5)))
        assert settle(verdict, 0, whole=True) == Outcome(State(0, 9))

    def test_a_cut_keeps_what_came_and_the_length_that_was_told(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, complete=True, size=5), None))
        assert settle(verdict, 3, whole=False) == Outcome(State(3, 5))

    def test_an_unknown_length_is_known_at_the_end(self, dialect: Dialect) -> None:
        verdict = accepted(judge(creation(dialect, complete=True, size=None), None))
        assert verdict.room == MAX_INTEGER
        assert settle(verdict, 7, whole=True) == Outcome(State(7, 7, complete=True))


@pytest.mark.parametrize("dialect", EVERY, ids=name_of)
class TestAppend:
    def test_the_rest(self, dialect: Dialect) -> None:
        verdict = accepted(judge(append(dialect, 4, complete=True, size=6), State(4, 10)))
        assert settle(verdict, 6, whole=True) == Outcome(State(10, 10, complete=True))

    @pytest.mark.parametrize("offset", [0, 3, 5, MAX_INTEGER])
    def test_a_wrong_offset(self, dialect: Dialect, offset: int) -> None:
        refusal = refused(judge(append(dialect, offset, complete=True, size=None), State(4, 10)))
        assert (refusal.status, refusal.problem) == (409, "mismatching-upload-offset")
        assert refusal.members == {"expected-offset": 4, "provided-offset": offset}

    def test_an_empty_one_that_completes(self, dialect: Dialect) -> None:
        limits = Limits(min_append_size=5)
        verdict = accepted(judge(append(dialect, 10, complete=True, size=0), State(10, 10), limits))
        assert settle(verdict, 0, whole=True).state.complete

    def test_nothing_is_done_to_what_is_unknown_or_gone(self, dialect: Dialect) -> None:
        act = append(dialect, 4, complete=True)
        assert refused(judge(act, None)).status == 404
        assert refused(judge(act, State(4, 10, gone=True))).status == dialect.gone


def test_reaching_the_length_does_not_complete() -> None:
    verdict = accepted(judge(append(EIGHT, 4, size=6), State(4, 10)))
    assert settle(verdict, 6, whole=True) == Outcome(State(10, 10))


@pytest.mark.parametrize(
    ("known", "complete", "declared", "size"),
    [
        (10, None, "11", 1),
        (10, "complete", None, 5),
        (None, "complete", "11", 6),
        (None, None, "3", 0),
        (10, None, None, 7),
        (10, "complete", None, 7),
    ],
)
def test_inconsistent_lengths_change_nothing(
    known: int | None, complete: str | None, declared: str | None, size: int
) -> None:
    more = {} if declared is None else {"upload_length": declared}
    act = append(EIGHT, 4, complete=complete is not None, size=size, **more)
    assert inconsistent(refused(judge(act, State(4, known))))


def test_inconsistent_lengths_at_creation() -> None:
    assert inconsistent(refused(judge(creation(EIGHT, complete=True, size=5, upload_length="6"), None)))
    assert inconsistent(refused(judge(creation(EIGHT, size=7, upload_length="6"), None)))


def test_a_length_under_what_is_there() -> None:
    assert inconsistent(refused(judge(append(EIGHT, 4, size=None, upload_length="3"), State(4))))


def test_a_length_may_come_with_an_append() -> None:
    verdict = accepted(judge(append(EIGHT, 4, size=1, upload_length="10"), State(4)))
    assert settle(verdict, 1, whole=True) == Outcome(State(5, 10))


def test_a_body_beyond_the_length_ends_at_it_and_the_upload_fails() -> None:
    verdict = accepted(judge(append(EIGHT, 4, size=None), State(4, 10)))
    assert verdict.room == 6
    assert settle(verdict, 6, whole=False) == Outcome(State(10, 10))
    outcome = settle(verdict, 7, whole=False)
    assert outcome.state == State(10, 10, gone=True)
    assert inconsistent(outcome.refusal)
    assert refused(judge(act_of(EIGHT, "HEAD"), outcome.state)).status == 410


def test_a_body_that_completes_too_early_is_kept_and_refused() -> None:
    verdict = accepted(judge(append(EIGHT, 4, complete=True, size=None), State(4, 10)))
    outcome = settle(verdict, 3, whole=True)
    assert outcome.state == State(7, 10)
    assert inconsistent(outcome.refusal)


def test_a_body_with_a_digest_is_appended_as_a_whole_or_not_at_all() -> None:
    verdict = accepted(judge(append(EIGHT, 4, size=None, content_digest=DIGEST), State(4, 10)))
    assert verdict.checked
    assert settle(verdict, 3, whole=False).state == State(4, 10)
    assert settle(verdict, 9, whole=True).state == State(4, 10, gone=True)
    assert settle(verdict, 3, whole=True).state == State(7, 10)


class TestLimits:
    def test_the_size_as_announced(self) -> None:
        limits = Limits(max_size=10, min_size=5)
        assert refused(judge(creation(TEN, upload_length="11"), None, limits)).status == 413
        assert refused(judge(creation(TEN, complete=True, size=11), None, limits)).status == 413
        assert refused(judge(creation(TEN, size=11), None, limits)).status == 413
        assert refused(judge(creation(TEN, upload_length="4"), None, limits)).status == 400
        assert isinstance(judge(creation(TEN, upload_length="10"), None, limits), Accepted)

    def test_the_size_as_it_comes(self) -> None:
        verdict = accepted(judge(append(TEN, 4, size=None), State(4), Limits(max_size=10)))
        assert verdict.room == 6
        outcome = settle(verdict, 7, whole=False)
        assert outcome.state == State(10, gone=True)
        assert outcome.refusal is not None
        assert outcome.refusal.status == 413

    def test_the_size_at_completion(self) -> None:
        verdict = accepted(judge(append(TEN, 4, complete=True, size=None), State(4), Limits(min_size=6)))
        outcome = settle(verdict, 1, whole=True)
        assert outcome.state.gone
        assert outcome.refusal is not None
        assert (outcome.refusal.status, outcome.refusal.final) == (400, True)

    def test_the_size_of_an_append(self) -> None:
        limits = Limits(min_append_size=3, max_append_size=5)
        assert refused(judge(append(TEN, 4, size=2), State(4), limits)).status == 400
        assert refused(judge(append(TEN, 4, size=6), State(4), limits)).status == 413
        assert refused(judge(creation(TEN, size=2), None, limits)).status == 400
        assert isinstance(judge(append(TEN, 4, size=2, complete=True), State(4), limits), Accepted)

    def test_an_append_that_grows_too_large_ends_there_and_the_upload_goes_on(self) -> None:
        verdict = accepted(judge(append(TEN, 4, size=None), State(4, 20), Limits(max_append_size=5)))
        outcome = settle(verdict, 6, whole=False)
        assert outcome.state == State(9, 20)
        assert outcome.refusal is not None
        assert outcome.refusal.status == 413

    def test_the_length_is_what_counts_where_it_is_the_nearest(self) -> None:
        verdict = accepted(judge(append(TEN, 4, size=None), State(4, 9), Limits(max_size=9, max_append_size=5)))
        assert inconsistent(verdict.beyond)


@pytest.mark.parametrize(("method", "kind"), [("HEAD", Kind.STATUS), ("DELETE", Kind.CANCEL)])
def test_state_and_cancellation_are_granted_whatever_the_stage(method: str, kind: Kind) -> None:
    act = act_of(TEN, method)
    assert act.kind is kind
    for state in (State(), State(5, 10), State(10, 10, complete=True)):
        assert isinstance(judge(act, state), Granted)


@given(
    dialect=st.sampled_from(EVERY),
    bodies=st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans(), st.booleans(), st.integers(-1, 14))),
    limits=st.builds(
        Limits,
        max_size=st.none() | st.integers(0, 20),
        min_size=st.none() | st.integers(0, 5),
        max_append_size=st.none() | st.integers(0, 8),
        min_append_size=st.none() | st.integers(0, 4),
    ),
    length=st.none() | st.integers(0, 20),
)
def test_the_offset_never_decreases_nor_passes_a_bound(
    dialect: Dialect, bodies: list[tuple[int, bool, bool, bool, int]], limits: Limits, length: int | None
) -> None:
    state = State(length=length)
    for size, complete, sized, whole, declared in bodies:
        more = {"upload_length": str(declared)} if declared >= 0 else {}
        act = append(dialect, state.offset, complete=complete, size=size if sized else None, **more)
        verdict = judge(act, state, limits)
        if not isinstance(verdict, Accepted):
            continue
        after = settle(verdict, size, whole=whole).state
        assert after.offset >= state.offset
        assert after.offset <= (limits.max_size if limits.max_size is not None else MAX_INTEGER)
        assert after.length is None or after.offset <= after.length
        assert state.length in (None, after.length)
        assert not after.complete or (whole and not state.complete and after.offset == after.length)
        state = after
        if state.gone:
            assert isinstance(judge(act, state, limits), Refusal)


def test_nothing_is_larger_than_a_field_can_say() -> None:
    verdict = accepted(judge(append(TEN, MAX_INTEGER - 1, size=None), State(MAX_INTEGER - 1), NO_LIMITS))
    assert verdict.room == 1
