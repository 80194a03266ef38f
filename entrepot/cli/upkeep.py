"""``entrepot check`` and ``entrepot collect``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter

from entrepot.cli.opening import Data, File, settings, with_core
from entrepot.cli.progress import watching
from entrepot.cli.words import Misused, complain, say, size_text
from entrepot.core import Core
from entrepot.core.upkeep import Collected

AT_ONCE: Final = "collect --grace 0 removes them now, and transfers under way may break off"

LONGEST: Final = 10_000_000_000
"""Seconds: three centuries, which count in microseconds is still a number of the catalog."""


def check(
    *,
    deep: Annotated[
        bool, Parameter(help="Read every byte that is stored and verify it.", negative="", show_default=False)
    ] = False,
    data: Data = None,
    config: File = None,
) -> int:
    """Compare the catalog with itself and with the stores, and tell what does not agree.

    Blobs that the catalog does not know are told, too; they harm nobody. The exit code is 1 when
    anything else is found. What --deep finds damaged is taken out of service.
    """

    async def work(core: Core) -> int:
        faults = 0
        with watching("checking"):
            async for finding in core.upkeep.check(deep=deep):
                faults += not finding.harmless
                say(f"{finding.kind}: {finding.what}: {finding.hint}")
        if faults:
            complain("catalog and stores do not agree" if faults == 1 else f"{faults} things do not agree")
        else:
            say("catalog and stores agree")
        return 1 if faults else 0

    return with_core(data, config, work, content=True)


def collect(
    *,
    dry_run: Annotated[
        bool, Parameter(help="Only tell what would be removed.", negative="", show_default=False)
    ] = False,
    grace: Annotated[
        float | None,
        Parameter(
            help="Seconds for which nothing may have touched what is removed, instead of grace_seconds. Transfers that "
            "take longer can break off.",
            show_default=False,
        ),
    ] = None,
    orphans: Annotated[
        bool,
        Parameter(
            help="Blobs that the catalog does not know, too; look at them with check before.",
            negative="",
            show_default=False,
        ),
    ] = False,
    expire: Annotated[
        float | None,
        Parameter(help="End uploads to which nothing was added for so many seconds.", show_default=False),
    ] = None,
    data: Data = None,
    config: File = None,
) -> None:
    """Remove bytes that nothing names any more. Nothing else ever removes any."""
    seconds = settings(data, config).config.grace_seconds if grace is None else grace
    if not all(0 <= each <= LONGEST for each in (seconds, expire or 0)):
        raise Misused(f"seconds are counted from 0 to {LONGEST}")

    async def work(core: Core) -> list[Collected]:
        with watching("collecting"):
            done = await core.upkeep.collect(seconds, dry_run=dry_run, orphans=orphans, expire=expire)
            none = seconds and not (done.blobs or done.inline)
            return [done, await core.upkeep.collect(0, dry_run=True)] if none else [done]

    _tell(*with_core(data, config, work, content=True), seconds=seconds)


def _tell(done: Collected, *young: Collected, seconds: float) -> None:
    """What a collection came to, and what it left because of its grace when it found nothing else."""
    for line in report(done):
        say(line)
    for each in young:
        if each.blobs or each.inline:
            size = size_text(each.bytes + each.inline_bytes)
            complain(f"{size} are named by nothing, and that for less than {seconds:g} seconds: {AT_ONCE}")


def report(done: Collected) -> Iterator[str]:
    """What a collection came to, leaving out what it was not asked for or did not meet."""
    verb = "would remove" if done.dry_run else "removed"
    yield f"{verb} {done.blobs} blobs ({size_text(done.bytes)})"
    yield f"{verb} {done.inline} small blobs in the catalog ({size_text(done.inline_bytes)})"
    yield f"{verb} {done.manifests} manifests and {done.uploads_forgotten} finished uploads"
    if not done.dry_run:
        yield f"the disk has {size_text(done.freed)} more room"
        if done.inline or done.spare:
            yield f"the catalog has {size_text(done.spare)} free in its own file, for small objects"
    if done.orphans:
        yield f"{verb} {done.orphans} blobs that the catalog does not know"
    if done.uploads_expired:
        yield f"ended {done.uploads_expired} uploads"
