"""The life of an upload as a table: what may be done to it in which stage, and what it is then.

    open ──► receiving ──► finished ──► accepted | rejected
      └──────────┴────────────┴──► aborted | expired | failed

A door without a verdict of its own, such as S3, finishes and accepts in one transaction; one that lets somebody
look at what came (an app, a scan) stops between the two. Nothing leads out of the stages on the right.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from entrepot.errors import Conflict, UploadMissing
from entrepot.model import Stage, Upload


class Act(enum.StrEnum):
    """What is done to an upload."""

    RECEIVE = "receive"
    FINISH = "finish"
    ACCEPT = "accept"
    REJECT = "reject"
    ABORT = "abort"
    EXPIRE = "expire"
    FAIL = "fail"


_STOPPED: Final = {Act.ABORT: Stage.ABORTED, Act.EXPIRE: Stage.EXPIRED, Act.FAIL: Stage.FAILED}
_COMING: Final = {Act.RECEIVE: Stage.RECEIVING, Act.FINISH: Stage.FINISHED, **_STOPPED}

TABLE: Final[Mapping[Stage, Mapping[Act, Stage]]] = {
    Stage.OPEN: _COMING,
    Stage.RECEIVING: _COMING,
    Stage.FINISHED: {Act.ACCEPT: Stage.ACCEPTED, Act.REJECT: Stage.REJECTED, **_STOPPED},
    Stage.ACCEPTED: {},
    Stage.REJECTED: {},
    Stage.ABORTED: {},
    Stage.EXPIRED: {},
    Stage.FAILED: {},
}


def advance(upload: Upload, *acts: Act) -> Stage:
    """The stage after ``acts``, one upon the other. Raises UploadMissing where the upload has ended, Conflict where
    it goes on and this is not its turn.
    """
    stage = upload.stage
    for act in acts:
        after = TABLE[stage].get(act)
        if after is None:
            if not TABLE[stage]:
                raise UploadMissing(upload.upload_id)
            raise Conflict(f"upload {upload.upload_id} is {stage}: one cannot {act} it")
        stage = after
    return stage
