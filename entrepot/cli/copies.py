"""From objects to objects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from entrepot.cli.listings import below, open_object
from entrepot.cli.opening import ROOT
from entrepot.cli.places import Remote, parse_object
from entrepot.cli.progress import Tally
from entrepot.cli.several import each
from entrepot.cli.words import Misused
from entrepot.core import Core
from entrepot.core.objects import Copy, CopySource
from entrepot.errors import Corrupt, NameInvalid, ObjectMissing
from entrepot.model import Listed


def plan(source: Remote, target: Remote, *, recursive: bool) -> Callable[[Core], Awaitable[int]]:
    """The work of copying objects. Raises Misused."""
    if not recursive:
        parse_object(str(source))
        named = target.named(source.key.rpartition("/")[2])

        async def single(core: Core) -> int:
            await open_object(core, source)
            with Tally(None) as tally:
                await _copy(core, source, named, tally)
            return 0

        return single
    if source.bucket == target.bucket and target.prefix.startswith(source.prefix):
        raise Misused(f"{target} lies in {source}: copies of copies would have no end")

    async def tree(core: Core) -> int:
        with Tally(None) as tally:

            async def copy(item: Listed) -> None:
                path = item.key.removeprefix(source.prefix)
                from_, to = Remote(source.bucket, item.key), Remote(target.bucket, target.prefix + path)
                try:
                    await _copy(core, from_, to, tally)
                except (ObjectMissing, Corrupt, NameInvalid) as error:
                    tally.failed(f"{from_}: {error}")

            await each(below(core, source), copy)
        return tally.code

    return tree


async def _copy(core: Core, source: Remote, target: Remote, tally: Tally) -> None:
    _, version = await core.objects.copy(ROOT, target.bucket, target.key, Copy(CopySource(source.bucket, source.key)))
    tally.moved(version.size)
    tally.done(source, target, version.size)
