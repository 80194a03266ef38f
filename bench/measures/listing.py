"""ListObjectsV2 of one page out of many keys: server CPU time, wherever the page begins."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.meter import Meter
from bench.plan import Plan
from bench.servers import OURS, filling
from bench.servers.running import BUCKET, PROBE, Running

_PAGE = 1_000


class Listings:
    """Entrepôt only: filling a million keys over HTTP would take the peers longer than all the rest."""

    name = "list"
    once = True

    def missing(self) -> str | None:
        return None

    def applies(self, server: str) -> bool:
        return server == OURS

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        each = plan.list_keys // plan.list_prefixes
        prefixes = [f"{salt}/{n:07}/" for n in range(plan.list_prefixes)]
        names = (f"{prefix}{n:04}" for prefix in prefixes for n in range(each))
        filling.fill(running.site.data, BUCKET, names, PROBE)
        places = {"start": 0, "middle": plan.list_prefixes // 2, "end": plan.list_prefixes - _PAGE - 2}
        for place, index in places.items():
            query = {"prefix": f"{salt}/", "start-after": prefixes[index] + "~"}
            row = f"List {_PAGE:,} of {plan.list_keys:,} keys, {place}"
            yield _pages(running, row, query, r"<Key>", plan.list_requests)
        for place, index in places.items():
            query = {"prefix": f"{salt}/", "delimiter": "/", "start-after": prefixes[index] + "~"}
            row = f"List {_PAGE:,} of {plan.list_prefixes:,} prefixes, {place}"
            yield _pages(running, row, query, r"<CommonPrefixes>", plan.list_requests)


def _pages(running: Running, row: str, query: dict[str, str], entry: str, requests: int) -> Figure:
    """The same page over and over; an answer without exactly a full page of entries is a failure."""
    target = running.target("GET", "", {"list-type": "2", "max-keys": str(_PAGE), **query})
    bad: list[str] = []
    walls: list[float] = []
    with running.client() as client:
        client.request("GET", target)
        with Meter(running.process) as meter:
            for _ in range(requests):
                begin = time.perf_counter()
                answer = client.request("GET", target)
                walls.append((time.perf_counter() - begin) * 1e3)
                entries = len(re.findall(entry.encode(), answer.body))
                if not answer.good or entries != _PAGE:
                    bad.append(f"{entries} entries: {answer}")
    return Figure(
        row=row,
        value=meter.server / requests * 1e3,
        unit="ms CPU",
        better="less",
        p50_ms=statistics.median(walls),
        p99_ms=_high(walls),
        cpu_us=meter.server / requests * 1e6,
        other_cores=meter.other_cores,
        requests=requests,
        failures=len(bad),
        notes=(f"{len(bad)} pages not full, the first {bad[0]}",) if bad else (),
    )


def _high(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]
