"""The life of an upload, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entrepot.catalog.operations.stages import TABLE, Act, advance
from entrepot.errors import Conflict, UploadMissing
from entrepot.model import Meta, Stage, Upload

UPLOAD = Upload(1, "id", 1, "key", "owner", 0, Meta())
ENDED = {Stage.ACCEPTED, Stage.REJECTED, Stage.ABORTED, Stage.EXPIRED, Stage.FAILED}


def test_every_stage_is_reached_and_the_last_ones_are_left_by_nothing() -> None:
    assert set(TABLE) == set(Stage)
    assert {stage for stage in Stage if not TABLE[stage]} == ENDED
    reached = {stage for acts in TABLE.values() for stage in acts.values()}
    assert reached == set(Stage) - {Stage.OPEN}


def test_what_a_door_without_a_verdict_does() -> None:
    assert advance(UPLOAD, Act.RECEIVE, Act.RECEIVE, Act.FINISH, Act.ACCEPT) is Stage.ACCEPTED
    assert advance(UPLOAD, Act.FINISH, Act.REJECT) is Stage.REJECTED


@pytest.mark.parametrize("stage", sorted(ENDED))
@pytest.mark.parametrize("act", Act)
def test_what_has_ended_is_not_there(stage: Stage, act: Act) -> None:
    with pytest.raises(UploadMissing):
        advance(replace(UPLOAD, stage=stage), act)


@pytest.mark.parametrize(("stage", "act"), [(Stage.FINISHED, Act.RECEIVE), (Stage.OPEN, Act.ACCEPT)])
def test_what_is_not_its_turn(stage: Stage, act: Act) -> None:
    with pytest.raises(Conflict):
        advance(replace(UPLOAD, stage=stage), act)
