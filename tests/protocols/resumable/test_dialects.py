"""The table of dialects, row by row, as uploads.md §2.7 and the drafts have it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.protocols.resumable import answers, dialects
from entrepot.protocols.resumable.acts import parse
from entrepot.protocols.resumable.dialects import BARE, DIALECTS, UNNAMED, Dialect
from entrepot.protocols.resumable.refusals import Refusal
from entrepot.protocols.resumable.rules import Accepted, Limits, Repeated, State, judge, settle
from tests.protocols.heads import fields_of, head
from tests.protocols.resumable.heads import ALL, EVERY, act_of, append, creation, name_of, said

DONE = State(10, 10, complete=True)


@pytest.mark.parametrize(
    ("interop", "field", "open_value", "media_type", "appended", "gone", "age"),
    [
        (3, "upload-incomplete", "?1", "", 201, 404, "max-age"),
        (4, "upload-complete", "?0", "", 201, 404, "max-age"),
        (5, "upload-complete", "?0", "", 201, 404, "max-age"),
        (6, "upload-complete", "?0", "application/partial-upload", 201, 404, "expires"),
        (7, "upload-complete", "?0", "application/partial-upload", 204, 410, "max-age"),
        (8, "upload-complete", "?0", "application/partial-upload", 204, 410, "max-age"),
        (9, "upload-complete", "?0", "application/partial-upload", 204, 410, "max-age"),
        (10, "upload-complete", "?0", "application/partial-upload", 204, 410, "max-age"),
    ],
)
def test_an_append_that_leaves_more_to_come(
    interop: int, field: str, open_value: str, media_type: str, appended: int, gone: int, age: str
) -> None:
    fields = {"upload-draft-interop-version": str(interop), field: open_value, "upload-offset": "4"}
    act = parse(
        "PATCH", head({**fields, "content-length": "3", **({"content-type": media_type} if media_type else {})})
    )
    assert act is not None
    verdict = judge(act, State(4, 10))
    assert isinstance(verdict, Accepted)
    outcome = settle(verdict, 3, whole=True)
    assert outcome.state == State(7, 10)
    answer = answers.appended(act, outcome.state, Limits(max_age=60))
    assert answer.status == appended
    empty = {"content-length": "0"} if appended == 201 else {}
    assert fields_of(answer) == {
        **empty, "upload-offset": "7", field: open_value, "upload-length": "10", "upload-limit": f"{age}=60",
        "cache-control": "no-store", "upload-draft-interop-version": str(interop),
    }  # fmt: skip
    refusal = judge(act, State(gone=True))
    assert isinstance(refusal, Refusal)
    assert refusal.status == gone


@pytest.mark.parametrize("dialect", EVERY, ids=name_of)
def test_appends_need_their_media_type_from_draft_04_on(dialect: Dialect) -> None:
    plain = {**said(dialect, complete=True), "upload-offset": "0", "content-type": "image/png"}
    act = parse("PATCH", head(plain), bare=dialect is BARE)
    assert act is not None
    if not dialect.append_type:
        assert act.refusal is None
        return
    assert act.refusal is not None
    answer = answers.refused(act, act.refusal)
    assert answer.status == 415
    assert fields_of(answer)["accept-patch"] == "application/partial-upload"
    cased = parse("PATCH", head({**plain, "content-type": "Application/Partial-Upload; x=1"}))
    assert cased is not None
    assert cased.refusal is None


@pytest.mark.parametrize(
    ("dialect", "empty", "more"),
    [
        (DIALECTS[3], "again", "400"),
        (DIALECTS[4], "again", "400"),
        (DIALECTS[5], "again", "400"),
        (DIALECTS[6], "400 completed-upload", "400 completed-upload"),
        (DIALECTS[7], "400 completed-upload", "400 completed-upload"),
        (DIALECTS[8], "400 completed-upload", "400 inconsistent-upload-length"),
        (DIALECTS[9], "again", "400 inconsistent-upload-length"),
        (DIALECTS[10], "again", "400 inconsistent-upload-length"),
        (UNNAMED, "again", "400 inconsistent-upload-length"),
    ],
    ids=lambda value: value.drafts if isinstance(value, Dialect) else value,
)
def test_an_append_to_a_complete_upload(dialect: Dialect, empty: str, more: str) -> None:
    def told(size: int) -> str:
        verdict = judge(append(dialect, 10, complete=True, size=size), DONE)
        if isinstance(verdict, Repeated):
            return "again"
        assert isinstance(verdict, Refusal)
        known = verdict.problem in dialect.problems
        return f"{verdict.status} {verdict.problem}" if known else str(verdict.status)

    assert (told(0), told(1)) == (empty, more)


def test_a_late_append_at_another_offset_is_told_the_right_one() -> None:
    verdict = judge(append(DIALECTS[9], 3, complete=True, size=7), DONE)
    assert isinstance(verdict, Refusal)
    assert verdict.status == 409
    assert verdict.members == {"expected-offset": 10, "provided-offset": 3}


def test_a_late_append_that_does_not_complete_or_has_another_length_is_not_repeated() -> None:
    assert isinstance(judge(append(DIALECTS[9], 10), DONE), Refusal)
    assert isinstance(judge(append(DIALECTS[9], 10, complete=True, upload_length="11"), DONE), Refusal)
    assert isinstance(judge(append(DIALECTS[9], 10, complete=True, upload_length="10"), DONE), Repeated)


def test_a_request_without_framing_has_no_body() -> None:
    fields = {**said(UNNAMED, complete=True), "upload-offset": "10", "content-type": "application/partial-upload"}
    act = parse("PATCH", head(fields))
    assert act is not None
    assert isinstance(judge(act, DONE), Repeated)


@pytest.mark.parametrize("method", ["HEAD", "DELETE"])
@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_strictness_of_head_and_delete(dialect: Dialect, method: str) -> None:
    strict = dialect.interop is not None and dialect.interop <= 6
    for name in ("upload-offset", dialect.completeness):
        refusal = act_of(dialect, method, **{name: "anything"}).refusal
        assert (refusal is not None) is strict
        assert refusal is None or refusal.status == 400
    measured = act_of(dialect, method, upload_length="1").refusal
    assert (measured is not None) is (dialect.interop == 6 and method == "HEAD")


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_unknown_is_404_and_state_and_cancellation_are_204(dialect: Dialect) -> None:
    for method in ("HEAD", "DELETE"):
        act = act_of(dialect, method)
        verdict = judge(act, None)
        assert isinstance(verdict, Refusal)
        assert verdict.status == 404
    assert answers.told(act_of(dialect, "HEAD"), DONE).status == 204
    assert answers.cancelled(act_of(dialect, "DELETE")).status == 204


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_get_is_head_from_draft_12_on_for_those_who_say_so(dialect: Dialect) -> None:
    fields = {} if dialect.interop is None else {"upload-draft-interop-version": str(dialect.interop)}
    known = parse("GET", head(fields)) is not None
    assert known is (dialect.interop is not None and dialect.interop >= 9)


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_accept_patch(dialect: Dialect) -> None:
    fields = fields_of(answers.options(act_of(dialect, "OPTIONS")))
    assert ("accept-patch" in fields) is (dialect.interop in (8, None))


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_completeness_that_an_append_does_not_say(dialect: Dialect) -> None:
    fields = {"upload-offset": "0", "content-type": dialect.append_type}
    if dialect.interop is not None:
        fields["upload-draft-interop-version"] = str(dialect.interop)
    act = parse("PATCH", head(fields))
    assert act is not None
    if dialect.interop is None or dialect.interop >= 7:
        assert act.refusal is not None
        assert act.refusal.status == 400
    else:
        assert act.refusal is None
        assert act.complete is (dialect.interop == 3)


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_interim_answers_go_to_those_who_name_a_version(dialect: Dialect) -> None:
    act = creation(dialect, size=10)
    announcement = answers.announcement(act, "/uploads/a", Limits(max_size=99))
    if dialect.interop is None:
        assert announcement is None
        assert answers.progress(act, 5) is None
        return
    assert announcement == [
        (b"location", b"/uploads/a"),
        (b"upload-limit", b"max-size=99"),
        (b"upload-draft-interop-version", b"%d" % dialect.interop),
    ]
    told = answers.progress(act, 5)
    if dialect.interop < 5:
        assert told is None
    else:
        assert told == [(b"upload-offset", b"5"), (b"upload-draft-interop-version", b"%d" % dialect.interop)]


@pytest.mark.parametrize("version", ["2", "11", "99", "7.0", "?1", '"7"', "7, 8", "-7", "x"])
def test_a_version_that_is_not_spoken_is_none(version: str) -> None:
    act = parse("POST", head({"upload-draft-interop-version": version, "upload-complete": "?1"}))
    assert act is not None
    assert act.dialect is UNNAMED
    assert answers.announcement(act, "/a") is None
    assert "upload-draft-interop-version" not in fields_of(answers.created(act, "/a", State()))


@pytest.mark.parametrize("dialect", ALL, ids=name_of)
def test_an_empty_upload_ends_with_its_creation_where_clients_never_complete_it(dialect: Dialect) -> None:
    verdict = judge(creation(dialect, upload_length="0"), None)
    assert isinstance(verdict, Accepted)
    assert settle(verdict, 0, whole=True).state.complete is (dialect.interop in (5, 6))


def test_a_new_draft_is_a_new_row(monkeypatch: pytest.MonkeyPatch) -> None:
    row = replace(DIALECTS[10], interop=11, drafts="-16", age="ttl", appended=200)
    monkeypatch.setattr("entrepot.protocols.resumable.acts.DIALECTS", {**DIALECTS, 11: row})
    act = append(row, 0, size=1)
    assert act.dialect is row
    answer = answers.appended(act, State(1), Limits(max_age=5))
    assert answer.status == 200
    assert fields_of(answer)["upload-limit"] == "ttl=5"
    assert answers.progress(act, 1) is not None


def test_rows_are_found_by_their_version() -> None:
    assert {number: row.interop for number, row in DIALECTS.items()} == {n: n for n in (3, 4, 5, 6, 7, 8, 9, 10)}
    assert {row.append_type for row in EVERY} == {"", dialects.PARTIAL_UPLOAD}


def test_a_bare_append_is_the_rest_of_the_upload() -> None:
    act = parse("PATCH", head({"content-type": "image/png", "content-length": "5"}), bare=True)
    assert act is not None
    verdict = judge(act, State())
    assert isinstance(verdict, Accepted)
    assert settle(verdict, 3, whole=False).state == State(3, 5)
    again = parse("PATCH", head({"upload-offset": "3", "content-length": "2"}), bare=True)
    assert again is not None
    verdict = judge(again, State(3, 5))
    assert isinstance(verdict, Accepted)
    assert settle(verdict, 2, whole=True).state == State(5, 5, complete=True)
    assert isinstance(judge(act, State(3, 5)), Refusal)


@pytest.mark.parametrize(
    "fields",
    [
        {"upload-complete": "?1"},
        {"content-type": "application/partial-upload"},
        {"upload-draft-interop-version": "8"},
    ],
)
def test_what_has_a_field_of_the_draft_is_not_bare(fields: dict[str, str]) -> None:
    act = parse("PATCH", head(fields), bare=True)
    assert act is not None
    assert act.dialect is not BARE
    assert act.refusal is not None
