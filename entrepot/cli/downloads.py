"""From objects to local files."""

from __future__ import annotations

import asyncio
import errno
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from entrepot.cli.folders import NAME_BYTES, Folder, is_safe
from entrepot.cli.listings import below, open_object, walk
from entrepot.cli.opening import ROOT, check_outside
from entrepot.cli.places import Remote, parse_object
from entrepot.cli.progress import Tally, is_live
from entrepot.cli.several import each
from entrepot.cli.words import STDIO, Misused, advice, printing
from entrepot.core import Core
from entrepot.core.objects import Opened, stream
from entrepot.errors import ArgumentInvalid, BlobMissing, Corrupt, Missing, Unavailable
from entrepot.model import Buffer, Listed

HOPELESS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
"""What is wrong with the disk, not with one file."""


def plan(source: Remote, target: str, own: frozenset[Path], *, recursive: bool) -> Callable[[Core], Awaitable[int]]:
    """The work of fetching objects, not into ``own`` directories. Raises Misused."""
    if target != STDIO:
        check_outside(Path(target), own)
    if recursive:
        if target == STDIO:
            raise Misused("standard output takes one object: leave out --recursive")
        return _Tree(source, Path(target)).fetch
    parse_object(str(source))
    return _Single(source, target).fetch


class _Single:
    """One object into one file, or to standard output."""

    def __init__(self, source: Remote, target: str) -> None:
        self._source = source
        self._path: Path | None = None
        if target != STDIO:
            path = Path(target)
            into = target.endswith("/") or path.is_dir()
            self._path = path / _name(source) if into else path

    async def fetch(self, core: Core) -> int:
        opened = await open_object(core, self._source)
        with Tally(opened.version.size, silent=self._path is None) as tally:
            try:
                await self._move(opened, tally)
            except (BlobMissing, Corrupt, Unavailable) as error:
                tally.failed(f"{self._source}: {advice(error)}")
            else:
                tally.done(self._source, self._path or "-", opened.version.size)
        return tally.code

    async def _move(self, opened: Opened, tally: Tally) -> None:
        if self._path is None:
            with printing():
                async for data in moving(opened, tally):
                    await asyncio.to_thread(sys.stdout.buffer.write, data)
                await asyncio.to_thread(sys.stdout.buffer.flush)
        else:
            with closing(Folder(self._path.parent)) as folder:
                await folder.write([self._path.name], moving(opened, tally), opened.version.created_at)


class _Tree:
    """All objects below a prefix into a directory."""

    def __init__(self, source: Remote, root: Path) -> None:
        self._source = source
        self._root = root

    async def fetch(self, core: Core) -> int:
        bucket, prefix = self._source.bucket, self._source.prefix
        total = None
        if is_live():
            total = sum([item.size async for item in walk(core, bucket, prefix)])
        found = below(core, self._source)
        first = await anext(found, None)
        with closing(Folder(self._root)) as folder, Tally(total) as tally:

            async def fetch(item: Listed) -> None:
                await self._fetch(core, folder, item, tally)

            if first is not None:
                await fetch(first)
            await each(found, fetch)
        return tally.code

    async def _fetch(self, core: Core, folder: Folder, item: Listed, tally: Tally) -> None:
        """Fetch one object; what is wrong with it alone is told and counted."""
        source = Remote(self._source.bucket, item.key)
        path = item.key.removeprefix(self._source.prefix)
        if item.key.endswith("/") and not item.size:
            return  # the mark of a folder, as consoles make them
        if not is_safe(path):
            tally.failed(f"{source}: its key is no safe path here; entrepot export writes it under another")
            return
        try:
            opened = await core.objects.open(ROOT, source.bucket, item.key)
            await folder.write(path.split("/"), moving(opened, tally), opened.version.created_at)
        except (Missing, Corrupt, ArgumentInvalid, Unavailable) as error:
            tally.failed(f"{source}: {advice(error)}")
        except OSError as error:
            if error.errno in HOPELESS:
                raise
            tally.failed(f"{source}: {error.strerror}")
        else:
            tally.done(source, folder.root / path, opened.version.size)


async def moving(opened: Opened, tally: Tally) -> AsyncIterator[Buffer]:
    """The bytes of a version, counted as they pass."""
    async for data in stream(await opened.read()):
        yield data
        tally.moved(len(data))


def _name(source: Remote) -> str:
    name = source.key.rpartition("/")[2]
    if not is_safe(name):
        long = len(name.encode()) > NAME_BYTES
        why = "ends in a name that is too long for a file" if long else "does not end in a file's name"
        raise Misused(f"{source} {why}: say which file to write")
    return name
