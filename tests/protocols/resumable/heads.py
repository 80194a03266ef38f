"""Requests of one dialect, as its clients write them."""

from __future__ import annotations

from entrepot.protocols.resumable.acts import Act, Kind, parse
from entrepot.protocols.resumable.dialects import BARE, DIALECTS, UNNAMED, Dialect
from tests.protocols.heads import head

ALL = [*DIALECTS.values(), UNNAMED]
EVERY = [*ALL, BARE]


def name_of(dialect: Dialect) -> str:
    return dialect.drafts


def said(dialect: Dialect, *, complete: bool) -> dict[str, str]:
    """The version, and the completeness in the words of a dialect."""
    fields = {} if dialect.interop is None else {"upload-draft-interop-version": str(dialect.interop)}
    if dialect is not BARE:
        fields[dialect.completeness] = "?1" if complete is not dialect.inverted else "?0"
    return fields


def creation(dialect: Dialect, *, complete: bool = False, size: int | None = 0, **more: str) -> Act:
    act = parse("POST", head({**said(dialect, complete=complete), **_sized(size), **more}))
    assert act is not None
    assert act.kind is Kind.CREATE
    return act


def append(dialect: Dialect, offset: int, *, complete: bool = False, size: int | None = 0, **more: str) -> Act:
    fields = {**said(dialect, complete=complete), "upload-offset": str(offset), **_sized(size)}
    if dialect.append_type:
        fields["content-type"] = dialect.append_type
    act = parse("PATCH", head({**fields, **more}), bare=dialect is BARE)
    assert act is not None
    assert act.kind is Kind.APPEND
    return act


def act_of(dialect: Dialect, method: str, **more: str) -> Act:
    fields = {} if dialect.interop is None else {"upload-draft-interop-version": str(dialect.interop)}
    act = parse(method, head({**fields, **more}))
    assert act is not None
    return act


def _sized(size: int | None) -> dict[str, str]:
    return {"transfer-encoding": "chunked"} if size is None else {"content-length": str(size)}
