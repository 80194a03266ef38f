"""``entrepot jobs``: what runs by itself."""

from __future__ import annotations

import datetime
from typing import Annotated, Final

from cyclopts import Parameter

from entrepot.cli.opening import Data, File, settings, with_core
from entrepot.cli.words import check_text, complain, say
from entrepot.config import Config
from entrepot.core import Core
from entrepot.core.jobs import Job

Name = Annotated[str, Parameter(help="The job, as entrepot jobs list shows it.")]

SPANS: Final = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


def list_(*, data: Data = None, config: File = None) -> None:
    """List what runs by itself: how each is, when it began and when it is due (UTC), and what its last round did.

    A server writes its schedules down when it starts.
    """

    async def work(core: Core) -> list[str]:
        return [_line(core, job) for job in await core.jobs.list()]

    lines = with_core(data, config, work)
    for line in lines:
        say(line)
    if not lines:
        complain("no server with schedules has been here yet: there are no jobs")


def show(name: Name, /, *, data: Data = None, config: File = None) -> None:
    """Tell everything of one job."""

    async def work(core: Core) -> list[tuple[str, str]]:
        job = await core.jobs.get(check_text("name", name))
        return [
            ("job", job.name), ("state", state(core, job)), ("every", _every(job)), ("due", _time(job.due)),
            ("began", _time(job.started)), ("ended", _time(job.ended)), ("error", job.error or "none"),
            *((word, str(count)) for word, count in job.done.items()),
            *((f"argument {word}", value) for word, value in job.arguments.items()),
        ]  # fmt: skip

    for word, value in with_core(data, config, work):
        say(f"{word:20}  {value}")


def run(name: Name, /, *, data: Data = None, config: File = None) -> None:
    """Have a job begin now, or go on, in the server. Without a server it begins with the next start of one."""

    async def work(core: Core) -> None:
        await core.jobs.run(check_text("name", name))

    with_core(data, config, work)
    if hindrance := _hindrance(settings(data, config).config):
        complain(f"{hindrance}: {name} begins when a server does its schedules")


def cancel(name: Name, /, *, data: Data = None, config: File = None) -> None:
    """End a round of a job before its end, after the step that it is in. A schedule comes round again."""

    async def work(core: Core) -> bool:
        job = await core.jobs.get(check_text("name", name))
        await core.jobs.cancel(name)
        return job.under_way

    if not with_core(data, config, work):
        complain(f"no round of {name} is under way")


def state(core: Core, job: Job) -> str:
    """One word, and for a round under way how far it has come."""
    if job.under_way and core.jobs.running(job):
        if job.cancelled:
            return "ending"
        return "running" if job.progress is None else f"running {job.progress / 10:.0f}%"
    if job.under_way:
        return "failed" if job.error else "waiting"
    if job.due is not None and job.due <= core.clock():
        return "due"
    return "idle" if job.every is not None or job.ended is None else "done"


def _line(core: Core, job: Job) -> str:
    did = job.error or ", ".join(f"{word} {count}" for word, count in job.done.items())
    times = f"began {_time(job.started):16}  due {_time(job.due):16}"
    return f"{job.name:16}  {state(core, job):12}  {times}  {did}".rstrip()


def _hindrance(config: Config) -> str:
    """Why no server here takes the job at once, as far as can be seen from here."""
    from entrepot.serving import is_served

    if not config.schedules.enabled:
        return "[schedules] has enabled = false"
    if not config.catalog and not is_served(config):
        return f"no entrepot serve runs on {config.data}"
    return ""


def _every(job: Job) -> str:
    if job.every is None:
        return "when asked"
    seconds = job.every // 1_000_000
    size, unit = next((size, unit) for size, unit in SPANS if seconds % size == 0)
    return f"{seconds // size} {unit}{'' if seconds == size else 's'}"


def _time(at: int | None) -> str:
    if at is None:
        return "never"
    return datetime.datetime.fromtimestamp(at // 1_000_000, datetime.UTC).strftime("%Y-%m-%d %H:%M")
