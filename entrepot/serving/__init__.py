"""Running the application: worker processes, their supervisor, listeners, signals, TLS.

Each worker is a process with an event loop of its own that reads and writes HTTP/1.1; the kernel spreads
connections over their sockets. The first SIGTERM or SIGINT stops listening and lets requests in flight finish, for
as long as ``stop_seconds``; a second one ends everything at once. SIGHUP reads certificates again. Workers end with
their parent, however it ends; one that crashes, or gives no sign of life, is replaced.
"""

from __future__ import annotations

from collections.abc import Callable

from entrepot.config import Config
from entrepot.serving.shared_metrics import is_served, share_metrics, sharing

__all__ = ["is_served", "serve", "share_metrics"]


def serve(config: Config, ready: Callable[[], None]) -> int:
    """Listen and answer until a signal says to stop; the exit code. ``ready`` is called once, when every
    worker takes connections. Raises OSError when it cannot listen, or the files of TLS are not fit.
    """
    from entrepot.serving.sockets import listening  # noqa: PLC0415 - only who serves needs the server
    from entrepot.serving.supervisor import Supervisor  # noqa: PLC0415 - same

    with sharing(config), listening(config.listeners, config.workers) as doorsteps:
        return Supervisor(config, doorsteps, ready).run()
