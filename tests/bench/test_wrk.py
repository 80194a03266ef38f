"""Reading what the load generator reports."""

from __future__ import annotations

import pytest

from bench.measures.bodies import Body, pieces
from bench.wrk import WrkFailed, parse

SAID = """Running 1s test @ http://127.0.0.1:9000
RESULT requests=2000 microseconds=1000000 bytes=8600000 p50=450 p99=2600 status=3 lost=1
"""


def test_the_result_line_is_read() -> None:
    load = parse(SAID, "", 0.25)

    assert (load.rate, load.p50_ms, load.p99_ms) == (2000.0, 0.45, 2.6)
    assert (load.received, load.bad_status, load.lost, load.generator_cores) == (8_600_000, 3, 1, 0.25)


def test_a_run_without_a_result_says_why() -> None:
    with pytest.raises(WrkFailed, match="unable to connect"):
        parse("", "unable to connect to 127.0.0.1:1 Connection refused", 0.0)


def test_no_piece_of_a_body_repeats() -> None:
    size = 1 << 18
    body = Body(size)
    seen = {bytes(body.stamp()[offset : offset + (1 << 16)]) for _ in range(4) for offset in range(0, size, 1 << 16)}

    assert len(seen) == 16


def test_pieces_have_the_size_asked_for() -> None:
    assert sum(len(piece) for piece in pieces((9 << 20) + 5)) == (9 << 20) + 5
