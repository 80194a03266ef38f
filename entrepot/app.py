"""The one place that wires: configuration → catalog and stores → core → doors → application."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import pkgutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Final

from entrepot import doors
from entrepot.asgi import Application, bounded
from entrepot.blobs.kinds import Opening, kinds, stack
from entrepot.blobs.shelves import find_blob
from entrepot.blobs.store import BlobStore
from entrepot.catalog.bell import Bell
from entrepot.catalog.database import Database
from entrepot.catalog.operations.blobs import has_placements
from entrepot.catalog.operations.facts import is_empty, spare_bytes
from entrepot.catalog.sqlite.bell import SocketBell
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.config import Config, Listener, parse_settings, unknown
from entrepot.core import Core
from entrepot.core.buckets import Buckets
from entrepot.core.budget import Budget, Portion
from entrepot.core.collecting import collect
from entrepot.core.content import Content
from entrepot.core.expiry import expire_uploads
from entrepot.core.health import Health
from entrepot.core.jobs import Jobs, Schedule
from entrepot.core.keys import Keys, Sealer
from entrepot.core.objects import Objects
from entrepot.core.outbox import Outbox, trim
from entrepot.core.room import CATALOG, Room
from entrepot.core.runner import Pace, Runner
from entrepot.core.scrub import scrub
from entrepot.core.upkeep import Upkeep
from entrepot.core.uploads import Uploads
from entrepot.doors import Door, monitor
from entrepot.errors import ConfigInvalid, Unavailable
from entrepot.observe import Observer, count_step, scrape
from entrepot.ownership import make_directory, make_file
from entrepot.ports import OpenedDoor, check_claims, share, wording
from entrepot.wire.forwarded import Proxies
from entrepot.wire.http import Handler, Request, Response

SHARED: Final = {
    "region": "region",
    "domain": "domain",
    "metrics_enabled": "metrics.enabled",
    "metrics_token": "metrics.token",
}
"""Fields of a door's settings that have the value of a setting of the whole server, and the name of that one."""

WATCHED: Final = tuple(path.encode() for path in monitor.DOOR.paths)
"""What is answered also when there is no room for anything else."""

HOUR: Final = 3600
DAY: Final = 24 * HOUR


def now() -> int:
    """Microseconds since the epoch."""
    return time.time_ns() // 1000


DOCUMENTS: Final = 8
"""The part of the memory budget that the documents of requests may take: one in so many."""


@contextlib.asynccontextmanager
async def open_core(config: Config, *, lasting: bool = False) -> AsyncIterator[Core]:
    """Catalog, stores and services of one process, for as long as the context lasts; a server's is ``lasting``."""
    async with contextlib.AsyncExitStack() as until:
        config.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        check_catalog_there(config)
        look_after_room(config).relieve()
        database = await open_catalog(config, lasting=lasting)
        until.push_async_callback(database.close)
        await check_catalog_known(config, database)
        stores = await open_stores(config, database, until)
        spool = config.data / "spool"
        with contextlib.suppress(FileExistsError):
            make_directory(spool)
        room = look_after_room(config, database)
        if lasting:
            room.lay()
        budget = Budget(config.memory_budget, spool)
        content = Content(
            database, stores, budget, now,
            blob_size=config.blob_size, inline_limit=config.inline_limit, room=room,
        )  # fmt: skip
        until.callback(content.close)
        bell = open_bell(config)
        until.push_async_callback(bell.close)
        documents = Portion(budget, config.memory_budget // DOCUMENTS)
        yield assemble(config, database, stores, content, bell, documents)


async def open_catalog(config: Config, *, lasting: bool) -> Database:
    """SQLite beside the data, or PostgreSQL when its address is set."""
    if config.catalog:
        from entrepot.catalog.postgres.engine import PostgreSQL  # noqa: PLC0415 - its driver only where it is used

        return await PostgreSQL.open(config.catalog)
    path = catalog_path(config)
    # It holds small content, and the directory may be one that everybody reads. SQLite gives its other files the same
    # mode. What is there is not opened: closing it would drop the locks that this process has on it.
    with contextlib.suppress(FileExistsError):
        os.close(make_file(path))
    return await SQLite.open(path, lasting=lasting)


def open_bell(config: Config) -> Bell:
    """How processes on the same catalog wake each other."""
    if config.catalog:
        from entrepot.catalog.postgres.bell import ListeningBell  # noqa: PLC0415 - as the catalog

        return ListeningBell(config.catalog)
    return SocketBell(config.data / "bells")


def look_after_room(config: Config, database: Database | None = None) -> Room:
    """The room on the disks of this host. A catalog in PostgreSQL is elsewhere; one in SQLite keeps a reserve."""
    places = dict(config.directories())
    if config.catalog:
        return Room(places, config.min_free)
    places[CATALOG] = config.data
    reserve = config.data / "reserve"
    if database is None:
        return Room(places, config.min_free, reserve)
    return Room(places, config.min_free, reserve, lambda: database.read(spare_bytes()))


def catalog_path(config: Config) -> Path:
    """The file of a catalog in SQLite."""
    return config.data / "catalog.sqlite"


def check_catalog_there(config: Config) -> None:
    """A catalog that was lost must not be taken for one that is yet to be made: an empty one would stand in its place,
    and the log that it left behind would go. Raises Unavailable, before anything is made.
    """
    path = catalog_path(config)
    if not config.catalog and not path.exists():
        log = path.with_name(path.name + "-wal")
        _refuse_loss(config, f"the catalog {path} is missing", log if log.exists() else None)


async def check_catalog_known(config: Config, database: Database) -> None:
    """The same for a catalog that was emptied. Raises Unavailable."""
    if await database.read(is_empty()):
        _refuse_loss(config, "the catalog is empty")


def _refuse_loss(config: Config, loss: str, left: Path | None = None) -> None:
    left = left or next(filter(None, map(find_blob, config.directories().values())), None)
    if left is not None and not config.allow_empty_catalog:
        hint = "restore it from a backup (docs/cli.md, Restore)"
        anyway = "to begin with an empty one, start once with ENTREPOT_ALLOW_EMPTY_CATALOG=true"
        raise Unavailable(f"{loss}, and {left} is there: {hint}, or, {anyway}")


async def open_stores(config: Config, database: Database, until: contextlib.AsyncExitStack) -> Mapping[str, BlobStore]:
    """Every store of the configuration by name, closed when ``until`` ends. Raises Unavailable."""
    stores: dict[str, BlobStore] = {}
    for name, settings in config.stores.items():

        async def is_used(name: str = name) -> bool:
            return await database.read(has_placements(name))

        opening = Opening(name, config.data, database, is_used, spared=config.dedup == "all")
        stores[name] = stack(await until.enter_async_context(kinds()[settings.kind].open(opening, settings)))
    return stores


def assemble(
    config: Config,
    database: Database,
    stores: Mapping[str, BlobStore],
    content: Content,
    bell: Bell,
    documents: Portion,
) -> Core:
    """The services over an open catalog and stores."""
    fixed = {config.access_key: config.secret_key} if config.access_key else {}
    buckets = Buckets(database, frozenset(stores), config.default_store, now)
    objects = Objects(database, content, buckets, now)
    return Core(
        buckets, objects, Uploads(database, content, buckets, objects, now),
        Keys(database, Sealer(sealing_path(config), config.sealing_bytes()), now, fixed),
        Health(database, stores, content.room), Upkeep(database, stores, now, content.room),
        Jobs(database, now, bell, schedules(config, database, stores)), Outbox(database), documents, now, scrape,
    )  # fmt: skip


def schedules(config: Config, database: Database, stores: Mapping[str, BlobStore]) -> tuple[Schedule, ...]:
    """What a server does by itself; what a setting of 0 turns off is done when asked for."""
    often = config.schedules
    abandoned = often.abandoned_seconds
    return (
        Schedule("collect", often.collect_seconds or None, collect(database, stores, now, config.grace_seconds)),
        Schedule("scrub", often.scrub_seconds or None, scrub(database, stores)),
        Schedule("expire", HOUR if abandoned else None, expire_uploads(database, now, abandoned or DAY)),
        Schedule("trim", HOUR, trim(database, now, often.events_seconds)),
    )


@contextlib.asynccontextmanager
async def running(config: Config, core: Core, doors: Mapping[str, OpenedDoor]) -> AsyncIterator[None]:
    """Beside the server: what is scheduled, by itself and by its doors, for as long as the context lasts."""
    if not config.schedules.enabled:
        yield
        return
    share = config.schedules
    pace = Pace(share.cpu_percent / 100 / config.workers, max(1, share.io_rate // config.workers))
    brought = [each for opened in doors.values() for each in opened.door.jobs(core, opened.settings)]
    async with Runner(core.jobs, [*core.jobs.schedules, *brought], pace, count_step).running():
        yield


def sealing_path(config: Config) -> Path:
    """The file of the key under which secrets are sealed."""
    return config.data / "secret.key"


def application(config: Config) -> Application:
    """The whole server as an ASGI application, to be run or mounted anywhere: every open door on one port."""

    @contextlib.asynccontextmanager
    async def lifetime() -> AsyncIterator[Handler]:
        async with open_ports(config) as port:
            yield port(None)

    return Application(lifetime, stall_seconds=config.limits.stall_seconds, body_rate=config.limits.body_rate)


@contextlib.asynccontextmanager
async def open_ports(config: Config) -> AsyncIterator[Callable[[Listener | None], Handler]]:
    """The doors over an open core, for as long as the context lasts. What is yielded makes the handler of a listener;
    without one, of a port with every open door. Raises ConfigInvalid.
    """
    async with open_core(config, lasting=True) as core:
        await core.keys.check_sealing()
        doors, observers = open_doors(config), list[Observer]()
        handlers = build_doors(core, doors)

        def port(listener: Listener | None) -> Handler:
            here = doors if listener is None else doors_at(listener, doors)
            checked = bounded(share(here, handlers), config.limits.header_bytes, wording(here))
            observer = Observer(checked, config)
            observers.append(observer)
            if listener is None or not listener.trusted_proxies:
                return observer
            proxies = Proxies(listener.trusted_proxies, listener.forwarded_by, listener.forwarded_prefixes)
            return behind(proxies, observer)

        try:
            async with running(config, core, doors):
                yield port
        finally:
            for observer in observers:
                observer.flush()


def build_doors(core: Core, doors: Mapping[str, OpenedDoor]) -> Mapping[str, Handler]:
    """The handler of each door."""
    return {name: opened.door.build(core, opened.settings) for name, opened in doors.items()}


def behind(proxies: Proxies, handler: Handler) -> Handler:
    """A handler that is told of requests as their clients sent them, where proxies that are trusted say so."""

    def answer(request: Request) -> Awaitable[Response]:
        proxies.apply(request)
        return handler(request)

    return answer


def doors_at(listener: Listener, opened: Mapping[str, OpenedDoor]) -> Mapping[str, OpenedDoor]:
    """The doors that answer at a listener. Raises ConfigInvalid for one that is not open."""
    for name in listener.doors:
        if name not in opened:
            hint = f"the door {name} of {listener.address} is not open; open are {', '.join(opened) or 'none'}"
            raise ConfigInvalid("listen", name, hint)
    return {name: opened[name] for name in listener.doors or opened}


def check_doors(config: Config) -> None:
    """Raise ConfigInvalid for a door that is not there, a setting that is not its own, doors that are in each
    other's way at a listener, or no open door at all.
    """
    opened = open_doors(config)
    if not opened:
        raise ConfigInvalid("doors", None, "every one is closed: a server without a door answers nothing")
    for listener in config.listen:
        check_claims(list(doors_at(listener, opened).values()))


def open_doors(config: Config) -> Mapping[str, OpenedDoor]:
    """Every door that is open, with its settings: those that need none, and those that have a table, unless
    ``enabled = false`` stands in it. Raises ConfigInvalid.
    """
    there = find_doors()
    for name in config.doors.keys() - there.keys():
        known = ", ".join(there)
        raise ConfigInvalid(f"doors.{name}", None, f"there is no door {name} to be set up; there is {known}")
    opened = {}
    for name, door in there.items():
        table = config.doors.get(name)
        if table is None and needs_settings(door):
            continue
        if table is None or table.get("enabled", True):
            opened[name] = OpenedDoor(door, door_settings(door, table or {}, config))
    return opened


def find_doors() -> Mapping[str, Door[Any]]:
    """Every package among the doors, by its name. Raises ConfigInvalid for one that is no door."""
    found = {}
    for name in sorted(module.name for module in pkgutil.iter_modules(doors.__path__)):
        door = getattr(importlib.import_module(f"entrepot.doors.{name}"), "DOOR", None)
        if not isinstance(door, Door) or door.name != name:
            raise ConfigInvalid(f"doors.{name}", None, f"the package {name} is no door: it has no DOOR of that name")
        found[name] = door
    return found


def needs_settings(door: Door[Any]) -> bool:
    """Whether a door cannot be opened without a table of its own."""
    parameters = inspect.signature(door.settings).parameters
    return any(each.default is each.empty for name, each in parameters.items() if name not in SHARED)


def door_settings(door: Door[Any], table: Mapping[str, object], config: Config) -> object:
    """A door's own settings, and those of the whole server that it wants to know.

    Raises ConfigInvalid.
    """
    where = f"doors.{door.name}"
    for key in SHARED.keys() & table.keys():
        raise ConfigInvalid(f"{where}.{key}", table[key], f"is a setting of the whole server: set {SHARED[key]} itself")
    fields = inspect.signature(door.settings).parameters.keys()
    own = {key: value for key, value in table.items() if key != "enabled"}
    for key in own.keys() - fields:
        raise unknown(key, {"enabled", *fields}, where)
    given = {key: attrgetter(SHARED[key])(config) for key in SHARED.keys() & fields}
    return parse_settings(door.settings, {**given, **own}, where)
