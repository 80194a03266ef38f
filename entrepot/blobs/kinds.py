"""The kinds of stores. A kind is one module of this package with a ``KIND`` in it; nothing else names it.

What stands in ``[stores.<name>]`` are the settings of its kind, the class ``StoreKind.Settings``. From that, from the
name and from what every store may need (:class:`Opening`) the kind opens a store; :func:`stack` puts around it what all
stores have.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrepot import blobs
from entrepot.blobs.store import MAX_BLOB, BlobStore, Keeper
from entrepot.blobs.verified import VerifiedStore
from entrepot.catalog.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """A table ``[stores.<name>]``: one place that keeps blobs. ``Settings`` of a kind derive from it and say what
    ``kind`` is.
    """

    kind: str = "disk"

    @staticmethod
    def variants() -> Mapping[str, type[StoreSettings]]:
        """The class of each ``kind``."""
        return {name: kind.Settings for name, kind in kinds().items()}


@dataclass(frozen=True, slots=True)
class Opening:
    """What a store may need to be opened: its name, the directory that relative paths start at, the catalog,
    whether that has ever heard of a blob in this store, and whether a ``put`` is spared the work where the blob is
    there already.
    """

    name: str
    data: Path
    database: Database
    is_used: Callable[[], Awaitable[bool]]
    spared: bool = True


@dataclass(frozen=True, slots=True)
class StoreKind:
    """One kind of stores. ``open`` gives a store for as long as its context lasts, and raises Unavailable.

    What has to be known before: ``directory``, where on this host it lives, from its settings, its name and the
    directory of all data; ``shared``, whether several processes reach the same blobs; ``max_blob``, the longest
    that it takes; ``silent``, whether it can put without telling by the time that the blob was there.
    """

    Settings: type[StoreSettings]
    open: Callable[[Opening, Any], AbstractAsyncContextManager[Keeper]]
    directory: Callable[[Any, str, Path], Path] | None = None
    shared: bool = True
    max_blob: int = MAX_BLOB
    silent: bool = False


@functools.cache
def kinds() -> Mapping[str, StoreKind]:
    """Every kind by name, in alphabetical order. A module that needs a library of its own imports it when it opens."""
    found: dict[str, StoreKind] = {}
    for module in sorted(module.name for module in pkgutil.iter_modules(blobs.__path__)):
        kind = getattr(importlib.import_module(f"{blobs.__name__}.{module}"), "KIND", None)
        if isinstance(kind, StoreKind):
            found[module] = kind
    return found


def stack(keeper: Keeper) -> BlobStore:
    """A store as the rest of the program has it: with everything around it that every store has, the outermost last."""
    return VerifiedStore(keeper)
