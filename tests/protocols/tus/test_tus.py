"""tus 1.0.0 by the rows of uploads.md §3.1 and §3.2."""

from __future__ import annotations

from base64 import b64encode
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.digests import digest_of
from entrepot.errors import ArgumentInvalid
from entrepot.protocols.tus import answers, refusals
from entrepot.protocols.tus.acts import CHECKSUMS, MOST_PARTS, Act, Kind, is_tus, parse
from entrepot.protocols.tus.refusals import Refusal
from entrepot.protocols.tus.rules import Accepted, Granted, Joining, Outcome, State, Verdict, join, judge, settle
from entrepot.wire.http import Headers
from tests.protocols.heads import METHODS, VALUES, check_sendable, fields_of, head

OFFSET_TYPE: Final = "application/offset+octet-stream"


def act_of(method: str, **fields: str) -> Act:
    act = parse(method, head({"tus_resumable": "1.0.0", **fields}))
    assert act is not None
    return act


def patch(offset: int, size: int | None = 0, **fields: str) -> Act:
    framing = {"transfer_encoding": "chunked"} if size is None else {"content_length": str(size)}
    return act_of("PATCH", upload_offset=str(offset), content_type=OFFSET_TYPE, **framing, **fields)


def accepted(verdict: Verdict) -> Accepted:
    assert isinstance(verdict, Accepted), verdict
    return verdict


def status(verdict: object) -> int:
    assert isinstance(verdict, Refusal), verdict
    check_sendable(answers.refused(verdict))
    assert fields_of(answers.refused(verdict))["tus-resumable"] == "1.0.0"
    return verdict.status


class TestCore:
    @pytest.mark.parametrize("version", ["", "0.2.2", "1.0", "2.0.0", "1.0.0, 1.0.0"])
    @pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "DELETE"])
    def test_another_version_is_not_processed(self, method: str, version: str) -> None:
        act = parse(method, head({"tus_resumable": version, "upload_length": "1"}))
        assert act is not None
        verdict = judge(act, State())
        assert status(verdict) == 412
        assert isinstance(verdict, Refusal)
        assert fields_of(answers.refused(verdict))["tus-version"] == "1.0.0"

    def test_no_version_is_another_version(self) -> None:
        act = parse("HEAD", head({}))
        assert act is not None
        assert act.refusal == refusals.other_version()
        assert is_tus(head({"tus_resumable": "x"}))
        assert not is_tus(head({"upload_offset": "1"}))

    def test_options_need_no_version(self) -> None:
        act = parse("OPTIONS", head({"tus_resumable": "9"}))
        assert act is not None
        assert isinstance(judge(act, None), Granted)
        assert fields_of(answers.options(99)) == {
            "tus-resumable": "1.0.0", "tus-version": "1.0.0", "tus-max-size": "99", "content-length": "0",
            "tus-extension": "creation,creation-with-upload,creation-defer-length,expiration,checksum,termination,"
            "concatenation,concatenation-unfinished",
            "tus-checksum-algorithm": "sha1,sha256,crc32,blake3",
        }  # fmt: skip
        assert set(fields_of(answers.options(extensions=()))) == {"tus-resumable", "tus-version", "content-length"}

    @pytest.mark.parametrize(
        ("method", "override", "kind"),
        [("POST", "PATCH", Kind.APPEND), ("GET", "head", Kind.STATUS), ("PATCH", "DELETE", Kind.TERMINATE)],
    )
    def test_the_method_that_is_said_counts(self, method: str, override: str, kind: Kind) -> None:
        assert act_of(method, x_http_method_override=override).kind is kind
        assert parse("PATCH", head({"x_http_method_override": "GET"})) is None

    def test_head(self) -> None:
        assert isinstance(judge(act_of("HEAD"), State()), Granted)
        answer = answers.told(State(offset=0, length=7))
        assert answer.status == 200
        assert fields_of(answer) == {
            "tus-resumable": "1.0.0", "upload-offset": "0", "upload-length": "7", "cache-control": "no-store",
        }  # fmt: skip
        for state, code in ((None, 404), (State(gone=True), 410)):
            verdict = judge(act_of("HEAD"), state)
            assert status(verdict) == code
            assert isinstance(verdict, Refusal)
            assert "upload-offset" not in fields_of(answers.refused(verdict))

    def test_patch(self) -> None:
        verdict = accepted(judge(patch(3, 4), State(offset=3, length=10)))
        assert settle(verdict, 2, whole=False) == Outcome(State(offset=5, length=10))
        outcome = settle(verdict, 4, whole=True)
        assert outcome == Outcome(State(offset=7, length=10))
        answer = answers.appended(outcome.state)
        assert answer.status == 204
        assert fields_of(answer) == {"tus-resumable": "1.0.0", "upload-offset": "7"}

    def test_what_patch_refuses(self) -> None:
        state = State(offset=3, length=10)
        assert status(judge(patch(4, 1), state)) == 409
        assert status(judge(patch(3, 1), None)) == 404
        assert status(judge(patch(3, 1), State(gone=True))) == 410
        assert status(judge(patch(3, 8), state)) == 413
        for media_type in ("", "application/octet-stream", "application/partial-upload"):
            assert status(judge(act_of("PATCH", upload_offset="3", content_type=media_type), state)) == 415
        for offset in ("", "-3", "3.0", "+3", "x", "3 ,3", "9" * 19):
            assert status(judge(act_of("PATCH", upload_offset=offset, content_type=OFFSET_TYPE), state)) == 400
        assert status(judge(act_of("PATCH", content_type=OFFSET_TYPE), state)) == 400

    def test_a_body_beyond_the_length_ends_at_it_and_the_upload_fails(self) -> None:
        verdict = accepted(judge(patch(3, None), State(offset=3, length=10)))
        assert verdict.room == 7
        outcome = settle(verdict, 8, whole=False)
        assert outcome.state == State(offset=10, length=10, gone=True)
        assert status(outcome.refusal) == 413

    def test_nothing_more_goes_into_a_complete_upload(self) -> None:
        done = State(offset=10, length=10)
        assert done.complete
        assert status(judge(patch(10, 1), done)) == 413
        assert settle(accepted(judge(patch(10, 0), done)), 0, whole=True) == Outcome(done)


class TestCreation:
    def test_an_upload(self) -> None:
        act = act_of("POST", upload_length="10", content_length="0", upload_metadata="filename d29ybGQ=,x")
        assert act.metadata == {"filename": b"world", "x": b""}
        verdict = accepted(judge(act, None))
        assert verdict.room == 0
        state = settle(verdict, 0, whole=True).state
        assert not state.complete
        answer = answers.created("/files/a", state)
        assert answer.status == 201
        assert fields_of(answer)["location"] == "/files/a"
        assert fields_of(answers.told(state))["upload-metadata"] == "filename d29ybGQ=,x"

    def test_an_empty_file_is_complete_at_once(self) -> None:
        assert settle(accepted(judge(act_of("POST", upload_length="0"), None)), 0, whole=True).state.complete

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"upload_length": "x"},
            {"upload_length": "-1"},
            {"upload_length": ""},
            {"upload_defer_length": "0"},
            {"upload_defer_length": "2"},
            {"upload_defer_length": "1", "upload_length": "5"},
            {"upload_length": "5", "upload_metadata": "a YQ==,a YQ=="},
            {"upload_length": "5", "upload_metadata": "a b c"},
            {"upload_length": "5", "upload_concat": "half"},
            {"upload_length": "5", "upload_concat": ""},
        ],
    )
    def test_a_malformed_one(self, fields: dict[str, str]) -> None:
        assert status(judge(act_of("POST", **fields), None)) == 400

    def test_one_that_is_too_large(self) -> None:
        assert status(judge(act_of("POST", upload_length="11"), None, 10)) == 413
        assert isinstance(judge(act_of("POST", upload_length="10"), None, 10), Accepted)

    def test_with_upload(self) -> None:
        act = act_of("POST", upload_length="10", content_type=OFFSET_TYPE, content_length="4")
        outcome = settle(accepted(judge(act, None)), 4, whole=True)
        assert outcome.state.offset == 4
        assert fields_of(answers.created("/files/a", outcome.state))["upload-offset"] == "4"

    def test_a_body_of_another_type_is_no_content(self) -> None:
        for framing in ({"content_length": "4"}, {"transfer_encoding": "chunked"}):
            act = act_of("POST", upload_length="10", content_type="image/png", **framing)
            assert status(judge(act, None)) == 415
        assert isinstance(judge(act_of("POST", upload_length="10", content_type="image/png"), None), Accepted)


class TestDeferredLength:
    def test_it_is_set_once(self) -> None:
        state = settle(accepted(judge(act_of("POST", upload_defer_length="1"), None, 20)), 0, whole=True).state
        told = fields_of(answers.told(state))
        assert told["upload-defer-length"] == "1"
        assert "upload-length" not in told
        state = settle(accepted(judge(patch(0, 4), state, 20)), 4, whole=True).state
        state = settle(accepted(judge(patch(4, 4, upload_length="10"), state, 20)), 4, whole=True).state
        assert state == State(offset=8, length=10)
        assert "upload-defer-length" not in fields_of(answers.told(state))
        assert status(judge(patch(8, 1, upload_length="11"), state, 20)) == 400
        assert isinstance(judge(patch(8, 1, upload_length="10"), state, 20), Accepted)

    def test_it_has_bounds(self) -> None:
        assert status(judge(patch(4, 0, upload_length="3"), State(offset=4))) == 400
        assert status(judge(patch(4, 0, upload_length="11"), State(offset=4), 10)) == 413
        assert status(judge(patch(4, 7), State(offset=4), 10)) == 413
        outcome = settle(accepted(judge(patch(4, None), State(offset=4), 10)), 7, whole=False)
        assert (outcome.state.offset, outcome.state.gone) == (10, True)


class TestExpiration:
    def test_an_unfinished_upload_says_when(self) -> None:
        date = "Thu, 01 Jan 1970 00:01:40 GMT"
        state = State(offset=1, length=2, expires=100)
        for answer in (answers.created("/a", state), answers.appended(state), answers.told(state)):
            assert fields_of(answer)["upload-expires"] == date
        refused = answers.refused(refusals.mismatching_offset(1, 2), state)
        assert fields_of(refused)["upload-expires"] == date

    def test_a_complete_one_does_not_expire(self) -> None:
        assert "upload-expires" not in fields_of(answers.appended(State(offset=2, length=2, expires=100)))


class TestChecksum:
    @pytest.mark.parametrize("algorithm", CHECKSUMS)
    def test_it_comes_with_a_body(self, algorithm: str) -> None:
        value = digest_of(algorithm, b"hello world")
        act = patch(0, 11, upload_checksum=f"{algorithm} {b64encode(value).decode()}")
        assert act.checksum == (algorithm, value)
        verdict = accepted(judge(act, State(length=20)))
        assert settle(verdict, 5, whole=False).state.offset == 0
        assert settle(verdict, 11, whole=True).state.offset == 11

    def test_it_comes_with_a_creation(self) -> None:
        checksum = f"sha1 {b64encode(bytes(20)).decode()}"
        act = act_of("POST", upload_length="9", content_type=OFFSET_TYPE, upload_checksum=checksum)
        assert act.checksum == ("sha1", bytes(20))

    @pytest.mark.parametrize("value", ["md5 AAAA", "SHA1 AAAA", "sha1", "sha1 AAAA", "sha1 *", "", " ", "crc32 AAAAAA"])
    def test_what_is_not_spoken(self, value: str) -> None:
        assert status(judge(patch(0, 1, upload_checksum=value), State(length=9))) == 400

    def test_a_mismatch(self) -> None:
        assert status(refusals.checksum_mismatch()) == 460


class TestTermination:
    def test_delete(self) -> None:
        assert isinstance(judge(act_of("DELETE"), State(offset=1, length=1)), Granted)
        assert answers.terminated().status == 204
        assert status(judge(act_of("DELETE"), State(gone=True))) == 410
        assert status(judge(act_of("DELETE"), None)) == 404


class TestConcatenation:
    FINAL: Final = "final;/files/a https://h/files/b"

    def partial(self, offset: int, length: int | None) -> State:
        return State(offset=offset, length=length, concat="partial")

    def test_a_partial_upload_says_so(self) -> None:
        state = settle(accepted(judge(act_of("POST", upload_length="5", upload_concat="partial"), None)), 0, whole=True)
        assert fields_of(answers.told(state.state))["upload-concat"] == "partial"

    def test_a_final_one(self) -> None:
        act = act_of("POST", upload_concat=self.FINAL, upload_metadata="a YQ==")
        assert act.parts == ("/files/a", "https://h/files/b")
        assert isinstance(judge(act, None), Joining)
        state = join(act, [self.partial(5, 5), self.partial(6, 6)])
        assert isinstance(state, State)
        assert state.complete
        assert fields_of(answers.told(state)) == {
            "tus-resumable": "1.0.0", "cache-control": "no-store", "upload-offset": "11", "upload-length": "11",
            "upload-metadata": "a YQ==", "upload-concat": self.FINAL,
        }  # fmt: skip
        assert status(judge(patch(11, 0), state)) == 403

    @pytest.mark.parametrize(("length", "known"), [(6, "11"), (None, None)])
    def test_an_unfinished_one(self, length: int | None, known: str | None) -> None:
        state = join(act_of("POST", upload_concat=self.FINAL), [self.partial(5, 5), self.partial(3, length)])
        assert isinstance(state, State)
        assert not state.complete
        told = fields_of(answers.told(state))
        assert "upload-offset" not in told
        assert told.get("upload-length") == known
        assert "upload-defer-length" not in told
        assert "upload-offset" not in fields_of(answers.created("/files/ab", state))
        assert status(judge(patch(0, 0), state)) == 403

    def test_a_part_may_come_again(self) -> None:
        part = self.partial(5, 5)
        state = join(act_of("POST", upload_concat="final;/a /a"), [part, part])
        assert isinstance(state, State)
        assert state.length == 10

    def test_what_cannot_be_joined(self) -> None:
        act, part = act_of("POST", upload_concat=self.FINAL), self.partial(5, 5)
        assert status(join(act, [part, None])) == 404
        assert status(join(act, [part, State(gone=True, concat="partial")])) == 410
        assert status(join(act, [part, State(offset=5, length=5)])) == 400
        assert status(join(act, [part, part], 9)) == 413

    def test_a_malformed_one(self) -> None:
        for concat in (
            "final",
            "final;",
            "final; ",
            "Final;/a",
            "final;/a\x01",
            "final;/ä",
            "final;" + "/a " * (MOST_PARTS + 1),
        ):
            assert status(judge(act_of("POST", upload_concat=concat), None)) == 400
        assert status(judge(act_of("POST", upload_concat=self.FINAL, upload_length="11"), None)) == 400
        assert status(judge(act_of("POST", upload_concat=self.FINAL, content_length="1"), None)) == 403


def test_every_field_of_an_answer_is_exposed() -> None:
    shown = {name.lower() for name in answers.EXPOSED} | {"content-length", "content-type", "cache-control"}
    state = State(offset=1, length=2, concat="partial", metadata_text="a", expires=5)
    answered = (
        answers.created("/a", state), answers.appended(state), answers.told(state), answers.told(State()),
        answers.terminated(), answers.options(5), answers.refused(refusals.other_version(), state),
    )  # fmt: skip
    for answer in answered:
        check_sendable(answer)
        assert set(fields_of(answer)) <= shown


def test_a_location_that_cannot_be_a_field() -> None:
    with pytest.raises(ArgumentInvalid):
        answers.created("/a\r\nx: y", State())


NAMES = st.sampled_from(
    ["tus-resumable", "upload-length", "upload-offset", "upload-metadata", "upload-checksum", "upload-concat",
     "upload-defer-length", "content-length", "content-type", "transfer-encoding", "x-http-method-override"]
)  # fmt: skip
STATES = st.none() | st.builds(
    State,
    offset=st.integers(0, 99),
    length=st.none() | st.integers(0, 99),
    concat=st.sampled_from(["", "partial", "final;/a"]),
    gone=st.booleans(),
)


@given(METHODS, st.lists(st.tuples(NAMES, VALUES), max_size=8), STATES, st.integers(0, 30))
def test_a_hostile_head_is_refused_and_never_raises(
    method: str, fields: list[tuple[str, str]], state: State | None, received: int
) -> None:
    sound = [("tus-resumable", "1.0.0"), ("content-type", OFFSET_TYPE)]
    for more in ([], sound):
        headers = Headers([(name.encode(), value.encode("latin-1")) for name, value in [*more, *fields]])
        act = parse(method, headers)
        if act is None:
            continue
        verdict = judge(act, state, 20)
        if isinstance(verdict, Refusal):
            status(verdict)
        elif isinstance(verdict, Accepted):
            after = settle(verdict, received, whole=True).state
            assert after.offset >= verdict.start
            check_sendable(answers.told(after))
        elif isinstance(verdict, Joining):
            joined = join(act, [state] * len(act.parts))
            if isinstance(joined, State):
                check_sendable(answers.told(joined))


@given(
    st.none() | st.integers(0, 20),
    st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans(), st.booleans(), st.integers(-1, 22))),
)
def test_the_offset_never_decreases_nor_passes_a_bound(
    length: int | None, bodies: list[tuple[int, bool, bool, bool, int]]
) -> None:
    state = State(length=length)
    for size, sized, whole, checked, declared in bodies:
        more = {"upload_length": str(declared)} if declared >= 0 else {}
        if checked:
            more["upload_checksum"] = f"crc32 {b64encode(bytes(4)).decode()}"
        verdict = judge(patch(state.offset, size if sized else None, **more), state, 20)
        if isinstance(verdict, Accepted):
            after = settle(verdict, size, whole=whole).state
            assert state.offset <= after.offset <= (20 if after.length is None else after.length)
            assert state.length in (None, after.length)
            state = after
