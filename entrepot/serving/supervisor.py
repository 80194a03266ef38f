"""The supervisor: starts the workers, replaces those that crash or hang, and ends them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog

from entrepot.config import Config
from entrepot.observe import configure_log
from entrepot.serving.heartbeat import BEAT_SECONDS, Heartbeat
from entrepot.serving.sockets import Doorstep
from entrepot.serving.worker import READY, work

PAUSE_SECONDS: Final = 0.2
"""How long the supervisor waits before it replaces a worker, so that it does nothing else if all of them crash."""

LATE_SECONDS: Final = 3 * BEAT_SECONDS
"""A supervisor that comes so much too late was stopped itself, or all of the system was: no silence tells anything
then."""

FILES_SECONDS: Final = 5.0
"""How often certificates are looked at."""

_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, READY)


@dataclass(slots=True)
class Worker:
    """A process in one of the places for workers. ``ready`` tells that it takes connections, ``given_up`` that another
    has its place by now, ``reads`` how often certificates had been read again when it began.
    """

    place: int
    reads: int
    ready: bool = False
    given_up: bool = False
    heartbeat: Heartbeat = field(default_factory=Heartbeat)


class Supervisor:
    """Its signals stay blocked and are waited for, so nothing runs in the middle of anything else. A
    worker that ends before it was ready would end again: then the server gives up, unless it has begun
    to serve and others go on.
    """

    def __init__(self, config: Config, doorsteps: Sequence[Doorstep], ready: Callable[[], None]) -> None:
        self._config = config
        self._doorsteps = doorsteps
        self._ready: Callable[[], None] | None = ready
        self._workers: dict[int, Worker] = {}
        """By process id."""
        self._deadline: float | None = None
        self._failed = False
        self._reads = 0
        # nohup has it ignored; a signal that is waited for comes all the same
        self._terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and has_terminal()
        self._watched = self._looked = self._forgiven = time.monotonic()
        configure_log(config)
        self._log = structlog.get_logger()

    def run(self) -> int:
        """Supervise until the last worker has ended; the exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        for place in range(self._config.workers):
            self._start(place)
        while self._workers:
            found = signal.sigtimedwait(_SIGNALS, self._left())
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._send(signal.SIGKILL)
            elif found is not None:
                self._heed(found)
            self._reap()
            self._watch(time.monotonic())
        return 1 if self._failed else 0

    def _left(self) -> float:
        """Seconds until there is something to do without a signal."""
        left = BEAT_SECONDS if self._deadline is None else self._deadline - time.monotonic()
        return max(PAUSE_SECONDS, min(BEAT_SECONDS, left))

    def _heed(self, found: signal.struct_siginfo) -> None:
        """Do what a signal asks for. Of a wait that ended while this process was stopped, Python gives one that never
        came, with whatever number.
        """
        if found.si_signo not in _SIGNALS:
            return
        if found.si_signo == READY:
            self._welcome(found.si_pid)
        elif found.si_signo == signal.SIGHUP and not (self._terminal and not has_terminal()):
            self._reload()
        elif found.si_signo != signal.SIGCHLD:
            self._stop(signal.Signals(found.si_signo).name)

    def _start(self, place: int) -> None:
        parent, worker = os.getpid(), Worker(place, self._reads)
        pid = os.fork()
        if pid == 0:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            work(self._config, place, self._doorsteps, worker.heartbeat, parent)
        self._workers[pid] = worker

    def _welcome(self, pid: int) -> None:
        worker = self._workers.get(pid)
        if worker is not None:
            worker.ready = True
            worker.heartbeat.give()  # from here on it is expected to
            if worker.reads != self._reads:
                os.kill(pid, signal.SIGHUP)
        if self._ready is not None and self._deadline is None and all(each.ready for each in self._workers.values()):
            self._ready()
            self._ready = None

    # Ending.

    def _stop(self, why: str) -> None:
        """The first time gently, the second time at once."""
        if self._deadline is None:
            self._tell("info", "stopping", why=why, seconds=self._config.stop_seconds)
            self._deadline = time.monotonic() + self._config.stop_seconds + 1
            for doorstep in self._doorsteps:
                doorstep.close()
            self._send(signal.SIGTERM)
        else:
            self._tell("info", "stopping at once", why=why)
            self._failed = True
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for pid in self._workers:
            os.kill(pid, number)

    def _reap(self) -> None:
        while self._workers:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            worker = self._workers.pop(pid, None)
            if worker is None or worker.given_up or self._deadline is not None:
                continue
            if worker.ready or (self._ready is None and any(each.ready for each in self._workers.values())):
                self._tell("warning", "a worker ended and is replaced", pid=pid, status=status)
                time.sleep(PAUSE_SECONDS)
                self._start(worker.place)
            else:
                self._tell("error", "a worker ended as soon as it began: stopping", status=status)
                self._failed = True
                self._stop("failure")

    def _tell(self, level: str, event: str, **fields: object) -> None:
        """Write a line. A terminal that has gone takes none: no reason to leave the workers alone."""
        with contextlib.suppress(OSError):
            getattr(self._log, level)(event, **fields)

    # Watching.

    def _watch(self, now: float) -> None:
        """Look for workers without a sign of life, and for changed certificates."""
        if now - self._watched > LATE_SECONDS:
            self._forgiven = now
        self._watched = now
        if self._deadline is not None:
            return
        for pid, worker in list(self._workers.items()):
            if worker.ready:
                self._judge(pid, worker, now - max(worker.heartbeat.last, self._forgiven))
        if now - self._looked > FILES_SECONDS:
            self._looked = now
            changed = [each.tls.changed() for each in self._doorsteps if each.tls is not None]
            if any(changed):
                self._reload()

    def _judge(self, pid: int, worker: Worker, silence: float) -> None:
        """Give a silent worker's place to another. It is told to end, and does when it comes to itself, its requests
        answered; if it stays silent it is killed, with what it may hold (a lock of the catalog's).
        """
        hang = self._config.hang_seconds
        if worker.given_up:
            if silence > 2 * hang:
                os.kill(pid, signal.SIGKILL)
        elif silence > hang:
            self._tell("error", "a worker hangs and is replaced", pid=pid, seconds=round(silence, 1))
            worker.given_up = True
            os.kill(pid, signal.SIGTERM)
            self._start(worker.place)

    def _reload(self) -> None:
        """Read certificates again, here (for workers to come) and in the workers."""
        for doorstep in self._doorsteps:
            if doorstep.tls is not None:
                try:
                    doorstep.tls.reload()
                except OSError as error:
                    self._tell("error", "certificate not read", listen=doorstep.listener.address, error=str(error))
                    return
        self._reads += 1
        self._tell("info", "certificates read", listeners=sum(each.tls is not None for each in self._doorsteps))
        for pid, worker in self._workers.items():
            if worker.ready:
                os.kill(pid, signal.SIGHUP)


def has_terminal() -> bool:
    """Whether there is a terminal that can interrupt this process. It is gone once the terminal hangs up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
