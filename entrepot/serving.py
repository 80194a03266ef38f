"""Running the application under Granian: worker processes, signals, TLS.

The first SIGTERM or SIGINT stops listening and lets requests in flight finish, for as long as
``stop_seconds``; a second one ends everything at once. Workers end with their parent, however it
ends; a worker that crashes is replaced.
"""

from __future__ import annotations

import ctypes
import functools
import gc
import os
import shutil
import signal
from pathlib import Path
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes, SSLProtocols
from granian.http import HTTP1Settings, HTTP2Settings
from granian.server.mp import MPServer

from entrepot.asgi import ASGIApp
from entrepot.config import Config

HEAD_SECONDS: Final = 30
"""Most that a client may take for the head of a request, and leave a connection idle before the next one."""

READ_BUFFER: Final = 512 * 1024
"""Bytes that one connection reads ahead of the application."""

_PR_SET_PDEATHSIG: Final = 1


class Server(MPServer):
    """Granian's server, ended at once by a second signal."""

    def signal_handler_interrupt(self, *args: Any, **kwargs: Any) -> None:
        if self.interrupt_signal:
            for worker in self.wrks:
                worker.kill()  # type: ignore[no-untyped-call]  # Granian types only its surface
            os._exit(1)
        super().signal_handler_interrupt(*args, **kwargs)  # type: ignore[no-untyped-call]  # as above

    def forgive_interrupted_workers(self) -> None:
        """Ctrl-C reaches the workers as well; one that is quicker than this process has not crashed."""
        if self.interrupt_signal:
            self.interrupt_children.clear()


def load(config: Config, parent: int) -> ASGIApp:
    """The application of one worker process, made after the fork."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
    from entrepot.app import application  # noqa: PLC0415 - metrics read the environment when imported
    from entrepot.observe import configure_log  # noqa: PLC0415

    configure_log(config)
    made = application(config)
    gc.freeze()
    return made


def serve(config: Config) -> None:
    """Listen and answer until a signal says to stop."""
    host, port = config.address
    _share_metrics(config.data / "metrics")
    tls: dict[str, Any] = {}
    if config.tls_certificate is not None and config.tls_key is not None:
        tls = {
            "ssl_cert": config.tls_certificate, "ssl_key": config.tls_key, "ssl_protocol_min": SSLProtocols.tls12,
        }  # fmt: skip
    server = Server(
        "entrepot", address=host, port=port, interface=Interfaces.ASGI, workers=config.workers,
        runtime_mode=RuntimeModes.st, loop=Loops.uvloop, http=HTTPModes.auto, websockets=False,
        http1_settings=HTTP1Settings(max_buffer_size=READ_BUFFER, header_read_timeout=_head_milliseconds(config)),
        http2_settings=HTTP2Settings(max_headers_size=config.limits.header_bytes), log_enabled=False,
        workers_kill_timeout=max(config.stop_seconds, 1), respawn_failed_workers=True,
        backpressure=config.limits.connections, **tls,
    )  # fmt: skip
    server.on_shutdown(server.forgive_interrupted_workers)
    server.serve(target_loader=functools.partial(load, config, os.getpid()), wrap_loader=False)


def _head_milliseconds(config: Config) -> int:
    return min(HEAD_SECONDS, config.limits.stall_seconds) * 1000


def _share_metrics(directory: Path) -> None:
    """An empty directory where the workers' metrics meet, named to them by the environment."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
