"""How much to measure: every duration, count and size of a run, in one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes are bytes, durations seconds."""

    rounds: int = 3
    connections: tuple[int, ...] = (1, 16, 64)
    seconds: int = 4
    """Length of one load level of a small-object measure."""
    workers: int = 2
    """Worker processes of Entrepôt; the peers use threads and take every core they find."""

    small_size: int = 4 * KIB
    small_objects: int = 2_000
    """Objects that the small GETs choose among."""
    small_targets: int = 40_000
    """Distinct keys pre-signed for one level of small PUTs; after so many the generator starts over."""

    large_size: int = 64 * MIB
    large_objects: int = 3
    large_streams: int = 4

    huge_size: int = 2 * GIB
    slow_uploads: int = 200
    slow_size: int = 5 * MIB
    slow_seconds: float = 15.0

    list_keys: int = 1_000_000
    list_prefixes: int = 100_000
    list_requests: int = 60


FULL = Plan()

QUICK = Plan(
    rounds=1,
    seconds=2,
    small_objects=500,
    small_targets=15_000,
    large_objects=2,
    huge_size=256 * MIB,
    slow_seconds=6.0,
    list_keys=100_000,
    list_prefixes=10_000,
    list_requests=30,
)
