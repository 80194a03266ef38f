"""From local files to objects."""

from __future__ import annotations

import asyncio
import errno
import functools
import mimetypes
import os
import re
import shlex
import stat
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from entrepot.cli.folders import read_file
from entrepot.cli.opening import ROOT
from entrepot.cli.places import Remote
from entrepot.cli.progress import Tally
from entrepot.cli.several import each, in_turn
from entrepot.cli.words import STDIO, Misused, complain
from entrepot.core import Core
from entrepot.core.content import Intake
from entrepot.core.objects import Put
from entrepot.errors import ArgumentInvalid, BodyIncomplete, NameInvalid, TooLarge
from entrepot.model import Meta

LARGEST: Final = 5 * 1024**4
MEDIA_TYPE: Final = re.compile(r"[!-.0-~]+/[ -~]+")
CHECKSUM: Final = "crc64nvme"
"""Kept of every object, as the S3 door does."""

_FILE: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
"""Opening a pipe would wait for its writer. To reading a regular file it makes no difference."""

_NOWHERE: Final = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
"""What following a link ends with that leads to nothing."""

_KINDS: Final = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True, slots=True)
class Sending:
    """One file and where it goes. ``size`` is None for a stream, ``path`` for standard input."""

    path: Path | None
    target: Remote
    size: int | None


def plan(
    paths: Sequence[str], target: Remote, own: frozenset[Path], *, recursive: bool, media_type: str | None
) -> Callable[[Core], Awaitable[int]]:
    """The work of storing local files, but for those below ``own`` directories. Raises Misused, OSError, and
    ArgumentInvalid for what holds no bytes that could be stored, or is all there is and the store's own.
    """
    if media_type is not None and not MEDIA_TYPE.fullmatch(media_type):
        raise Misused(f"{media_type!r} is no media type: write it like text/plain")
    several = len(paths) > 1
    walk = functools.partial(_uploads, target=target, own=own, several=several, recursive=recursive)
    if all(path != STDIO and Path(os.path.realpath(path)) in own for path in paths):
        raise ArgumentInvalid("source", Path(paths[0]), f"{paths[0]} is left out: it is the data of the store itself")
    uploads = [upload for path in paths for upload in walk(path)]
    sizes = [upload.size for upload in uploads if upload.size is not None]

    async def work(core: Core) -> int:
        with Tally(sum(sizes) if len(sizes) == len(uploads) else None) as tally:

            async def store(upload: Sending) -> None:
                await _store(core, upload, media_type, tally)

            await each(in_turn(uploads), store)
        return tally.code

    return work


def _uploads(text: str, *, target: Remote, own: frozenset[Path], several: bool, recursive: bool) -> Iterator[Sending]:
    if text == STDIO:
        if several or target.folder:
            raise Misused("standard input has no name: say bucket/key")
        yield Sending(None, target, None)
        return
    path = Path(text)
    found = path.stat()
    if not stat.S_ISDIR(found.st_mode):
        goal = target.below(path.name) if several else target.named(path.name)
        if not stat.S_ISREG(found.st_mode):
            raise ArgumentInvalid("source", path, _no_file(path, found.st_mode, goal))
        yield Sending(path, goal, found.st_size)
    elif not recursive:
        raise Misused(f"{text} is a directory: add --recursive")
    else:
        below = target.below(path.resolve().name) if several else target
        for file, size in _files(path, own):
            yield Sending(file, below.below(file.relative_to(path).as_posix()), size)


def _no_file(path: Path, mode: int, target: Remote) -> str:
    """What something is that is no regular file, and how its bytes can be stored nevertheless."""
    what = f"{path} is {_KINDS[stat.S_IFMT(mode)]}, not a file"
    if stat.S_ISSOCK(mode):
        return what
    line = f"entrepot put - {shlex.quote(str(target))} < {shlex.quote(str(path))}"
    return f"{what}; {line} stores what comes out of it"


def _open(path: Path) -> IO[bytes]:
    """A regular file, to be read. Raises OSError, too, where something else has taken its name."""
    handle = os.open(path, _FILE)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "is not a file any more, and was not stored")
    return os.fdopen(handle, "rb", buffering=0)


def _files(root: Path, own: frozenset[Path]) -> Iterator[tuple[Path, int]]:
    """Every regular file below a directory, links to files followed and links to directories not."""

    def unreadable(error: OSError) -> None:
        raise error

    for folder, names, files in os.walk(root, onerror=unreadable):
        if Path(folder).resolve() in own:
            complain(f"{folder} is left out: it is the data of the store itself")
            names.clear()
            continue
        names.sort()
        for name in sorted(files):
            path = Path(folder, name)
            try:
                found = path.stat()
            except OSError as error:
                if error.errno not in _NOWHERE:
                    raise
                complain(f"{path} is left out: it leads nowhere")
                continue
            if stat.S_ISREG(found.st_mode):
                yield path, found.st_size
            else:
                complain(f"{path} is left out: it is not a file")


async def _store(core: Core, upload: Sending, media_type: str | None, tally: Tally) -> None:
    """Store one file; what is wrong with it alone is told and counted."""
    target = upload.target
    source = "standard input" if upload.path is None else str(upload.path)
    try:
        kind = guess_type(target.key) if media_type is None else media_type
        put = Put(Meta(kind), Intake(upload.size, LARGEST, ("md5", CHECKSUM)), (CHECKSUM,))
        if upload.path is None:
            version = await core.objects.put(ROOT, target.bucket, target.key, _counted(sys.stdin.buffer, tally), put)
        else:
            with await asyncio.to_thread(_open, upload.path) as file:
                version = await core.objects.put(ROOT, target.bucket, target.key, _counted(file, tally), put)
    except BodyIncomplete:
        tally.failed(f"{source} changed while it was read, and was not stored")
    except NameInvalid as error:
        tally.failed(f"{source}: {error.hint}; rename it, or name its key: entrepot put FILE bucket/key")
    except TooLarge as error:
        tally.failed(f"{source}: {error}")
    except OSError as error:
        tally.failed(f"{source}: {error.strerror or error}")
    else:
        tally.done(source, target, version.size)


async def _counted(file: IO[bytes], tally: Tally) -> AsyncIterator[bytes]:
    async for data in read_file(file):
        yield data
        tally.moved(len(data))


def guess_type(name: str) -> str:
    """The media type that a name suggests; of what is compressed, that of the compression.

    >>> guess_type("a/photo.jpg"), guess_type("backup.tar.gz"), guess_type("README")
    ('image/jpeg', 'application/gzip', '')
    """
    kind, encoding = mimetypes.guess_type(name.rpartition("/")[2])
    if encoding is not None:
        return "application/gzip" if encoding == "gzip" else f"application/x-{encoding}"
    return kind or ""
