"""What the server tells of its requests: an id in every answer, a line in the log, metrics.

The access log goes through structlog to standard error, gathered for a moment so that a line costs
no system call. Metrics are prometheus-client's; with several workers they meet in a directory that
``PROMETHEUS_MULTIPROC_DIR`` names before this module is imported (see ``serving``).
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import sys
import time
from bisect import bisect_left
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

from entrepot.config import Config
from entrepot.core.runner import Told
from entrepot.wire.http import Buffer, Handler, Request, Response

_TOLD_LEVELS: Final = frozenset({"debug", "info"})
"""Levels of the log at which requests are told."""

_FAILED: Final = 500
"""From this status on it is the server that failed, and its operator is told at every level."""

FLUSH_SECONDS: Final = 0.1
"""How long a line of the log may wait for others."""

NOTED_MOST: Final = 64
"""How many requests may wait to be counted and told: few enough that nobody waits for it."""

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30)


COUNTED: Final = {"counter": 64 * 1024, "histogram": 128 * 1024}
"""Bytes that a process keeps its counts in, by what the library's files begin with: those of some 40 operations."""


class Durations(Histogram):
    """A histogram that takes many observations for the price of one: each of the library's own ones asks
    for the process id and writes to the shared file twice.
    """

    def add(self, counts: Sequence[int], total: float) -> None:
        """``counts`` has one number for each of ``BOUNDS`` and one for what is beyond; ``total`` is in seconds."""
        for bucket, count in zip(self._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        self._sum.inc(total)


REQUESTS: Final = Counter("entrepot_requests", "Requests answered", ("operation", "status"))
SECONDS: Final = Durations(
    "entrepot_request_seconds", "Time until an answer was ready or its stream ended", ("operation",), buckets=BOUNDS
)
RECEIVED: Final = Counter("entrepot_received_bytes", "Bytes of request bodies", ("operation",))
SENT: Final = Counter("entrepot_sent_bytes", "Bytes of answers", ("operation",))

STEPS: Final = Counter("entrepot_job_steps", "Steps of what runs by itself", ("job", "outcome"))
STEP_SECONDS: Final = Counter("entrepot_job_cpu_seconds", "CPU of this process during steps", ("job",))
DONE: Final = Counter("entrepot_job_done", "What steps came to, in the job's own words", ("job", "what"))


def count_step(told: Told) -> None:
    """Count a step of a job; one that failed is told in the log."""
    job = told.kind or "none"
    STEPS.labels(job, told.outcome).inc()
    STEP_SECONDS.labels(job).inc(told.cpu)
    for what, count in told.done.items():
        DONE.labels(job, what).inc(count)
    for note in told.notes:
        structlog.get_logger().warning("job", job=job, note=note)
    if told.error is not None:
        structlog.get_logger().warning("job", job=job, outcome=told.outcome, error=str(told.error))


def scrape() -> bytes:
    """The metrics of all processes in Prometheus' text format."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the library's own gap
    return generate_latest(registry)


def reserve() -> None:
    """Give the files in which this process counts all their blocks. They are mapped to memory, with holes where nothing
    was counted yet: on a full disk the first count in a hole would end the process (SIGBUS). Raises OSError.
    """
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory is None:
        return
    for kind, size in COUNTED.items():
        file = os.open(f"{directory}/{kind}_{os.getpid()}.db", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, size)
        finally:
            os.close(file)


class Lines:
    """Where log lines go: standard error, a moment later and many at a time."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None

    def msg(self, line: bytes) -> None:
        """Take a line without its end. Outside of an event loop it is written at once."""
        self._waiting.append(line)
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)
            except RuntimeError:
                self.flush()

    debug = info = warning = error = exception = critical = msg

    def flush(self) -> None:
        """Write what waits."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._waiting = self._waiting, []
        if lines:
            sys.stderr.buffer.write(b"\n".join(lines) + b"\n")
            sys.stderr.buffer.flush()


_LINES: Final = Lines()

_Noted = tuple[int, str, str, str, int, int, int, float, dict[str, object]]
"""When a request was answered (nanoseconds), its id, client, method, status, bytes in and out, seconds, note."""


def configure_log(config: Config) -> None:
    """Set up structlog for this process: JSON lines, or text for people on a terminal."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _renderer(config),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, config.log.level.upper())),
        logger_factory=lambda *_: _LINES,
        cache_logger_on_first_use=True,
    )


def tell_passed_by(names: Sequence[str]) -> None:
    """Say which variables are no settings of ours, though they begin like them."""
    if names:
        structlog.get_logger().info("variables of Kubernetes or Docker are passed by", names=", ".join(names))


def _renderer(config: Config) -> Callable[[object, str, structlog.typing.EventDict], bytes]:
    text = config.log.format == "text" or (config.log.format == "auto" and sys.stderr.isatty())
    return _as_text if text else _as_json


def _as_json(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    return msgspec.json.encode(event, enc_hook=str)


def _as_text(_logger: object, _method: str, event: structlog.typing.EventDict) -> bytes:
    head = f"{event.pop('timestamp')} {event.pop('level'):7} {event.pop('event')}"
    line = " ".join([head, *(f"{name}={_shown(name, value)}" for name, value in event.items())])
    return line.encode("utf-8", "replace")


def _shown(name: str, value: object) -> str:
    """A value on a line. Keys come from anybody: none may write a line of its own, or to a terminal.
    Tracebacks do have lines.
    """
    text = str(value)
    return text if name == "exception" or text.isprintable() else ascii(text)


class Observer:
    """A handler around a handler. An exception that escapes the doors is a defect: it is logged
    with its traceback, and the client gets a plain 500 with the id to ask for.
    """

    def __init__(self, handler: Handler, config: Config) -> None:
        self._handler = handler
        self._access = config.log.access and config.log.level in _TOLD_LEVELS
        self._render = _renderer(config)
        self._stamp = _Stamp()
        self._metrics = config.metrics.enabled
        self._log = structlog.get_logger()
        if self._metrics:
            try:
                reserve()
            except OSError as error:  # better not to count than not to answer
                self._metrics = False
                self._log.warning("metrics are off until the next start", error=error.strerror)
        self._prefix = os.urandom(5).hex().upper()
        self._count = itertools.count()
        self._noted: list[_Noted] = []
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, request: Request) -> Response:
        request.id = f"{self._prefix}{next(self._count):06X}"
        begin = time.perf_counter()
        try:
            response = await self._handler(request)
        except Exception:  # noqa: BLE001 - the last border: it is told, and the server goes on
            self._log.exception("failure", id=request.id, method=request.method, **request.note)
            body = f"internal error; request {request.id}\n".encode()
            response = Response(500, [(b"content-length", b"%d" % len(body))], body)
        response.headers.append((b"x-request-id", request.id.encode()))
        response.headers.append((b"server", b"entrepot"))
        if isinstance(response.body, bytes | bytearray | memoryview):
            self._tell(request, response.status, begin, len(response.body))
        else:
            response.body = self._counted(response.body, request, response.status, begin)
        return response

    async def _counted(
        self, body: AsyncIterator[Buffer], request: Request, status: int, begin: float
    ) -> AsyncIterator[Buffer]:
        sent = 0
        try:
            async for data in body:
                sent += len(data)
                yield data
        except Exception as error:  # told to the log, and raised
            request.note["error"] = str(error)
            self._log.exception("failure", id=request.id, method=request.method, **request.note)
            raise
        finally:
            close: Callable[[], Awaitable[None]] | None = getattr(body, "aclose", None)
            if close is not None:
                await close()
            self._tell(request, status, begin, sent)

    def flush(self) -> None:
        """Write and count what waits; the last thing to do before the process ends."""
        self._settle()
        _LINES.flush()

    def _tell(self, request: Request, status: int, begin: float, sent: int) -> None:
        """Note a request. It is counted, and its line is made, with others a little later: many in a row cost
        a fraction of what each of them costs between two requests.
        """
        seconds = time.perf_counter() - begin
        received = getattr(request.body, "received", 0)
        noted = self._noted
        noted.append(
            (time.time_ns(), request.id, request.client, request.method, status, received, sent, seconds, request.note)
        )
        if len(noted) >= NOTED_MOST:
            self._settle()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._settle)

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        noted, self._noted = self._noted, []
        if self._metrics:
            _count(noted)
        for each in noted:
            if self._access or each[4] >= _FAILED:
                _LINES.msg(self._render(None, "info", self._line(each)))

    def _line(self, noted: _Noted) -> dict[str, Any]:
        """What structlog's processors would make of it, at a third of their cost."""
        at, id, client, method, status, received, sent, seconds, note = noted
        return {
            "timestamp": self._stamp.text(at), "level": "info" if status < _FAILED else "error", "event": "request",
            "id": id, "client": client, "method": method, "status": status, "received": received, "sent": sent,
            "seconds": round(seconds, 6), **note,
        }  # fmt: skip


def _count(requests: Sequence[_Noted]) -> None:
    """Move the counters, which other processes read."""
    all_sums: dict[tuple[str, int], _Sums] = {}
    for _, _, _, _, status, received, sent, seconds, note in requests:
        key = (str(note.get("operation", "none")), status)
        sums = all_sums.get(key)
        if sums is None:
            sums = all_sums[key] = _Sums()
        sums.counts[bisect_left(BOUNDS, seconds)] += 1
        sums.seconds += seconds
        sums.received += received
        sums.sent += sent
    for (operation, status), sums in all_sums.items():
        REQUESTS.labels(operation, str(status)).inc(sum(sums.counts))
        RECEIVED.labels(operation).inc(sums.received)
        SENT.labels(operation).inc(sums.sent)
        SECONDS.labels(operation).add(sums.counts, sums.seconds)


class _Stamp:
    """The time in ISO 8601, of which all but the fraction is made once a second."""

    __slots__ = ("_second", "_text")

    def __init__(self) -> None:
        self._second = -1
        self._text = ""

    def text(self, at: int) -> str:
        """``at`` is in nanoseconds since the epoch."""
        second, nanoseconds = divmod(at, 1_000_000_000)
        if second != self._second:
            self._second = second
            self._text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._text}.{nanoseconds // 1000:06d}Z"


class _Sums:
    """What came of requests of one operation and status."""

    __slots__ = ("counts", "received", "seconds", "sent")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.received = 0
        self.sent = 0
