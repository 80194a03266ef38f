"""Large objects: throughput of one stream and of several, each object written once and read once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench.figures import Figure
from bench.measures.bodies import Body
from bench.meter import Meter
from bench.plan import MIB, Plan
from bench.servers.running import Running


class LargeObjects:
    """What is read is compared with what was written, after the clock has stopped."""

    name = "large"
    once = False

    def missing(self) -> str | None:
        return None

    def applies(self, server: str) -> bool:
        return bool(server)

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        yield from _one_stream(running, plan, [f"{salt}/single/{n}" for n in range(plan.large_objects)])
        yield from _streams(running, plan, [f"{salt}/several/{n}" for n in range(plan.large_streams)])


def _one_stream(running: Running, plan: Plan, keys: list[str]) -> Iterator[Figure]:
    """PUT every key, each with other bytes; then GET the last as often."""
    body, buffer = Body(plan.large_size), bytearray(plan.large_size)
    with running.client() as client:
        with Meter(running.process) as meter:
            answers = [client.request("PUT", running.target("PUT", key), body.stamp()).good for key in keys]
        yield _figure(_row(plan, "PUT", 1), plan.large_size, meter, answers)
        with Meter(running.process) as meter:
            answers = [client.receive(running.target("GET", keys[-1]), buffer) == (200, len(buffer)) for _ in keys]
        yield _figure(_row(plan, "GET", 1), plan.large_size, meter, [*answers[1:], answers[0] and buffer == body.bytes])


def _streams(running: Running, plan: Plan, keys: list[str]) -> Iterator[Figure]:
    """All keys at once, each on a connection of its own."""
    bodies = {key: Body(plan.large_size).bytes for key in keys}
    buffers = {key: bytearray(plan.large_size) for key in keys}

    def put(key: str) -> bool:
        with running.client() as client:
            return client.request("PUT", running.target("PUT", key), bodies[key]).good

    def get(key: str) -> bool:
        with running.client() as client:
            return client.receive(running.target("GET", key), buffers[key]) == (200, plan.large_size)

    with ThreadPoolExecutor(len(keys)) as pool:
        with Meter(running.process) as meter:
            answers = list(pool.map(put, keys))
        yield _figure(_row(plan, "PUT", len(keys)), plan.large_size, meter, answers)
        with Meter(running.process) as meter:
            answers = list(pool.map(get, keys))
    whole = [good and buffers[key] == bodies[key] for key, good in zip(keys, answers, strict=True)]
    yield _figure(_row(plan, "GET", len(keys)), plan.large_size, meter, whole)


def _row(plan: Plan, verb: str, streams: int) -> str:
    return f"{plan.large_size // MIB} MiB {verb}, {streams} stream{'s' if streams > 1 else ''}"


def _figure(row: str, size: int, meter: Meter, answers: list[bool]) -> Figure:
    failures = answers.count(False)
    return Figure(
        row=row,
        value=size * len(answers) / meter.wall / 1e6,
        unit="MB/s",
        cpu_us=meter.server / len(answers) * 1e6,
        other_cores=meter.other_cores,
        requests=len(answers),
        failures=failures,
        notes=(f"{failures} bad answers",) if failures else (),
    )
