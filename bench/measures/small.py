"""Small objects: requests a second, latency, and the server's CPU time for each."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from bench import wrk
from bench.figures import Figure
from bench.meter import Meter
from bench.plan import Plan
from bench.servers.running import Running
from bench.wrk import Generator, Load

_WARM_CONNECTIONS = 16
_FILL_THREADS = 8
_SATURATED = 0.9
_PROBES = 20


class SmallPuts:
    """New keys, distinct random bodies; a sample of what was acknowledged is read back afterwards. Signed in the query,
    as links are, or ``in_header``, as SDKs sign: some servers pay much more for one than for the other.
    """

    once = False

    def __init__(self, *, in_header: bool = False) -> None:
        self.name = "signed-put" if in_header else "put"
        self._in_header = in_header

    def missing(self) -> str | None:
        return wrk.missing()

    def applies(self, server: str) -> bool:
        return bool(server)

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        generator = Generator(running.port, running.site.directory)
        warm = [running.target("PUT", f"{salt}/warm/{n:06}") for n in range(plan.small_targets // 10)]
        generator.put(warm, plan.small_size, _WARM_CONNECTIONS, 1)
        for connections in plan.connections:
            keys = [f"{salt}/{connections}/{n:06}" for n in range(plan.small_targets)]
            targets = _targets(running, "PUT", keys, in_header=self._in_header)

            def load(targets: Sequence[str] = targets, connections: int = connections) -> Load:
                return generator.put(targets, plan.small_size, connections, plan.seconds)

            row = _row("PUT", plan, connections, in_header=self._in_header)
            figure = _measured(running, row, connections, load, 0)
            yield _read_back(running, figure, keys, plan.small_size)


class SmallGets:
    """Random choice among objects that lie in every cache; each answer's length is counted. Signed as the PUTs are."""

    once = False

    def __init__(self, *, in_header: bool = False) -> None:
        self.name = "signed-get" if in_header else "get"
        self._in_header = in_header

    def missing(self) -> str | None:
        return wrk.missing()

    def applies(self, server: str) -> bool:
        return bool(server)

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        keys = [f"{salt}/{n:06}" for n in range(plan.small_objects)]
        _fill(running, keys, plan.small_size)
        targets = _targets(running, "GET", keys, in_header=self._in_header)
        random.Random(0).shuffle(targets)
        generator = Generator(running.port, running.site.directory)
        generator.get(targets, _WARM_CONNECTIONS, 1)
        for connections in plan.connections:

            def load(connections: int = connections) -> Load:
                return generator.get(targets, connections, plan.seconds)

            row = _row("GET", plan, connections, in_header=self._in_header)
            yield _measured(running, row, connections, load, plan.small_size)


def _measured(running: Running, row: str, connections: int, run: Callable[[], Load], least_bytes: int) -> Figure:
    """Run one load level; answers shorter than ``least_bytes`` on average make it invalid."""
    with Meter(running.process) as meter:
        load = run()
    short = 1 if load.received < load.requests * least_bytes else 0
    notes: list[str] = []
    if load.generator_cores > _SATURATED * wrk.threads_for(connections):
        notes.append("generator-bound")
    if load.bad_status:
        notes.append(f"{load.bad_status} bad answers")
    if load.lost:
        notes.append(f"{load.lost} lost connections or timeouts")
    if short:
        notes.append("answers too short")
    return Figure(
        row=row,
        value=load.rate,
        unit="req/s",
        p50_ms=load.p50_ms,
        p99_ms=load.p99_ms,
        cpu_us=meter.server / load.requests * 1e6 if load.requests else None,
        generator_cores=load.generator_cores,
        other_cores=meter.other_cores,
        requests=load.requests,
        failures=load.bad_status + load.lost + short + (0 if load.requests else 1),
        notes=tuple(notes),
    )


def _read_back(running: Running, figure: Figure, keys: Sequence[str], size: int) -> Figure:
    """Read a sample of the keys the generator has certainly written; count those that are not whole."""
    # Threads start at different places of the list: only the first stretch is written whatever their number.
    written = keys[: max(1, min(figure.requests // (2 * wrk.threads_for(64)), len(keys)))]
    tail = (running.site.directory / "tail").read_bytes()
    wrong = 0
    with running.client() as client:
        for key in random.Random(1).sample(written, min(_PROBES, len(written))):
            answer = client.request("GET", running.target("GET", key))
            wrong += not (answer.good and len(answer.body) == size and answer.body.endswith(tail))
    if not wrong:
        return figure
    notes = (*figure.notes, f"{wrong} of {_PROBES} objects not as written")
    return replace(figure, failures=figure.failures + wrong, notes=notes)


def _fill(running: Running, keys: Sequence[str], size: int) -> None:
    """Store one random object under every key. Raises when the server refuses one."""

    def store(part: Sequence[str]) -> None:
        with running.client() as client:
            for key in part:
                answer = client.request("PUT", running.target("PUT", key), secrets.token_bytes(size))
                if not answer.good:
                    raise OSError(f"PUT {key}: {answer}")

    with ThreadPoolExecutor(_FILL_THREADS) as pool:
        for _ in pool.map(store, [keys[n::_FILL_THREADS] for n in range(_FILL_THREADS)]):
            pass


def _targets(running: Running, method: str, keys: Sequence[str], *, in_header: bool) -> list[str]:
    return running.signed(method, keys) if in_header else [running.target(method, key) for key in keys]


def _row(method: str, plan: Plan, connections: int, *, in_header: bool) -> str:
    return f"{'Header-signed ' if in_header else ''}{_size(plan.small_size)} {method}, {_connections(connections)}"


def _size(size: int) -> str:
    return f"{size // 1024} KiB"


def _connections(count: int) -> str:
    return f"{count} connection{'s' if count > 1 else ''}"
