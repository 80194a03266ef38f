"""A worker: one process, one event loop, a socket at every address."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

import structlog
import uvloop

from entrepot.app import WATCHED, open_ports
from entrepot.config import Config
from entrepot.http1.patience import Patience
from entrepot.http1.server import BoundListener, Server
from entrepot.http1.service import Service
from entrepot.observe import configure_log
from entrepot.serving.heartbeat import BEAT_SECONDS, Heartbeat
from entrepot.serving.sockets import Doorstep

READY: Final = signal.SIGRTMIN
"""What a worker sends when it takes connections; signals from here on are queued, so none is lost."""

COLLECT_OBJECTS: Final = 20_000
"""How many more objects than before there may be until cycles among them are looked for."""

MAP_BYTES: Final = 128 * 1024
"""Buffers from this size on are given back to the system at once. Left alone, glibc raises the bound as
large ones are freed, and hundreds of bodies growing side by side tear its heap to pieces."""

_PR_SET_PDEATHSIG: Final = 1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8


def work(config: Config, place: int, doorsteps: Sequence[Doorstep], heartbeat: Heartbeat, parent: int) -> NoReturn:
    """Be a worker, to the end of the process: nothing of the supervisor's may go on in it. It has the sockets of
    its ``place`` and closes the others.
    """
    code = 1
    try:
        for doorstep in doorsteps:
            for each in {*doorstep.sockets} - {doorstep.sockets[place]}:
                each.close()
        _settle_in()
        if os.getppid() == parent:
            uvloop.run(_answer(config, place, doorsteps, heartbeat, parent))
        code = 0
    except Exception:  # noqa: BLE001 - the last border of a process: it is told, and the exit code says it too
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _settle_in() -> None:
    """Ask the system for what a worker needs of it."""
    system = ctypes.CDLL(None)
    system.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if hasattr(system, "mallopt"):  # glibc's own
        system.mallopt(_M_MMAP_THRESHOLD, MAP_BYTES)
        system.mallopt(_M_ARENA_MAX, 2)
    # Each connection is a file, and each may read others: the soft limit is often no more than their number.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _answer(config: Config, place: int, doorsteps: Sequence[Doorstep], heartbeat: Heartbeat, parent: int) -> None:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, doorsteps)
    configure_log(config)
    limits = config.limits
    async with open_ports(config) as port:
        listeners = [
            BoundListener(each.sockets[place], port(each.listener), None if each.tls is None else each.tls.current)
            for each in doorsteps
        ]
        _calm_collector()
        service = Service(header_bytes=limits.header_bytes, most=limits.connections, watched=WATCHED)
        patience = Patience.of(limits.stall_seconds, limits.body_rate)
        server = Server(service, patience, stop_seconds=config.stop_seconds)
        beating = loop.create_task(_beat(heartbeat))
        try:
            await server.run(listeners, stop, lambda: os.kill(parent, READY))
        finally:
            beating.cancel()


async def _beat(heartbeat: Heartbeat) -> NoReturn:
    """Give signs of life for as long as the loop goes round."""
    while True:
        heartbeat.give()
        await asyncio.sleep(BEAT_SECONDS)


def _reload(doorsteps: Sequence[Doorstep]) -> None:
    """Read certificates again. The supervisor has done so before, so they are sound, or were a moment ago."""
    for doorstep in doorsteps:
        if doorstep.tls is not None:
            try:
                doorstep.tls.reload()
            except OSError as error:
                structlog.get_logger().warning(
                    "certificate not read", listen=doorstep.listener.address, error=str(error)
                )


def _calm_collector() -> None:
    """Spare the collector what stays to the end: looking through all modules takes 20 ms, in which nobody is
    answered. Requests leave few cycles behind, so it need not look often either.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_OBJECTS)
