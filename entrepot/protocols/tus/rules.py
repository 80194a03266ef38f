"""The rules of state: whether an act may be done to an upload as it is, and what becomes of the upload then.

An offset never decreases, and what would end beyond a length or the largest size ends at it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from entrepot.protocols.tus import refusals
from entrepot.protocols.tus.acts import FINAL, PARTIAL, Act, Checksum, Kind
from entrepot.protocols.tus.refusals import Refusal

MAX_SIZE: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """An upload as the protocol sees it: ``offset`` bytes are durable, of ``length`` in all if that is known.

    ``concat`` and ``metadata_text`` are as its creation gave them. ``expires`` is the second since the epoch at which
    an unfinished upload goes. ``pending``: a final upload waits for its parts; its offset means nothing. ``gone``: it
    has failed, was terminated or expired.
    """

    offset: int = 0
    length: int | None = None
    concat: str = ""
    metadata_text: str = ""
    expires: int | None = None
    pending: bool = False
    gone: bool = False

    @property
    def complete(self) -> bool:
        return not self.gone and not self.pending and self.offset == self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The body is to be taken: at ``start``, and ``room`` bytes of it at most; with a ``checksum`` as a whole or not at
    all. One that brings more is answered by ``beyond``, and the upload has failed. ``before`` is the state with what
    the head added to it.
    """

    start: int
    room: int
    beyond: Refusal
    checksum: Checksum | None
    before: State


@dataclass(frozen=True, slots=True)
class Joining:
    """A final upload is to be made of the uploads at the ``parts`` of the act."""


@dataclass(frozen=True, slots=True)
class Granted:
    """There is no body to take: the state is told, the upload terminated, the capabilities are told."""


Verdict = Accepted | Joining | Granted | Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a body, and what is to be answered if that is a refusal."""

    state: State
    refusal: Refusal | None = None


def judge(act: Act, state: State | None, max_size: int = MAX_SIZE) -> Verdict:
    """What is to be done about an act. ``state`` is None for an upload that does not exist, or not yet."""
    if act.refusal is not None:
        return act.refusal
    if act.kind is Kind.OPTIONS:
        return Granted()
    if act.kind is Kind.CREATE:
        new = State(concat=act.concat, metadata_text=act.metadata_text)
        return Joining() if act.parts else _accept(act, new, max_size)
    if state is None:
        return refusals.unknown()
    if state.gone:
        return refusals.gone()
    if act.kind is not Kind.APPEND:
        return Granted()
    if state.concat.startswith(FINAL):
        return refusals.final()
    if act.offset != state.offset:
        return refusals.mismatching_offset(state.offset, act.offset)
    return _accept(act, state, max_size)


def settle(accepted: Accepted, received: int, *, whole: bool) -> Outcome:
    """What became of an accepted body: ``received`` bytes came, of which the first ``room`` count, and the end of it if
    ``whole``. A checksum that does not match is the caller's to find; then nothing was appended.
    """
    over = received > accepted.room
    kept = 0 if accepted.checksum and (over or not whole) else min(received, accepted.room)
    state = replace(accepted.before, offset=accepted.start + kept)
    return Outcome(replace(state, gone=True), accepted.beyond) if over else Outcome(state)


def join(act: Act, parts: Sequence[State | None], max_size: int = MAX_SIZE) -> State | Refusal:
    """The final upload that is made of partial ones in this order; it is ``pending`` until all of them are complete.
    A part is None where there is none that the client may use.
    """
    if None in parts:
        return refusals.unknown()
    found = [part for part in parts if part is not None]
    if any(part.gone for part in found):
        return refusals.gone()
    if any(part.concat != PARTIAL for part in found):
        return refusals.not_partial()
    lengths = [part.length for part in found if part.length is not None]
    length = sum(lengths) if len(lengths) == len(found) else None
    if max(length or 0, sum(part.offset for part in found)) > max_size:
        return refusals.too_large(max_size)
    complete = all(part.complete for part in found)
    return State(
        offset=length or 0 if complete else 0,
        length=length,
        concat=act.concat,
        metadata_text=act.metadata_text,
        pending=not complete,
    )


def _accept(act: Act, state: State, max_size: int) -> Verdict:
    length = act.length if state.length is None else state.length
    if act.length is not None and (act.length != length or act.length < state.offset):
        return refusals.malformed("Upload-Length", "has been set already, or there is more")
    if length is not None and length > max_size and act.length is not None:
        return refusals.too_large(max_size)
    room = max_size - state.offset if length is None else length - state.offset
    beyond = refusals.too_large(max_size) if length is None else refusals.beyond_length(length)
    if act.kind is Kind.CREATE and not act.carries:
        room, beyond = 0, refusals.foreign_type()
    if act.size is not None and act.size > room:
        return beyond
    return Accepted(
        start=state.offset,
        room=max(0, room),
        beyond=beyond,
        checksum=act.checksum,
        before=replace(state, length=length),
    )
