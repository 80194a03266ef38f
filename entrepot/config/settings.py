"""Every setting of the program, with its default and its bounds beside it."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta

from entrepot.blobs.kinds import StoreSettings, kinds
from entrepot.config.listeners import Listener
from entrepot.config.tree import BYTES, SECONDS, SECRET
from entrepot.errors import ConfigInvalid

KIB: Final = 1 << 10
MIB: Final = 1 << 20


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """The table ``[log]``. The log goes to standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="the least severe lines that are written")
    ] = "info"
    format: Annotated[
        Literal["auto", "text", "json"],
        Meta(description="`json` for machines, `text` for people; `auto` is `text` on a terminal, else `json`"),
    ] = "auto"
    access: Annotated[
        bool, Meta(description="whether each request is logged, or only those that the server failed (5xx)")
    ] = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """The table ``[metrics]``."""

    enabled: Annotated[bool, Meta(description="whether `/metrics` answers and anything is counted")] = True
    token: Annotated[
        str,
        Meta(
            pattern=r"^([!-~]{8,256})?$",
            description="what `Authorization: Bearer` has to carry to read `/metrics`",
            extra=SECRET | {"form": "8 to 256 visible ASCII characters", "default": "none is asked for"},
        ),
    ] = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The table ``[limits]``: what one client may take of the server."""

    header_bytes: Annotated[
        int, Meta(ge=4 * KIB, le=1 * MIB, description="the request line and all header fields", extra=BYTES)
    ] = 16 * KIB
    connections: Annotated[
        int,
        Meta(
            ge=16,
            le=1_000_000,
            description="connections that a worker keeps at once; beyond it the one makes way that has kept the server "
            "waiting longest, of clients that did not sign",
        ),
    ] = 1024
    stall_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="how long a client may send nothing of a body, or take nothing of an answer",
            extra=SECONDS,
        ),
    ] = 60
    body_rate: Annotated[
        int,
        Meta(
            ge=0,
            le=1 * MIB,
            description="what a client has to send of a body in a second, on the average, after the first half "
            "minute of waiting",
            extra=BYTES,
        ),
    ] = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedules:
    """The table ``[schedules]``: what a server does by itself, and how much of the machine that may take."""

    enabled: Annotated[
        bool, Meta(description="whether this server does any of it; another server on the same catalog may")
    ] = True
    cpu_percent: Annotated[
        float,
        Meta(
            ge=0.01,
            le=100,
            description="of one core, for what all workers together do by themselves, on the average",
        ),
    ] = 0.5
    io_rate: Annotated[
        int,
        Meta(
            ge=64 * KIB,
            description="bytes that they read and write for it in a second, on the average",
            extra=BYTES,
        ),
    ] = 8 * MIB
    collect_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="how often what nothing names any more is removed; 0 waits until it is asked for",
            extra=SECONDS,
        ),
    ] = 86_400
    scrub_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="how often everything that is stored is read and verified; 0 waits until it is asked for",
            extra=SECONDS,
        ),
    ] = 2_592_000
    events_seconds: Annotated[
        int,
        Meta(ge=3600, le=10_000_000_000, description="how long events of buckets are kept", extra=SECONDS),
    ] = 604_800
    abandoned_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="how long nothing may have been added to an open upload before it is ended; 0 ends none",
            extra=SECONDS,
        ),
    ] = 604_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """All settings of a server. Made by :func:`entrepot.config.load`, checked as a whole when made.

    Raises ConfigInvalid when two settings contradict each other.
    """

    data: Annotated[
        Path, Meta(description="directory of the catalog, the blobs and the key file; made at the first start")
    ] = Path("entrepot-data")
    listen: Annotated[
        tuple[Listener, ...],
        Meta(
            description="`host:port` to listen on, an IPv6 host in brackets, or `unix:/path`; several, or tables "
            "`[[listen]]`, are below",
            extra={"default": "`127.0.0.1:9000`"},
        ),
    ] = (Listener(address="127.0.0.1:9000"),)
    workers: Annotated[
        int, Meta(ge=1, le=1024, description="processes that answer requests", extra={"default": "one per core"})
    ] = field(default_factory=_cores)
    tls_certificate: Annotated[
        Path | None, Meta(description="PEM file of the certificate chain; together with `tls_key` it turns HTTPS on")
    ] = None
    tls_key: Annotated[Path | None, Meta(description="PEM file of the certificate's private key")] = None
    domain: Annotated[
        tuple[str, ...],
        Meta(
            description="hosts under which a bucket is a subdomain: with `s3.example`, `photos.s3.example` is `photos`"
        ),
    ] = ()
    region: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
            description="region that signatures of clients must name",
            extra={"form": "made of a-z, 0-9 and -"},
        ),
    ] = "us-east-1"
    access_key: Annotated[
        str,
        Meta(
            pattern=r"^([A-Za-z0-9_.-]{3,128})?$",
            description="the root key; together with `secret_key`",
            extra={"form": "3 to 128 of A-Z, a-z, 0-9, _, . and -", "default": "made at the first start"},
        ),
    ] = ""
    secret_key: Annotated[
        str,
        Meta(
            pattern=r"^(\S{8,128})?$",
            description="the root key's secret",
            extra=SECRET | {"form": "8 to 128 characters without spaces", "default": "made at the first start"},
        ),
    ] = field(default="", repr=False)
    sealing_key: Annotated[
        str,
        Meta(
            description="32 bytes in base64 under which secrets are kept encrypted in the catalog; "
            "hosts that share a catalog share it",
            extra=SECRET | {"default": "a file in `data`, made at the first start"},
        ),
    ] = field(default="", repr=False)
    catalog: Annotated[
        str,
        Meta(
            pattern=r"^(postgres(ql)?://.+)?$",
            description="`postgresql://user:password@host/database` for a catalog in PostgreSQL",
            extra=SECRET | {"form": "postgresql://user:password@host/database", "default": "SQLite in `data`"},
        ),
    ] = field(default="", repr=False)
    allow_empty_catalog: Annotated[
        bool,
        Meta(description="whether to begin with an empty catalog although stores hold blobs, which nothing names then"),
    ] = False
    stores: Annotated[Mapping[str, StoreSettings], Meta(description="places that keep blobs")] = field(
        default_factory=lambda: {"main": StoreSettings.variants()["disk"]()}
    )
    default_store: Annotated[str, Meta(description="the store of buckets that name none")] = "main"
    dedup: Annotated[
        Literal["all", "account"],
        Meta(
            description="`all`: bytes that are in the store already, of any account, are not written again; `account`: "
            "they always are, so that no account learns from the time what another one has (disk stores alone)"
        ),
    ] = "all"
    blob_size: Annotated[
        int, Meta(ge=64 * KIB, le=64 * MIB, description="the longest blob that content is cut into", extra=BYTES)
    ] = 4 * MIB
    inline_limit: Annotated[
        int,
        Meta(ge=0, le=1 * MIB, description="content up to this size is kept in the catalog itself", extra=BYTES),
    ] = 32 * KIB
    memory_budget: Annotated[
        int,
        Meta(
            ge=16 * MIB,
            description="what a worker holds of all bodies together; beyond it uploads wait on disk, and beyond half "
            "of it downloads go out slice by slice; an eighth is for documents",
            extra=BYTES,
        ),
    ] = 96 * MIB
    grace_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=10_000_000_000,
            description="how long a blob that nothing names is kept before it is collected",
            extra=SECONDS,
        ),
    ] = 86_400
    hang_seconds: Annotated[
        int,
        Meta(
            ge=2,
            le=3600,
            description="how long a worker may give no sign of life until another takes its place; "
            "after twice as long it is killed",
            extra=SECONDS,
        ),
    ] = 10
    min_free: Annotated[
        int,
        Meta(
            ge=0,
            description="room that is left on the disks of catalog and stores: with less, nothing is put there",
            extra=BYTES,
        ),
    ] = 64 * MIB
    stop_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="how long requests in flight may go on after SIGTERM", extra=SECONDS)
    ] = 30
    log: Log = field(default_factory=Log)
    metrics: Metrics = field(default_factory=Metrics)
    limits: Limits = field(default_factory=Limits)
    schedules: Schedules = field(default_factory=Schedules)
    doors: Annotated[Mapping[str, Mapping[str, object]], Meta(description="settings of each door, parsed by it")] = (
        field(default_factory=dict)
    )

    def __post_init__(self) -> None:
        for check in CHECKS:
            check(self)

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """Where to listen, each TCP address with the TLS files of the top unless it has its own."""
        certificate, key = self.tls_certificate, self.tls_key
        return tuple(
            each if each.tls or each.path else replace(each, tls_certificate=certificate, tls_key=key)
            for each in self.listen
        )

    def directories(self) -> Mapping[str, Path]:
        """Where on this host each store lives that does, by its name."""
        found = {}
        for name, store in self.stores.items():
            kind = kinds()[store.kind]
            if kind.directory is not None:
                found[name] = kind.directory(store, name, self.data)
        return found

    def sealing_bytes(self) -> bytes | None:
        """``sealing_key`` as its 32 bytes, or None where the key file is to be used."""
        return _sealing(self.sealing_key)


def _sealing(text: str) -> bytes | None:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        key = b"?"
    if len(key) not in (0, 32):
        raise ConfigInvalid("sealing_key", None, "is 32 bytes in base64")
    return key or None


def _check_listeners(config: Config) -> None:
    if not config.listen:
        raise ConfigInvalid("listen", None, "names no address")
    for listener in config.listen:
        listener.check()
    addresses = [listener.address for listener in config.listen if not listener.address.endswith(":0")]
    for address in addresses:
        if addresses.count(address) > 1:
            raise ConfigInvalid("listen", address, f"{address} stands there twice")


def _check_pairs(config: Config) -> None:
    for one, other in (("tls_certificate", "tls_key"), ("access_key", "secret_key")):
        if bool(getattr(config, one)) != bool(getattr(config, other)):
            absent = other if getattr(config, one) else one
            raise ConfigInvalid(absent, None, f"has to be set too: {one} and {other} go together")


def _check_domains(config: Config) -> None:
    for domain in config.domain:
        if not re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?", domain):
            raise ConfigInvalid("domain", domain, f"{domain!r} is not a host name in lower case, without a port")


def _check_stores(config: Config) -> None:
    if config.default_store not in config.stores:
        raise ConfigInvalid("default_store", config.default_store, f"is none of {', '.join(sorted(config.stores))}")
    for name, store in config.stores.items():
        kind = kinds()[store.kind]
        if not kind.shared and config.workers > 1:
            hint = "is in the memory of one process: set workers = 1"
            raise ConfigInvalid(f"stores.{name}", store.kind, hint)
        if config.dedup == "account" and not kind.silent:
            hint = f"cannot be: a {store.kind} store, such as {name}, tells by its time what it has"
            raise ConfigInvalid("dedup", config.dedup, hint)
        if config.blob_size > kind.max_blob:
            hint = f"is more than {kind.max_blob}, the longest blob of the {store.kind} store {name}"
            raise ConfigInvalid("blob_size", config.blob_size, hint)


def _check_sizes(config: Config) -> None:
    if config.inline_limit > config.blob_size:
        raise ConfigInvalid("inline_limit", config.inline_limit, f"is more than blob_size, {config.blob_size}")
    if config.memory_budget < 4 * config.blob_size:
        hint = f"is less than four blobs of blob_size, {4 * config.blob_size}"
        raise ConfigInvalid("memory_budget", config.memory_budget, hint)


def _check_sealing(config: Config) -> None:
    _sealing(config.sealing_key)


CHECKS: Final[tuple[Callable[[Config], None], ...]] = (
    _check_listeners,
    _check_pairs,
    _check_domains,
    _check_stores,
    _check_sizes,
    _check_sealing,
)
