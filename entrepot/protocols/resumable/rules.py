"""The rules of state: whether an act may be done to an upload as it is, and what becomes of the upload then.

An offset never decreases (draft §4.1.1), and what would end beyond a length or a limit ends at it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from entrepot.protocols.resumable import refusals
from entrepot.protocols.resumable.acts import Act, Kind
from entrepot.protocols.resumable.dialects import Late
from entrepot.protocols.resumable.fields import MAX_INTEGER
from entrepot.protocols.resumable.refusals import Refusal


@dataclass(frozen=True, slots=True)
class State:
    """An upload as the protocol sees it: so many bytes are durable, of so many in all if that is known. ``gone``: it
    has failed, was cancelled or expired.
    """

    offset: int = 0
    length: int | None = None
    complete: bool = False
    gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of an upload, those of one request, in bytes; ``max_age`` is the seconds that are left."""

    max_size: int | None = None
    min_size: int | None = None
    max_append_size: int | None = None
    min_append_size: int | None = None
    max_age: int | None = None


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The body is to be taken: at ``start``, and ``room`` bytes of it at most. One that brings more is answered by
    ``beyond``, and the upload has failed if ``fails``. ``checked``: there is a digest of the body, so that it is
    appended as a whole or not at all. ``before`` is the state with the length that is known by now.
    """

    start: int
    room: int
    beyond: Refusal
    fails: bool
    completes: bool
    checked: bool
    min_size: int
    before: State


@dataclass(frozen=True, slots=True)
class Repeated:
    """The upload is complete, and its client wants to be told again."""


@dataclass(frozen=True, slots=True)
class Granted:
    """There is no body to take: the state is told, the upload cancelled, the limits are told."""


Verdict = Accepted | Repeated | Granted | Refusal


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state after a body, and what is to be answered if that is a refusal."""

    state: State
    refusal: Refusal | None = None


def judge(act: Act, state: State | None, limits: Limits = NO_LIMITS) -> Verdict:
    """What is to be done about an act. ``state`` is None for an upload that does not exist, or not yet."""
    if act.refusal is not None:
        return act.refusal
    if act.kind is Kind.OPTIONS:
        return Granted()
    if act.kind is Kind.CREATE:
        return _accept(act, State(), limits)
    if state is None:
        return refusals.unknown()
    if state.gone:
        return refusals.gone(act.dialect)
    if act.kind is not Kind.APPEND:
        return Granted()
    if state.complete:
        return _late(act, state)
    if act.offset != state.offset:
        return refusals.mismatching_offset(state.offset, act.offset)
    return _accept(act, state, limits)


def settle(accepted: Accepted, received: int, *, whole: bool) -> Outcome:
    """What became of an accepted body: ``received`` bytes came, of which the first ``room`` count, and the end of it if
    ``whole``. A digest that does not hold is the caller's to find; then nothing was appended.
    """
    over = received > accepted.room
    kept = 0 if accepted.checked and (over or not whole) else min(received, accepted.room)
    state = replace(accepted.before, offset=accepted.start + kept)
    if over:
        return Outcome(replace(state, gone=accepted.fails), accepted.beyond)
    if not whole or not accepted.completes:
        return Outcome(state)
    if state.length is not None and state.offset != state.length:
        detail = f"The upload ends at {state.offset}, its length was said to be {state.length}."
        return Outcome(state, refusals.inconsistent_length(detail))
    if state.offset < accepted.min_size:
        return Outcome(replace(state, gone=True), replace(refusals.too_small(accepted.min_size), final=True))
    return Outcome(replace(state, length=state.offset, complete=True))


def _late(act: Act, state: State) -> Verdict:
    """An append to an upload that is complete."""
    rule = act.dialect.late
    if rule is Late.REFUSE or (rule is Late.REFUSE_MORE and act.empty):
        return refusals.completed()
    if act.offset != state.offset and rule is Late.REPEAT:
        return refusals.mismatching_offset(state.offset, act.offset)
    if rule is Late.REPEAT and act.empty and act.complete and act.length in (None, state.length):
        return Repeated()
    return refusals.inconsistent_length(f"The upload is complete with {state.offset} bytes.")


def _accept(act: Act, state: State, limits: Limits) -> Verdict:
    length = _length(act, state)
    if isinstance(length, Refusal):
        return length
    refusal = _beyond_limits(act, length, limits)
    if refusal is not None:
        return refusal
    room, beyond, fails = min(_rooms(state.offset, length, limits), key=lambda bound: bound[0])
    if act.size is not None and act.size > room:
        return beyond
    return Accepted(
        start=state.offset,
        room=room,
        beyond=beyond,
        fails=fails,
        completes=act.complete or (act.dialect.empty and length == 0),
        checked=bool(act.content_digests),
        min_size=limits.min_size or 0,
        before=replace(state, length=length),
    )


def _length(act: Act, state: State) -> int | Refusal | None:
    """The length that is known by now. All that say one have to say the same (draft §4.1.3)."""
    implied = state.offset + act.size if act.complete and act.size is not None else None
    said = {length for length in (state.length, act.length, implied) if length is not None}
    if len(said) > 1:
        lengths = " and ".join(map(str, sorted(said)))
        return refusals.inconsistent_length(f"The length of the upload was said to be {lengths}.")
    length = next(iter(said), None)
    if length is not None and length < state.offset:
        return refusals.inconsistent_length(f"There are {state.offset} bytes already, more than {length}.")
    return length


def _beyond_limits(act: Act, length: int | None, limits: Limits) -> Refusal | None:
    """What is over or under a limit by what was announced."""
    if length is not None and length > _max_size(limits):
        return refusals.too_large(_max_size(limits))
    if length is not None and length < (limits.min_size or 0):
        return refusals.too_small(limits.min_size or 0)
    if act.size is None or act.complete or (act.kind is Kind.CREATE and act.size == 0):
        return None
    if act.size < (limits.min_append_size or 0):
        return refusals.append_too_small(limits.min_append_size or 0)
    return None


def _rooms(offset: int, length: int | None, limits: Limits) -> list[tuple[int, Refusal, bool]]:
    """How many bytes there is room for by each bound, what is said to more, and whether more is the upload's end."""
    most = _max_size(limits)
    rooms = [(max(0, most - offset), refusals.too_large(most), True)]
    if length is not None:
        detail = f"The length of the upload was said to be {length}, and there is more."
        rooms.insert(0, (length - offset, refusals.inconsistent_length(detail), True))
    if limits.max_append_size is not None:
        rooms.append((limits.max_append_size, refusals.append_too_large(limits.max_append_size), False))
    return rooms


def _max_size(limits: Limits) -> int:
    return MAX_INTEGER if limits.max_size is None else min(limits.max_size, MAX_INTEGER)
