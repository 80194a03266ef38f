"""``entrepot ls`` and ``entrepot rm``."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from typing import Annotated, TypeVar

from cyclopts import Parameter

from entrepot.catalog.operations.listing import Query
from entrepot.cli.opening import ROOT, Data, File, with_core
from entrepot.cli.places import Remote, parse_object, parse_remote
from entrepot.cli.several import each, in_turn
from entrepot.cli.words import Misused, complain, say
from entrepot.core import Core
from entrepot.core.objects import Opened
from entrepot.errors import ObjectMissing
from entrepot.model import Listed

T = TypeVar("T")

Recursive = Annotated[bool, Parameter(("--recursive", "-r"), negative="", show_default=False)]


def ls(
    place: Annotated[str, Parameter(help="bucket or bucket/prefix; without it, the buckets.", show_default=False)] = "",
    /,
    *,
    recursive: Annotated[Recursive, Parameter(help="All keys below, whatever their depth.")] = False,
    data: Data = None,
    config: File = None,
) -> None:
    """List buckets, or what is in one: time (UTC), size in bytes, key. Deeper levels end with a slash."""

    async def work(core: Core) -> None:
        if not place:
            async for bucket in _buckets(core):
                say(bucket)
            return
        remote = parse_remote(place)
        if recursive:
            async for item in some(walk(core, remote.bucket, remote.key), remote):
                say(_line(item))
        else:
            async for line in some(_level(core, remote), remote):
                say(line)

    with_core(data, config, work)


def rm(
    place: Annotated[str, Parameter(help="bucket/key, or with --recursive bucket or bucket/folder.")],
    /,
    *,
    recursive: Annotated[Recursive, Parameter(help="Everything below.")] = False,
    versions: Annotated[
        bool, Parameter(help="Older versions and delete markers too: nothing is kept.", negative="", show_default=False)
    ] = False,
    data: Data = None,
    config: File = None,
) -> None:
    """Delete an object, or with --recursive all objects below a folder.

    A bucket that keeps versions keeps what is deleted; --versions removes that as well. Bytes are
    freed by `entrepot collect`, once nothing names them.
    """
    remote = parse_remote(place) if recursive else parse_object(place)

    async def work(core: Core) -> None:
        async def delete(item: Listed) -> None:
            version = item.version_id if versions else None
            await core.objects.delete(ROOT, remote.bucket, item.key, version)
            say(f"deleted {remote.bucket}/{item.key}" + (f" version {version}" if version else ""))

        if not recursive or versions:
            await _check_there(core, remote, versions=versions, recursive=recursive)
        if versions:
            while found := await _history(core, remote, recursive=recursive):
                await each(in_turn(found), delete)
        elif recursive:
            await each(below(core, remote), delete)
        else:
            await core.objects.delete(ROOT, remote.bucket, remote.key)
            say(f"deleted {remote}")
        if core.health.is_short():
            complain("a disk is nearly full: entrepot collect --grace 0 frees what was deleted at once")

    with_core(data, config, work)


async def _check_there(core: Core, remote: Remote, *, versions: bool, recursive: bool) -> None:
    """Deleting what is not there is no error to the core, but a slip of the hand here. Raises ObjectMissing."""
    if not versions:
        await open_object(core, remote)
    elif not await _history(core, remote, recursive=recursive):
        if recursive and remote.key:
            raise nothing(Remote(remote.bucket, remote.prefix))
        if not recursive:
            raise ObjectMissing(remote)


async def _history(core: Core, remote: Remote, *, recursive: bool) -> list[Listed]:
    """The first thousand versions and markers of an object, or of all below it."""
    if recursive:
        return (await core.objects.list_versions(ROOT, remote.bucket, Query(0, remote.prefix))).items
    page = await core.objects.list_versions(ROOT, remote.bucket, Query(0, remote.key))
    return [item for item in page.items if item.key == remote.key]


async def _buckets(core: Core) -> AsyncIterator[str]:
    after = ""
    while page := await core.buckets.list(ROOT, after=after, limit=1000):
        for bucket in page:
            yield bucket.name
        after = page[-1].name


async def open_object(core: Core, remote: Remote) -> Opened:
    """The current version of an object. Raises ObjectMissing, Misused where a folder has that name, BucketMissing."""
    try:
        return await core.objects.open(ROOT, remote.bucket, remote.key)
    except ObjectMissing as error:
        page = await core.objects.list(ROOT, remote.bucket, Query(0, remote.prefix, limit=1))
        if page.items:
            raise Misused(f"{remote} is no object, but objects are below it: add --recursive") from error
        raise ObjectMissing(remote) from error


async def below(core: Core, remote: Remote) -> AsyncIterator[Listed]:
    """Every current object of a bucket or below a folder, which must not be empty.

    Raises ObjectMissing, Misused for what is an object itself.
    """
    try:
        async for item in some(walk(core, remote.bucket, remote.prefix), Remote(remote.bucket, remote.prefix)):
            yield item
    except ObjectMissing:
        page = await core.objects.list(ROOT, remote.bucket, Query(0, remote.key, limit=1))
        if [item.key for item in page.items] == [remote.key]:
            raise Misused(f"{remote} is an object: leave out --recursive") from None
        raise


async def some(items: AsyncIterator[T], remote: Remote) -> AsyncIterator[T]:
    """Items that begin with what is asked for. Where a name was given, and not just a bucket, that there are
    none is a slip of the hand: raises ObjectMissing.
    """
    found = not remote.key
    async for item in items:
        found = True
        yield item
    if not found:
        raise nothing(remote)


def nothing(remote: Remote) -> ObjectMissing:
    return ObjectMissing(f"{remote}…" if remote.key else remote)


async def walk(core: Core, bucket: str, prefix: str) -> AsyncIterator[Listed]:
    """Every current object whose key begins with ``prefix``, in order of the keys' bytes."""
    query = Query(0, prefix)
    while True:
        page = await core.objects.list(ROOT, bucket, query)
        for item in page.items:
            yield item
        if not page.more:
            return
        query = Query(0, prefix, after=page.last)


async def _level(core: Core, remote: Remote) -> AsyncIterator[str]:
    query = Query(0, remote.key, "/")
    while True:
        page = await core.objects.list(ROOT, remote.bucket, query)
        for prefix in page.prefixes:
            yield f"{'':19}  {'':>12}  {prefix}"
        for item in page.items:
            yield _line(item)
        if not page.more:
            return
        query = Query(0, remote.key, "/", after=page.last)


def _line(item: Listed) -> str:
    moment = datetime.datetime.fromtimestamp(item.created_at // 1_000_000, datetime.UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}  {item.size:>12}  {item.key}"
