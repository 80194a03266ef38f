"""Three readings of one stream of bytes: which requests stand in it, with which bodies, and whether it is refused."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h11

from entrepot.asgi import bounded
from entrepot.http1.machine import END, Exchange, Machine
from entrepot.wire.http import Request, Response

HEADER_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class Reading:
    """Whole requests as (method, target, body), and whether what follows them was refused as no request."""

    messages: tuple[tuple[str, str, bytes], ...]
    refused: bool


async def _accept(_: Request) -> Response:
    return Response(200)


def _is_refused(request: Request) -> bool:
    """What stands between the machine and the doors has its say as well."""
    try:
        bounded(_accept, HEADER_BYTES)(request).__await__().send(None)
    except StopIteration as answer:
        return bool(answer.value.status != 200)
    raise AssertionError("it waits")


def ours(parts: Sequence[bytes]) -> Reading:
    machine = Machine(HEADER_BYTES)
    messages: list[tuple[str, str, bytes]] = []
    open_: Exchange | None = None
    body = b""
    for part in parts:
        for event in machine.receive(part):
            if isinstance(event, Exchange):
                machine.answered()
                if _is_refused(event.request):
                    return Reading(tuple(messages), refused=True)
                open_, body = event, b""
            elif isinstance(event, bytes):
                body += event
            elif event is not END:
                return Reading(tuple(messages), refused=True)
            if open_ is not None and (event is END or not open_.content):
                messages.append((open_.request.method, _target(open_.request), body))
                open_ = None
    return Reading(tuple(messages), refused=False)


def _target(request: Request) -> str:
    return (request.raw_path + (b"?" + request.raw_query if request.raw_query else b"")).decode()


def h11s(parts: Sequence[bytes]) -> Reading:
    """Each request on a connection of its own, as h11 does not pass over empty lines before one (RFC 9112 §2.2)."""
    messages: list[tuple[str, str, bytes]] = []
    rest = b"".join(parts)
    try:
        while rest := rest.lstrip(b"\r\n"):
            peer = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES)
            peer.receive_data(rest)
            found = _h11_message(peer)
            if found is None:
                break
            messages.append(found)
            peer.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            peer.send(h11.EndOfMessage())
            rest = peer.trailing_data[0] if peer.our_state is h11.DONE else b""
    except h11.RemoteProtocolError:
        return Reading(tuple(messages), refused=True)
    return Reading(tuple(messages), refused=False)


def _h11_message(peer: h11.Connection) -> tuple[str, str, bytes] | None:
    """The next whole request; None when there is no more, or one that asks for a tunnel."""
    asked = peer.next_event()
    if not isinstance(asked, h11.Request) or asked.method == b"CONNECT":
        return None
    body = b""
    while isinstance(event := peer.next_event(), h11.Data):
        body += bytes(event.data)
    return (asked.method.decode(), asked.target.decode(), body) if isinstance(event, h11.EndOfMessage) else None


class Node:
    """Node's server, which reads one stream after the other."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, parts: Sequence[bytes]) -> Reading:
        asked, told = self._process.stdin, self._process.stdout
        assert asked is not None
        assert told is not None
        asked.write(json.dumps({"parts": [base64.b64encode(part).decode() for part in parts]}) + "\n")
        asked.flush()
        found = json.loads(told.readline())
        messages = tuple((method, target, base64.b64decode(body)) for method, target, body in found["messages"])
        return Reading(messages, refused=found["refused"])


@contextmanager
def node() -> Iterator[Node]:
    script = Path(__file__).with_name("node_server.js")
    with subprocess.Popen(["node", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Node(process)
        finally:
            process.kill()
