"""Running the application under Granian."""

from __future__ import annotations

import functools
import gc
import sys
from typing import Any

from granian import Granian
from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings

from entrepot.app import application
from entrepot.asgi import ASGIApp
from entrepot.config import Config


def load(config: Config) -> ASGIApp:
    """The application of one worker process, made after the fork."""
    sys.setswitchinterval(0.001)
    gc.freeze()
    return application(config)


def serve(config: Config) -> None:
    """Listen and answer until a signal says to stop."""
    host, port = config.address
    tls: dict[str, Any] = {}
    if config.tls_certificate is not None and config.tls_key is not None:
        tls = {"ssl_cert": config.tls_certificate, "ssl_key": config.tls_key}
    server = Granian(
        "entrepot", address=host, port=port, interface=Interfaces.ASGI, workers=config.workers,
        runtime_mode=RuntimeModes.st, loop=Loops.uvloop, http=HTTPModes.auto, websockets=False,
        http1_settings=HTTP1Settings(max_buffer_size=512 * 1024), log_enabled=False,
        workers_kill_timeout=config.stop_seconds or 1, backpressure=config.limits.connections, **tls,
    )  # fmt: skip
    server.serve(target_loader=functools.partial(load, config), wrap_loader=False)
