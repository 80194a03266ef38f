"""Operations on jobs: what runs by itself, once or again and again, and how far it has come.

A job is taken for a round, under the lease of its name. A round that was broken off, by a crash or an error,
is gone on with from its cursor by whoever takes the job next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from entrepot.catalog.database import Row, Sql, Transaction, all_, lock, one, run
from entrepot.catalog.operations.leases import LEASE_SPACE, Lease, acquire, fence, release, renew
from entrepot.errors import JobMissing
from entrepot.model import value

_COLUMNS: Final = (
    "j.name, j.kind, j.arguments, j.every, j.due, j.started, j.ended, j.position, j.done, j.progress, j.error, "
    "j.cancelled, l.until"
)
_FROM: Final = f"SELECT {_COLUMNS} FROM jobs j LEFT JOIN leases l ON l.name = 'job/' || j.name"
_LIST: Final = Sql(f"{_FROM} ORDER BY j.name")
_FIND: Final = Sql(f"{_FROM} WHERE j.name = :name")
_ADD: Final = Sql(
    "INSERT INTO jobs (name, kind, arguments, every, due, done) VALUES (:name, :kind, :arguments, :every, :due, '{}') "
    "ON CONFLICT (name) DO NOTHING"
)
_PLAN: Final = Sql("UPDATE jobs SET kind = :kind, every = :every, due = :due WHERE name = :name")
_ASK: Final = Sql("UPDATE jobs SET due = :now, cancelled = 0 WHERE name = :name")
_CANCEL: Final = Sql("UPDATE jobs SET cancelled = 1 WHERE name = :name")
_REST: Final = Sql("UPDATE jobs SET due = :due, ended = :now, cancelled = 0, error = NULL WHERE name = :name")
_BEGIN: Final = Sql(
    "UPDATE jobs SET started = :now, ended = NULL, position = NULL, done = '{}', progress = NULL, error = NULL, "
    "cancelled = 0 WHERE name = :name"
)
_ADVANCE: Final = Sql(
    "UPDATE jobs SET position = :position, done = :done, progress = :progress, error = NULL WHERE name = :name"
)
_END: Final = Sql(
    "UPDATE jobs SET position = NULL, done = :done, progress = NULL, error = NULL, ended = :now, due = :due, "
    "cancelled = 0 WHERE name = :name"
)
_FAIL: Final = Sql("UPDATE jobs SET error = :error, due = :due WHERE name = :name")
_FORGET: Final = Sql("DELETE FROM jobs WHERE every IS NULL AND due IS NULL AND ended IS NOT NULL AND ended < :cutoff")

_decode: Final = msgspec.json.Decoder(dict[str, int]).decode
_decode_arguments: Final = msgspec.json.Decoder(dict[str, str]).decode


@value
class Job:
    """A row. Times are None where there was or will be none; ``every`` is in microseconds, None for what runs
    only when asked. ``progress`` is in thousandths. ``held_until`` is the end of the lease, 0 without one.
    """

    name: str
    kind: str
    arguments: Mapping[str, str]
    every: int | None
    due: int | None
    started: int | None
    ended: int | None
    position: bytes | None
    done: Mapping[str, int]
    progress: int | None
    error: str | None
    cancelled: bool
    held_until: int

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended, be it running or broken off."""
        return self.started is not None and self.ended is None


def lease_name(job: str) -> str:
    """What the lease of a job is called."""
    return f"job/{job}"


def list_jobs() -> Transaction[list[Job]]:
    """Every job by name."""
    rows: list[Row] = yield all_(_LIST)
    return [_job_from(row) for row in rows]


def get_job(name: str) -> Transaction[Job]:
    """Raises JobMissing."""
    row: Row | None = yield one(_FIND, name=name)
    if row is None:
        raise JobMissing(name)
    return _job_from(row)


def add_job(name: str, kind: str, arguments: Mapping[str, str], due: int) -> Transaction[bool]:
    """Have something done once; False when there is a job of that name."""
    packed = msgspec.json.encode(dict(arguments)).decode()
    return bool((yield run(_ADD, name=name, kind=kind, arguments=packed, every=None, due=due)))


def plan_job(name: str, every: int | None, now: int) -> Transaction[None]:
    """Have something done every so often; its first round is due one such time from now, as is the next one when
    the time has changed.
    """
    due = None if every is None else now + every
    row: Row | None = yield one(_FIND, name=name)
    if row is None:
        yield run(_ADD, name=name, kind=name, arguments="{}", every=every, due=due)
    elif row[3] != every:
        yield run(_PLAN, name=name, kind=name, every=every, due=due)


def ask_job(name: str, now: int) -> Transaction[None]:
    """Make a job due at once. Raises JobMissing."""
    if not (yield run(_ASK, name=name, now=now)):
        raise JobMissing(name)


def cancel_job(name: str, now: int) -> Transaction[None]:
    """End a round before its end. Whoever runs it hears of that with its next step; what nobody runs is at
    rest at once, and nobody takes it meanwhile. Raises JobMissing.
    """
    yield lock(LEASE_SPACE, lease_name(name).encode())
    job = yield from get_job(name)
    if job.held_until > now:
        yield run(_CANCEL, name=name)
    else:
        yield run(_REST, name=name, now=now, due=_next(job, now))


def take_job(name: str, holder: str, now: int, until: int) -> Transaction[tuple[Lease, Job] | None]:
    """Begin a round of a job that is due, or go on with one; None when it is not, or somebody else has it.
    Raises JobMissing.
    """
    lease = yield from acquire(lease_name(name), holder, now, until)
    if lease is None:
        return None
    job = yield from get_job(name)
    if job.due is None or job.due > now:
        yield from release(lease)
        return None
    if not job.under_way:
        yield run(_BEGIN, name=name, now=now)
        job = yield from get_job(name)
    return lease, job


@value
class Advance:
    """How far a round has come: where to go on, what it has done so far, and in thousandths of the whole."""

    position: bytes | None
    done: Mapping[str, int]
    progress: int | None = None


def advance_job(lease: Lease, name: str, to: Advance, until: int) -> Transaction[bool]:
    """Note a step, and renew the lease; False when the round is to end here. Raises LeaseLost."""
    yield from renew(lease, until)
    packed = msgspec.json.encode(dict(to.done)).decode()
    yield run(_ADVANCE, name=name, position=to.position, done=packed, progress=to.progress)
    job = yield from get_job(name)
    return not job.cancelled


def end_job(lease: Lease, name: str, done: Mapping[str, int], now: int) -> Transaction[None]:
    """A round has come to its end. Raises LeaseLost."""
    yield from fence(lease)
    job = yield from get_job(name)
    packed = msgspec.json.encode(dict(done)).decode()
    yield run(_END, name=name, done=packed, now=now, due=_next(job, now))
    yield from release(lease)


def fail_job(lease: Lease, name: str, error: str, due: int) -> Transaction[None]:
    """A step has failed: the round goes on from its cursor at ``due``. Raises LeaseLost."""
    yield from fence(lease)
    yield run(_FAIL, name=name, error=error, due=due)
    yield from release(lease)


def forget_jobs(cutoff: int) -> Transaction[int]:
    """Forget what was done once and ended before ``cutoff``; how many that were."""
    changed: int = yield run(_FORGET, cutoff=cutoff)
    return changed


def _next(job: Job, now: int) -> int | None:
    return None if job.every is None else max(now, (job.started or now) + job.every)


def _job_from(row: Row) -> Job:
    return Job(
        row[0], row[1], _decode_arguments(row[2]), row[3], row[4], row[5], row[6],
        None if row[7] is None else bytes(row[7]), _decode(row[8]), row[9], row[10], bool(row[11]), row[12] or 0,
    )  # fmt: skip
