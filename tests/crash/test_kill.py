"""SIGKILL at random moments under mixed load: what was acknowledged is there, whole, and nothing is half there."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from blake3 import blake3

from entrepot.app import open_core
from entrepot.cli.opening import ROOT
from entrepot.config import load
from entrepot.core import BucketChange
from entrepot.core.inspection import Finding
from entrepot.core.outbox import Event
from tests.crash.load import BUCKET, Worker, run_for
from tests.crash.signed import Client
from tests.server import Server

KILLS = int(os.environ.get("ENTREPOT_TEST_KILLS", "50"))
CLIENTS = 6
SEED = os.environ.get("ENTREPOT_TEST_SEED", "") or str(random.randrange(1 << 32))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    victim = Server(tmp_path / "data", workers=2).start()
    yield victim
    if victim.is_running():
        victim.kill9()


@pytest.mark.timeout(900)
def test_nothing_acknowledged_is_lost(server: Server) -> None:
    again = f"to run it again: ENTREPOT_TEST_SEED={SEED}"
    chance = random.Random(SEED)
    shared = [chance.randbytes(size) for size in (0, 1, 3_000, 30_000, 120_000, 5 << 20)]
    workers = [Worker(server, f"client{number}", SEED, shared) for number in range(CLIENTS)]
    client = Client(server.endpoint, server.keys)
    assert client.ask("PUT", BUCKET).status == 200
    client.close()
    asyncio.run(listen(server))
    for round_ in range(KILLS):
        run_for(workers, chance.uniform(0.05, 0.6), server.kill9)
        server.start()
        assert verify(workers) == [], f"round {round_}; {again}"
    assert sum(worker.acked for worker in workers) > 10 * KILLS
    server.kill9()
    assert [finding for finding in asyncio.run(collect_and_check(server)) if not finding.harmless] == [], again
    check_told(workers, asyncio.run(read_feed(server)), again)
    server.start()
    assert verify(workers, everything=True) == [], again


async def listen(server: Server) -> None:
    """Have what happens in the bucket written down, by another process than the server."""
    async with open_core(load({"data": str(server.data)}, server.environment).config) as core:
        await core.buckets.change(ROOT, BUCKET[1:], BucketChange(events=True))


async def read_feed(server: Server) -> list[Event]:
    """Every event of an object, in order; their numbers have no gap."""
    events: list[Event] = []
    async with open_core(load({"data": str(server.data)}, server.environment).config) as core:
        while page := (await core.outbox.read(len(events))).events:
            events += page
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    return [event for event in events if event.kind.startswith("object.")]


def check_told(workers: list[Worker], events: list[Event], again: str) -> None:
    """Each acknowledged change has its event, only what had no answer may have one besides, and the last event
    of a key says what is there.
    """
    last = {event.key: event for event in events}
    for worker in workers:
        told = sum(event.key is not None and event.key.startswith(f"{worker.name}/") for event in events)
        unsure = worker.unanswered + worker.uploads_resumed
        assert worker.changes <= told <= worker.changes + unsure, again
        for key in worker.keys:
            event = last.get(key.path.removeprefix(f"{BUCKET}/"))
            if event is None or event.kind == "object.deleted":
                assert key.acked is None, f"{key.path}; {again}"
                continue
            assert key.acked is not None, f"{key.path}; {again}"
            assert event.payload is not None
            assert event.payload["size"] == len(key.acked), f"{key.path}; {again}"
            assert event.hash in (None, blake3(key.acked).digest()), f"{key.path}; {again}"


def verify(workers: list[Worker], *, everything: bool = False) -> list[str]:
    """What is wrong with any key, and every answer that only a sick server gives."""
    with ThreadPoolExecutor(CLIENTS) as pool:
        found = list(pool.map(lambda worker: worker.verify(everything=everything), workers))
    return [*itertools.chain(*found, *(worker.faults for worker in workers))]


async def collect_and_check(server: Server) -> list[Finding]:
    config = load({"data": str(server.data)}, server.environment).config
    async with open_core(config) as core:
        await core.upkeep.collect(0)
        return [finding async for finding in core.upkeep.check(deep=True)]
