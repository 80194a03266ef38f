"""Defects and damage: what escapes every door, and a stream that cannot go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server
from tests.serving.raw import Closed, Wire, ask, head, signed

DOOR = """
from dataclasses import dataclass
from entrepot.doors import Door
from entrepot.wire.http import Response

@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    pass

def build(core, settings):
    async def answer(request):
        request.note["door"] = "broken"
        if request.path == b"/broken/stream":
            return Response(200, [(b"content-length", b"10")], halves())
        raise RuntimeError("a defect of this door")

    return answer

async def halves():
    yield b"01234"
    raise RuntimeError("a defect of this stream")

DOOR = Door(name="broken", settings=Settings, build=build, paths=("/broken",))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """With a door of somebody else's, found where Python looks for packages."""
    (tmp_path / "more" / "doors").mkdir(parents=True)
    (tmp_path / "more" / "doors" / "broken.py").write_text(DOOR)
    extend = f"import sys, entrepot.doors\nentrepot.doors.__path__.append({str(tmp_path / 'more' / 'doors')!r})\n"
    (tmp_path / "more" / "sitecustomize.py").write_text(extend)
    paths = Server(tmp_path / "data").environment["PYTHONPATH"]
    with Server(tmp_path / "data", environment={"PYTHONPATH": f"{tmp_path / 'more'}:{paths}"}) as server:
        assert ask(server, "PUT", "/bucket").status == 200
        yield server


def failures(server: Server) -> list[dict[str, str]]:
    """What the log tells of failures, after the end of the server."""
    server.stop()
    found = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    server.start()
    return [line for line in found if line["event"] == "failure"]


def test_an_exception_is_a_500_with_its_id_logged_once(server: Server) -> None:
    with Wire(server) as wire:
        wire.send(head("GET", "/broken", [("host", "a")]))
        reply = wire.answer()
        assert reply.status == 500
        id = reply.get("x-request-id")
        assert id is not None
        assert id in reply.body.decode()
        assert "defect" not in reply.body.decode()
        wire.send(signed(server, "GET", "/bucket"))
        assert wire.answer().status == 200
    (line,) = failures(server)
    assert line["id"] == id
    assert "a defect of this door" in line["exception"]


def test_a_stream_that_fails_breaks_the_connection(server: Server) -> None:
    """The client was told of ten bytes and gets five: it knows."""
    with Wire(server) as wire:
        wire.send(head("GET", "/broken/stream", [("host", "a")]))
        with pytest.raises(Closed):
            wire.answer()
    assert ask(server, "GET", "/bucket").status == 200
    (line,) = failures(server)
    assert "a defect of this stream" in line["exception"]


def test_damage_in_the_middle_of_an_object_breaks_the_connection(server: Server) -> None:
    pieces = [bytes([number]) * (4 << 20) for number in range(4)]
    assert ask(server, "PUT", "/bucket/big", b"".join(pieces)).status == 200
    server.restart()  # so that nothing is remembered as verified
    for path in (server.data / "blobs").rglob("*"):
        if len(path.name) == 64 and path.read_bytes()[:1] == b"\2":
            path.chmod(0o600)
            path.write_bytes(pieces[2][:-1] + b"!")
    with Wire(server) as wire:
        wire.send(signed(server, "GET", "/bucket/big"))
        with pytest.raises(Closed) as caught:
            wire.answer()
        assert b"!" not in caught.value.args[0]
    assert ask(server, "GET", "/bucket/big", fields=[("range", "bytes=8388608-")]).status == 500
    assert ask(server, "GET", "/bucket/big", fields=[("range", "bytes=0-9")]).body == bytes(10)
    assert failures(server)
