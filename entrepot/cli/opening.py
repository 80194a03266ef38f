"""Opening the data that a command works on: the two flags that every command has, and the core."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, TypeVar

from cyclopts import Parameter

from entrepot.blobs.kinds import kinds
from entrepot.cli.ending import endable
from entrepot.cli.words import Misused, complain
from entrepot.config import Config, Loaded, Log, load
from entrepot.core import Core
from entrepot.core.keys import ROOT_ACCOUNT
from entrepot.errors import ArgumentInvalid
from entrepot.model import Principal

T = TypeVar("T")

Data = Annotated[Path | None, Parameter("--data", help="Directory of the data.", group="Where", show_default=False)]
File = Annotated[
    Path | None,
    Parameter("--config", help="File of settings, instead of entrepot.toml.", group="Where", show_default=False),
]

ROOT: Final = Principal(ROOT_ACCOUNT, root=True)
"""Whoever may read the data's files may do everything, so a local command acts as the root key does."""


def settings(data: Path | None, file: Path | None, **flags: object) -> Loaded:
    """The settings in force for a command. Raises ConfigInvalid."""
    return load({"data": None if data is None else str(data), **flags}, os.environ, file)


def with_core(
    data: Path | None,
    file: Path | None,
    work: Callable[[Core], Awaitable[T]],
    *,
    fresh: bool = False,
    content: bool = False,
) -> T:
    """Run ``work`` on an open core and return what it returns.

    ``fresh`` says that the data may be made here, which is told then, ``content`` that bytes are read
    or written. Raises ArgumentInvalid where that cannot be, and what ``work`` raises.
    """
    config = settings(data, file).config
    made = fresh and not has_data(config)
    if not fresh:
        check_data(config)
    if content:
        check_stores(config)
    return asyncio.run(endable(_run(config, work, made=made)))


async def _run(config: Config, work: Callable[[Core], Awaitable[T]], *, made: bool) -> T:
    async with opened(config) as core:
        if made:
            await core.keys.prepare()
            complain(f"there was no data in {config.data.absolute()}: it is made now")
        return await work(core)


@contextlib.asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Core]:
    """The core of a process that answers no requests. Raises ArgumentInvalid when a file is in the way of the data."""
    from entrepot.app import open_core

    if config.data.exists() and not config.data.is_dir():
        raise ArgumentInvalid("data", config.data, f"{config.data.absolute()} is not a directory")
    async with open_core(replace(config, log=Log(level="error"))) as core:
        yield core


def has_data(config: Config) -> bool:
    """Whether a catalog has been made already."""
    return bool(config.catalog) or (config.data / "catalog.sqlite").exists()


def check_data(config: Config) -> None:
    """A directory that was misspelt must not become a new, empty store. Raises ArgumentInvalid."""
    if not has_data(config):
        where = config.data.absolute()
        hint = f"there is no data in {where}: name the directory with --data, or start entrepot serve there first"
        raise ArgumentInvalid("data", config.data, hint)


def own_directories(data: Path | None, file: Path | None) -> frozenset[Path]:
    """Where the catalog and the blobs are: neither a source nor a target of what a command moves."""
    config = settings(data, file).config
    return frozenset(path.resolve() for path in (config.data, *config.directories().values()))


def check_outside(target: Path, own: frozenset[Path]) -> None:
    """Raises Misused for a target in one of the store's own directories."""
    if any(target.resolve().is_relative_to(path) for path in own):
        raise Misused(f"{target} lies in the data of the store itself")


def check_stores(config: Config) -> None:
    """What another process keeps in its memory cannot be reached. Raises ArgumentInvalid."""
    for name, store in config.stores.items():
        if not kinds()[store.kind].shared:
            hint = "is in the memory of the server: only the server's clients reach it"
            raise ArgumentInvalid(f"stores.{name}", store.kind, hint)
