"""The one place that wires: configuration → catalog and stores → core → doors → application."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
import pkgutil
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from entrepot import doors
from entrepot.asgi import Application, bounded
from entrepot.blobs.disk import DiskStore
from entrepot.blobs.memory import MemoryStore
from entrepot.blobs.shelves import INCOMING, is_store
from entrepot.blobs.store import BlobStore
from entrepot.catalog.database import Database
from entrepot.catalog.operations.blobs import has_placements
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.config import Config, parse_settings, unknown
from entrepot.core import Core
from entrepot.core.buckets import Buckets
from entrepot.core.budget import Budget
from entrepot.core.content import Content
from entrepot.core.health import Health
from entrepot.core.inline import InlineStore
from entrepot.core.keys import Keys, Sealer
from entrepot.core.objects import Objects
from entrepot.core.upkeep import Upkeep
from entrepot.core.uploads import Uploads
from entrepot.doors import monitor
from entrepot.errors import ConfigInvalid, Unavailable
from entrepot.observe import Observer, scrape
from entrepot.ownership import make_directory, make_file
from entrepot.wire.http import Handler, Request, Response

ALWAYS_OPEN: Final = frozenset({"monitor"})
"""Doors that every server has; their settings are the server's own."""


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


@contextlib.asynccontextmanager
async def open_core(config: Config, *, lasting: bool = False) -> AsyncIterator[Core]:
    """Catalog, stores and services of one process, for as long as the context lasts; a server's is ``lasting``."""
    async with contextlib.AsyncExitStack() as stack:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = await open_catalog(config, lasting=lasting)
        stack.push_async_callback(database.close)
        await check_mounted(config, database)
        stores = open_stores(config, database, stack)
        spool = config.data / "spool"
        with contextlib.suppress(FileExistsError):
            make_directory(spool)
        content = Content(
            database, stores, Budget(config.memory_budget, spool), now,
            blob_size=config.blob_size, inline_limit=config.inline_limit,
        )  # fmt: skip
        stack.callback(content.close)
        yield assemble(config, database, stores, content)


async def open_catalog(config: Config, *, lasting: bool) -> Database:
    """SQLite beside the data, or PostgreSQL when its address is set."""
    if config.catalog:
        from entrepot.catalog.postgres.engine import PostgreSQL  # noqa: PLC0415 - its driver only where it is used

        return await PostgreSQL.open(config.catalog)
    path = config.data / "catalog.sqlite"
    # It holds small content, and the directory may be one that everybody reads. SQLite gives its other files the same
    # mode. What is there is not opened: closing it would drop the locks that this process has on it.
    with contextlib.suppress(FileExistsError):
        os.close(make_file(path))
    return await SQLite.open(path, lasting=lasting)


async def check_mounted(config: Config, database: Database) -> None:
    """A directory that is empty because its disk is not mounted must not become a new store: what is put there is
    lost to sight once the disk is back. Raises Unavailable.
    """
    for name, store in config.stores.items():
        path = config.store_path(name)
        if store.kind == "disk" and not is_store(path) and await database.read(has_placements(name)):
            hint = f"mount its disk, or make the directory {path / INCOMING} to begin with an empty store"
            raise Unavailable(f"store {name}: the catalog names blobs in it, and {path} holds none: {hint}")


def open_stores(config: Config, database: Database, stack: contextlib.AsyncExitStack) -> Mapping[str, BlobStore]:
    """Every store of the configuration by name; ``database`` holds the blobs of inline ones, and ``stack`` closes
    what has to be closed.
    """
    stores: dict[str, BlobStore] = {}
    for name, store in config.stores.items():
        if store.kind == "memory":
            stores[name] = MemoryStore(name)
        elif store.kind == "inline":
            stores[name] = InlineStore(database, name)
        else:
            stores[name] = disk = DiskStore(config.store_path(name), name)
            stack.callback(disk.close)
    return stores


def assemble(config: Config, database: Database, stores: Mapping[str, BlobStore], content: Content) -> Core:
    """The services over an open catalog and stores."""
    fixed = {config.access_key: config.secret_key} if config.access_key else {}
    buckets = Buckets(database, frozenset(stores), config.default_store, now)
    objects = Objects(database, content, now)
    return Core(
        buckets, objects, Uploads(database, content, buckets, objects, now),
        Keys(database, Sealer(sealing_path(config), config.sealing_bytes()), now, fixed), Health(database, stores),
        Upkeep(database, stores, now), now,
    )  # fmt: skip


def sealing_path(config: Config) -> Path:
    """The file of the key under which secrets are sealed."""
    return config.data / "secret.key"


def application(config: Config) -> Application:
    """The whole server as an ASGI application, to be run or mounted anywhere."""

    @contextlib.asynccontextmanager
    async def lifetime() -> AsyncIterator[Handler]:
        async with open_core(config, lasting=True) as core:
            await core.keys.check_sealing()
            observer = Observer(bounded(route(core, config), config.limits.header_bytes), config)
            try:
                yield observer
            finally:
                observer.flush()

    return Application(lifetime, stall_seconds=config.limits.stall_seconds)


def route(core: Core, config: Config) -> Handler:
    """The doors behind one port. A signed request is S3's, whatever its path begins with, and so is one to
    the host of a bucket.
    """
    domains = tuple(f".{domain.lower()}".encode() for domain in config.domain)
    by_segment: dict[bytes, Handler] = {}
    fallback: Handler = not_found
    watch = monitor.build(core, monitor.Settings(metrics=config.metrics.enabled, token=config.metrics.token), scrape)
    for segment in monitor.SEGMENTS:
        by_segment[segment.encode()] = watch
    for name, table in config.doors.items():
        door = load_door(name)
        handler: Handler = door.build(core, door_settings(door, name, table, config))
        for segment in door.SEGMENTS:
            by_segment[segment.encode()] = handler
        if not door.SEGMENTS:
            fallback = handler

    def dispatch(request: Request) -> Awaitable[Response]:
        segment = request.path[1:].partition(b"/")[0]
        handler = by_segment.get(segment)
        if handler is None or is_signed(request) or (domains and is_below(request, domains)):
            handler = fallback
        return handler(request)

    return dispatch


def is_signed(request: Request) -> bool:
    """Whether a request carries a signature of S3, in its header or its query."""
    authorization = request.headers.raw_get(b"authorization")
    if authorization is not None and authorization.startswith(b"AWS"):
        return True
    query = request.raw_query.lower()
    return b"x-amz-" in query or b"awsaccesskeyid" in query


def is_below(request: Request, domains: tuple[bytes, ...]) -> bool:
    """Whether the host of a request is a subdomain of one of the domains, which begin with a dot."""
    host = (request.headers.raw_get(b"host") or b"").lower()
    return host.partition(b":")[0].endswith(domains)


async def not_found(request: Request) -> Response:
    """What is answered when no door is open for a path."""
    return Response(404, [(b"content-length", b"0")])


def check_doors(config: Config) -> None:
    """Raise ConfigInvalid for a door that is not there, or a setting that is not its own."""
    for name, table in config.doors.items():
        door_settings(load_door(name), name, table, config)


def load_door(name: str) -> ModuleType:
    """A door is the package of its name. Raises ConfigInvalid for one that is not there."""
    if name in ALWAYS_OPEN or importlib.util.find_spec(f"entrepot.doors.{name}") is None:
        known = ", ".join(_doors())
        raise ConfigInvalid(f"doors.{name}", None, f"there is no door {name} to be set up; there is {known}")
    return importlib.import_module(f"entrepot.doors.{name}")


def _doors() -> list[str]:
    return sorted({module.name for module in pkgutil.iter_modules(doors.__path__)} - ALWAYS_OPEN)


def door_settings(door: ModuleType, name: str, table: Mapping[str, object], config: Config) -> object:
    """A door's own settings, and those of the whole server that it wants to know.

    Raises ConfigInvalid.
    """
    shared = {"region": config.region, "domain": config.domain}
    for key in shared.keys() & table.keys():
        raise ConfigInvalid(f"doors.{name}.{key}", table[key], f"is a setting of the whole server: set {key} itself")
    fields = door.Settings.__dataclass_fields__.keys()
    for key in table.keys() - fields:  # "enabled" is every door's, and was read before
        raise unknown(key, {"enabled", *fields}, f"doors.{name}")
    given = {key: shared[key] for key in shared.keys() & fields}
    return parse_settings(door.Settings, {**given, **table}, f"doors.{name}")
