"""What the dialects of the draft differ in, as one table of data.

A client names its dialect by Upload-Draft-Interop-Version. A new version of the draft is a new row here: ``replace``
of the newest one with what has changed. Whatever one dialect demands and none forbids is sent in all of them, and has
no column.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Final

PARTIAL_UPLOAD: Final = "application/partial-upload"

MISMATCHING_OFFSET: Final = "mismatching-upload-offset"
COMPLETED_UPLOAD: Final = "completed-upload"
INCONSISTENT_LENGTH: Final = "inconsistent-upload-length"


class Late(Enum):
    """What becomes of an append to an upload that is complete."""

    REPEAT = "an empty one at the end is given the final answer again, another is refused"
    REFUSE = "every one is refused as coming too late"
    REFUSE_MORE = "one with content is refused as inconsistent with the length, an empty one as coming too late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One column of the draft's history. ``interop`` is None for clients that name no version, or none that is known.

    ``completeness`` is the field that says whether an upload is complete, with the opposite meaning if ``inverted``.
    An append has to be of ``append_type``, if there is one. ``unsaid`` is the completeness of an append that says
    none and ``unsaid_offset`` its offset, None where that is refused. ``appended`` is the status for an append that
    does not complete the upload, ``gone`` that of an upload which is no more. ``stray_*`` are the fields that a
    request for the state, or a cancellation, must not have. ``problems`` are the problem types that are registered.
    ``age`` is the key of Upload-Limit for the lifetime. ``progress``: interim answers may tell the offset.
    ``get``: GET asks for the state like HEAD. ``accept_patch``: OPTIONS is told the type of appends. ``empty``:
    clients declare a length of 0 when they create, and never complete it; so creation does.
    """

    interop: int | None
    drafts: str
    completeness: str = "upload-complete"
    inverted: bool = False
    append_type: str = PARTIAL_UPLOAD
    unsaid: bool | None = None
    unsaid_offset: int | None = None
    appended: int = 204
    gone: int = 410
    stray_status: frozenset[bytes] = frozenset()
    stray_cancel: frozenset[bytes] = frozenset()
    late: Late
    problems: frozenset[str]
    age: str = "max-age"
    progress: bool = True
    get: bool = False
    accept_patch: bool = False
    empty: bool = False


_NO_PROBLEMS: Final[frozenset[str]] = frozenset()
_STRAY: Final = frozenset({b"upload-offset", b"upload-complete"})
_STRAY_INVERTED: Final = frozenset({b"upload-offset", b"upload-incomplete"})

_3: Final = Dialect(
    interop=3, drafts="-01", completeness="upload-incomplete", inverted=True, append_type="", unsaid=True,
    appended=201, gone=404, stray_status=_STRAY_INVERTED, stray_cancel=_STRAY_INVERTED, late=Late.REPEAT,
    problems=_NO_PROBLEMS, progress=False,
)  # fmt: skip
_4: Final = replace(
    _3, interop=4, drafts="-02", completeness="upload-complete", inverted=False, unsaid=False,
    stray_status=_STRAY, stray_cancel=_STRAY,
)  # fmt: skip
_5: Final = replace(_4, interop=5, drafts="-03", progress=True, empty=True)
_6: Final = replace(
    _5, interop=6, drafts="-04 -05", append_type=PARTIAL_UPLOAD, stray_status=_STRAY | {b"upload-length"},
    late=Late.REFUSE, problems=frozenset({MISMATCHING_OFFSET, COMPLETED_UPLOAD}), age="expires",
)  # fmt: skip
_7: Final = Dialect(
    interop=7, drafts="-06 -07 -08", late=Late.REFUSE,
    problems=frozenset({MISMATCHING_OFFSET, COMPLETED_UPLOAD, INCONSISTENT_LENGTH}),
)  # fmt: skip
_8: Final = replace(_7, interop=8, drafts="-09 -10 -11", late=Late.REFUSE_MORE, accept_patch=True)
_9: Final = replace(
    _8, interop=9, drafts="-12", late=Late.REPEAT, accept_patch=False, get=True,
    problems=frozenset({MISMATCHING_OFFSET, INCONSISTENT_LENGTH}),
)  # fmt: skip
_10: Final = replace(_9, interop=10, drafts="-13")

DIALECTS: Final[Mapping[int, Dialect]] = {
    row.interop: row for row in (_3, _4, _5, _6, _7, _8, _9, _10) if row.interop is not None
}
"""By the value of Upload-Draft-Interop-Version. The last row is the newest."""

UNNAMED: Final = replace(_10, interop=None, drafts="none named", get=False, accept_patch=True)
"""The newest, for clients that name no version that is known: they are sent no interim answer. A GET of theirs is
nothing of this protocol's.
"""

BARE: Final = replace(UNNAMED, drafts="no field at all", append_type="", unsaid=True, unsaid_offset=0)
"""For a PATCH without any field of the draft, where a door takes such: the bytes up to the end, from an offset that
is 0 if it says none.
"""
