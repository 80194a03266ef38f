"""``entrepot put``, ``get`` and ``cp``: whole files and whole trees, in and out."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from entrepot.cli import copies, downloads, uploads
from entrepot.cli.listings import Recursive
from entrepot.cli.opening import Data, File, own_directories, with_core
from entrepot.cli.places import is_remote, parse_remote
from entrepot.cli.words import STDIO, Misused

Below = Annotated[Recursive, Parameter(help="All that is below, with its paths.")]
MediaType = Annotated[
    str | None, Parameter("--media-type", help="Instead of the one that the name suggests.", show_default=False)
]


def put(
    source: Annotated[str, Parameter(help="A local file, a directory with --recursive, - for standard input.")],
    /,
    *more: Annotated[str, Parameter("TARGET", help="More sources, and last bucket, bucket/folder/ or bucket/key.")],
    recursive: Below = False,
    media_type: MediaType = None,
    data: Data = None,
    config: File = None,
) -> int:
    """Store local files. Into a bucket or a folder/ a file goes under its own name.

    With --recursive the files below a directory go below the target under their relative paths.
    """
    if not more:
        raise Misused("say where to: entrepot put FILE bucket/key")
    target = parse_remote(more[-1])
    own = own_directories(data, config)
    work = uploads.plan((source, *more[:-1]), target, own, recursive=recursive, media_type=media_type)
    return with_core(data, config, work, content=True)


def get(
    source: Annotated[str, Parameter(help="bucket/key, or with --recursive bucket or bucket/folder.")],
    target: Annotated[str, Parameter(help="A local file or directory, - for standard output.")] = ".",
    /,
    *,
    recursive: Below = False,
    data: Data = None,
    config: File = None,
) -> int:
    """Fetch objects. A file appears under its name when it is whole."""
    work = downloads.plan(parse_remote(source), target, own_directories(data, config), recursive=recursive)
    return with_core(data, config, work, content=True)


def cp(
    source: Annotated[str, Parameter(help="A local path or -, or ep:bucket/key.")],
    target: Annotated[str, Parameter(help="The same; one of both is in the store.")],
    /,
    *,
    recursive: Below = False,
    media_type: MediaType = None,
    data: Data = None,
    config: File = None,
) -> int:
    """Copy files and objects. What is in the store is written ep:bucket/key, all else is local.

    From store to store no bytes are copied: the new name is one more name of the same bytes.
    """
    own = own_directories(data, config)
    if is_remote(source) and is_remote(target):
        work = copies.plan(parse_remote(source), parse_remote(target), recursive=recursive)
    elif is_remote(source):
        work = downloads.plan(parse_remote(source), target, own, recursive=recursive)
    elif is_remote(target):
        work = uploads.plan((source,), parse_remote(target), own, recursive=recursive, media_type=media_type)
    else:
        example = "bucket/key" if target == STDIO else target
        raise Misused(f"both paths are local; one in the store is written ep:{example}")
    return with_core(data, config, work, content=True)
