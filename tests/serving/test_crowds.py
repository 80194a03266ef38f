"""More connections than there may be, and clients that take no answer."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.raw import Closed, Wire, ask, head, signed

HEALTH = head("GET", "/health", [("host", "a")])


def test_new_connections_are_refused_before_old_ones(tmp_path: Path) -> None:
    """A crowd of idle connections takes nothing from those that were there."""
    with Server(tmp_path / "data", environment={"ENTREPOT_LIMITS__CONNECTIONS": "16"}) as server:
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(Wire(server)) for _ in range(16)]
            for wire in wires:
                wire.send(HEALTH)
                assert wire.answer().status == 200
            with Wire(server) as more:
                assert more.answer().status == 503
                assert more.ended()
            wires[0].send(HEALTH)
            assert wires[0].answer().status == 200
        assert ask(server, "PUT", "/bucket").status == 200


def test_an_answer_that_nobody_takes_is_given_up(tmp_path: Path) -> None:
    with Server(tmp_path / "data", environment={"ENTREPOT_LIMITS__STALL_SECONDS": "1"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        assert ask(server, "PUT", "/bucket/big", os.urandom(1 << 20) * 24).status == 200
        with Wire(server, receive_buffer=65_536) as wire:
            wire.send(signed(server, "GET", "/bucket/big"))
            deadline = time.monotonic() + 60
            while '"operation":"GetObject"' not in server.log.read_text():  # it is told once it has ended
                assert time.monotonic() < deadline, "the answer is still under way"
                time.sleep(0.1)
            with pytest.raises(Closed):
                wire.answer()
