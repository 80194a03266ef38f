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

from entrepot.app import open_core
from entrepot.config import load
from entrepot.core.inspection import Finding
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
    for round_ in range(KILLS):
        run_for(workers, chance.uniform(0.05, 0.6), server.kill9)
        server.start()
        assert verify(workers) == [], f"round {round_}; {again}"
    assert sum(worker.acked for worker in workers) > 10 * KILLS
    server.kill9()
    assert [finding for finding in asyncio.run(collect_and_check(server)) if not finding.harmless] == [], again
    server.start()
    assert verify(workers, everything=True) == [], again


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
