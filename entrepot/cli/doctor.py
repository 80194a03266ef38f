"""``entrepot doctor``: what would keep a server from working, looked at one by one."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import enum
import http.client
import os
import shutil
import socket
import ssl
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from entrepot.cli.greeting import listener_text
from entrepot.cli.opening import Data, File, has_data, opened, settings
from entrepot.cli.preflight import check_listener, check_tls
from entrepot.cli.words import ADVICE, advice, fault, say, size_text
from entrepot.config import Config, Listener
from entrepot.core.keys import Keys
from entrepot.errors import ConfigInvalid, Corrupt, EntrepotError, StoreFull, Unavailable

LITTLE_ROOM: Final = 1 << 30
EXPIRY_DAYS: Final = 30
EARLIEST: Final = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
"""No clock of a host that runs this program can be right before."""

SHOWN: Final = 5
"""Access keys that are named in one line."""

NETWORK: Final = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "fuse.sshfs", "fuse.rclone"})
"""File systems on which the write-ahead log of SQLite, shared memory between processes, is not safe."""


class Grade(enum.StrEnum):
    OK = "ok"
    WARNING = "warning"
    BAD = "BAD"


class Remark(NamedTuple):
    state: Grade
    subject: str
    text: str


Findings = Iterator[Remark]


def doctor(*, data: Data = None, config: File = None) -> int:
    """Look at settings, doors, data directory, disk, clock, catalog, key file, secrets, TLS files and port.

    Each gets a line that begins with ok, warning or BAD; the exit code is 1 when any is BAD.
    Nothing is changed, but that missing directories are made and a catalog of an older program is brought up to date.
    """
    chosen = settings(data, config).config
    worst = 0
    for examine in EXAMINATIONS:
        for finding in examine(chosen):
            say(f"{finding.state:8} {finding.subject:12} {finding.text}")
            worst |= finding.state is Grade.BAD
    return worst


def _ok(subject: str, text: str) -> Remark:
    return Remark(Grade.OK, subject, text)


def _warning(subject: str, text: str) -> Remark:
    return Remark(Grade.WARNING, subject, text)


def _bad(subject: str, text: str) -> Remark:
    return Remark(Grade.BAD, subject, text)


def _directories(config: Config) -> Findings:
    """Each directory that is written to: made or makeable, synced writes work, room is left."""
    stores = {f"store {name}": path for name, path in config.directories().items()}
    for subject, path in {"data": config.data, **stores}.items():
        try:
            there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
        except OSError as error:
            yield _bad(subject, fault(error))
            continue
        try:
            _write_durably(there)
        except OSError as error:
            yield _bad(subject, f"{there} cannot be written to durably: {error.strerror}")
            continue
        yield _ok(subject, f"{path} " + ("can be written and synced" if there == path.absolute() else "will be made"))
        yield _room(subject, there, config.min_free)
    kind = _file_system(config.data.absolute())
    if kind in NETWORK and not config.catalog:
        yield _bad("data", f"{config.data} is on {kind}: SQLite needs a local disk, or use PostgreSQL as the catalog")


def _write_durably(directory: Path) -> None:
    """What every write of an object does: write, sync, rename, sync the directory."""
    handle, name = tempfile.mkstemp(prefix=".doctor-", dir=directory)
    renamed = f"{name}-renamed"
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(b"doctor")
            file.flush()
            os.fdatasync(file.fileno())
        Path(name).rename(renamed)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    finally:
        for path in (name, renamed):
            with contextlib.suppress(FileNotFoundError):
                Path(path).unlink()


def _room(subject: str, directory: Path, least: int) -> Remark:
    disk = shutil.disk_usage(directory)
    text = f"{size_text(disk.free)} free of {size_text(disk.total)}"
    if disk.free < least:
        return _bad(subject, f"{text}, less than min_free ({size_text(least)}), so nothing is put: {ADVICE[StoreFull]}")
    return _warning(subject, text) if disk.free < LITTLE_ROOM else _ok(subject, text)


def _file_system(path: Path) -> str:
    """The kind of file system that holds a path, by the longest mount point; empty if not known."""
    best, kind = "", ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mounts").read_text("utf-8", "replace").splitlines():
            _, point, name, *_ = line.split(" ")
            point = point.replace("\\040", " ")
            if len(point) >= len(best) and path.is_relative_to(point):
                best, kind = point, name
    return kind


def _clock(config: Config) -> Findings:
    """Signatures carry the time, and versions are dated by it."""
    now = time.time()
    shown = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    newest = 0.0
    with contextlib.suppress(OSError):
        newest = max((path.stat().st_mtime for path in config.data.glob("catalog.sqlite*")), default=0.0)
    if now < EARLIEST.timestamp() or now < newest - 60:
        yield _bad("clock", f"{shown}: the clock is behind what was written already")
    else:
        yield _ok("clock", shown)


def _key_file(config: Config) -> Findings:
    """The file under whose key the secrets in the catalog are sealed."""
    from entrepot.app import sealing_path

    path = sealing_path(config)
    if config.sealing_key:
        yield _ok("sealing key", "from the settings")
        return
    try:
        found = path.stat()
    except FileNotFoundError:
        if has_data(config):  # whether that is bad is seen from the secrets
            yield _warning("sealing key", f"there is no {path}")
        else:
            yield _ok("sealing key", "will be made at the first start")
        return
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        yield _bad("sealing key", f"{path} can be read by others (mode {mode:04o}): chmod 600 it")
    elif found.st_size != 32:
        yield _bad("sealing key", f"{path} does not hold a key of 32 bytes")
    else:
        yield _ok("sealing key", f"{path} has mode {mode:04o}")


def _doors(config: Config) -> Findings:
    """What stands in the tables of doors, which only they understand."""
    from entrepot.app import check_doors, open_doors

    try:
        check_doors(config)
    except ConfigInvalid as error:
        yield _bad("doors", advice(error))
    else:
        yield _ok("doors", ", ".join(open_doors(config)))


def _catalog(config: Config) -> Findings:
    """Whether catalog, stores and secrets open, and what the catalog says of itself."""
    try:
        if not has_data(config):
            yield _ok("catalog", "will be made at the first start")
            return
        yield from asyncio.run(_inspect(config))
    except EntrepotError as error:
        yield _bad("catalog", advice(error).removesuffix(f"; {ADVICE[Unavailable]}"))
    except OSError as error:
        yield _bad("catalog", fault(error))


async def _inspect(config: Config) -> list[Remark]:
    from entrepot.catalog.operations.consistency import list_stores
    from entrepot.catalog.operations.facts import durability, list_migrations

    async with opened(config) as core:
        database = core.health.database
        engine = "PostgreSQL" if config.catalog else "SQLite"
        newest = max(await database.read(list_migrations()))
        found = [_ok("catalog", f"{engine}, schema {newest}")]
        if config.catalog:
            commit = await database.read(durability())
            found.append(_ok("catalog", f"synchronous_commit is {commit}"))
        for name, text in (await core.health.report()).items():
            found.append((_ok if text == "ok" else _bad)(name.replace("store:", "store "), f"answers: {text}"))
        bound = set(await database.scan(list_stores(), background=True))
        found.extend(
            _bad(f"store {name}", f"buckets are bound to it, and [stores.{name}] is not configured")
            for name in sorted(bound - config.stores.keys())
        )
        found.append(await _secrets(core.keys))
        return found


async def _secrets(keys: Keys) -> Remark:
    """Whether every secret in the catalog was sealed under the key that there is."""
    try:
        closed = await keys.list_closed()
    except Corrupt as error:
        return _bad("secrets", str(error))
    if not closed:
        return _ok("secrets", "all can be opened")
    shown = ", ".join(closed[:SHOWN]) + (f" and {len(closed) - SHOWN} more" if len(closed) > SHOWN else "")
    remedy = "put back the key that held them; those for which it is lost for good, revoke (entrepot key revoke)"
    return _bad("secrets", f"sealed under another key are those of {shown}: {remedy}")


def _tls(config: Config) -> Findings:
    """The certificates and their keys."""
    pairs = {listener.tls for listener in config.listeners if listener.tls is not None}
    if not pairs:
        yield _ok("tls", "off")
    for certificate, key in sorted(pairs):
        try:
            check_tls(certificate, key)
        except ConfigInvalid as error:
            yield _bad("tls", str(error))
            continue
        yield _expiry(certificate)
        mode = stat.S_IMODE(key.stat().st_mode)
        if mode & 0o007:
            yield _warning("tls", f"{key} can be read by everybody (mode {mode:04o}): chmod 600 it")


def _expiry(certificate: Path) -> Remark:
    from cryptography import x509

    leaf = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
    now = datetime.datetime.now(datetime.UTC)
    end = leaf.not_valid_after_utc
    if not leaf.not_valid_before_utc <= now <= end:
        return _bad("tls", f"{certificate} is valid from {leaf.not_valid_before_utc:%Y-%m-%d} to {end:%Y-%m-%d}")
    soon = end - now < datetime.timedelta(days=EXPIRY_DAYS)
    return (_warning if soon else _ok)("tls", f"{certificate} is valid until {end:%Y-%m-%d}")


def _ports(config: Config) -> Findings:
    """Each address is free, or the server has it already."""
    for listener in config.listeners:
        try:
            check_listener(listener)
        except ConfigInvalid as error:
            yield _taken(config, listener) if _answers(listener) else _bad("port", str(error))
        else:
            yield _ok("port", f"{listener_text(listener)} is free")


def _taken(config: Config, listener: Listener) -> Remark:
    from entrepot.serving import is_served

    try:
        served = is_served(config)
    except OSError as trouble:
        return _bad("port", fault(trouble))
    if served:
        return _ok("port", f"a server answers on {listener_text(listener)}, and one runs on {config.data}")
    text = f"a server answers on {listener.address}, and no entrepot serve runs on {config.data}"
    return _warning("port", f"{text}: choose another port with --listen or ENTREPOT_LISTEN")


def _answers(listener: Listener) -> bool:
    connection = _connection(listener)
    try:
        if listener.path is not None:
            connection.sock = socket.socket(socket.AF_UNIX)
            connection.sock.settimeout(5)
            connection.sock.connect(str(listener.path))
        connection.request("GET", "/health")
        return connection.getresponse().getheader("server") == "entrepot"
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _connection(listener: Listener) -> http.client.HTTPConnection:
    host, port = ("localhost", 80) if listener.path is not None else listener.host_and_port
    if listener.tls is None or listener.path is not None:
        return http.client.HTTPConnection(host, port, timeout=5)
    # Only whether somebody answers is asked, and nothing told, so nobody's name is checked.
    context = ssl._create_unverified_context()  # noqa: S323, SLF001 - see above
    return http.client.HTTPSConnection(host, port, timeout=5, context=context)


EXAMINATIONS: Final[tuple[Callable[[Config], Findings], ...]] = (
    _doors,
    _directories,
    _clock,
    _key_file,
    _catalog,
    _tls,
    _ports,
)
