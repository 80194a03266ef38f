"""Peak resident memory of each process of a server, under load that tempts it to hold bytes."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from bench.figures import Figure
from bench.http import LOST
from bench.measures.bodies import BLOCK, Body, pieces
from bench.plan import GIB, MIB, Plan
from bench.servers.running import Running

_FSYNC_TWIN = "seaweedfs-fsync"
_TICK_SECONDS = 0.1
_PATIENCE_SECONDS = 120.0


class HugeObject:
    """One object far larger than memory should be, up and down again."""

    name = "memory"
    once = True

    def missing(self) -> str | None:
        return None

    def applies(self, server: str) -> bool:
        return server != _FSYNC_TWIN

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        size, key = plan.huge_size, f"{salt}/huge"
        running.process.reset_peaks()
        failures = 0
        try:
            with running.client() as client:
                failures += not client.send("PUT", running.target("PUT", key), pieces(size), size).good
                buffer = bytearray(BLOCK)
                status, count = client.receive(running.target("GET", key), buffer)
                failures += not (status == 200 and count == size)
        except LOST:
            failures += 1
        yield _peak(running, f"{_size(size)} up and down, peak memory", 2, failures)


class SlowUploads:
    """Many uploads at once, each given its bytes little by little, at the same pace.

    Each body is a little longer than one blob, so that for a while every one of them has nearly a whole blob
    waiting.
    """

    name = "slow"
    once = True

    def missing(self) -> str | None:
        return None

    def applies(self, server: str) -> bool:
        return server != _FSYNC_TWIN

    def take(self, running: Running, plan: Plan, salt: str) -> Iterator[Figure]:
        running.process.reset_peaks()
        failures = trickle(running, plan, salt)
        row = f"{plan.slow_uploads} slow uploads, peak memory"
        yield _peak(running, row, plan.slow_uploads, failures)


@dataclass(slots=True)
class _Upload:
    connection: socket.socket
    stamp: bytes
    sent: int = 0
    answer: bytes = b""
    over: bool = False


def trickle(running: Running, plan: Plan, salt: str) -> int:
    """Drive all uploads from one thread; the number that did not end with 200."""
    body = Body(plan.slow_size).bytes
    uploads = [_open(running, f"{salt}/slow/{n}", n, plan.slow_size) for n in range(plan.slow_uploads)]
    begin = time.monotonic()
    try:
        with selectors.DefaultSelector() as selector:
            for upload in uploads:
                selector.register(upload.connection, selectors.EVENT_READ, upload)
            while not all(upload.over for upload in uploads):
                elapsed = time.monotonic() - begin
                if elapsed > plan.slow_seconds + _PATIENCE_SECONDS:
                    break
                due = int(plan.slow_size * min(1.0, elapsed / plan.slow_seconds))
                for upload in uploads:
                    _feed(upload, body, due)
                for key, _ in selector.select(_TICK_SECONDS):
                    _hear(key.data, selector)
    finally:
        for upload in uploads:
            upload.connection.close()
    return sum(b" 200 " not in upload.answer.split(b"\r\n")[0] for upload in uploads)


def _open(running: Running, key: str, number: int, size: int) -> _Upload:
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=30)
    head = (
        f"PUT {running.target('PUT', key)} HTTP/1.1\r\nHost: {running.host}\r\n"
        f"Content-Length: {size}\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(head.encode())
    connection.setblocking(False)
    return _Upload(connection, number.to_bytes(8, "big"))


def _feed(upload: _Upload, body: bytearray, due: int) -> None:
    """Send what is due by now, as far as the server takes it."""
    while not upload.over and upload.sent < due:
        # Eight bytes at the front of each blob make the uploads differ.
        offset = upload.sent % BLOCK
        source, begin = (upload.stamp, offset) if offset < len(upload.stamp) else (body, upload.sent)
        piece = memoryview(source)[begin : begin + min(due - upload.sent, BLOCK - offset)]
        try:
            upload.sent += upload.connection.send(piece)
        except BlockingIOError:
            return
        except OSError:
            upload.over = True


def _hear(upload: _Upload, selector: selectors.BaseSelector) -> None:
    try:
        received = upload.connection.recv(4096)
    except OSError:
        received = b""
    upload.answer += received
    if not received or b"\r\n\r\n" in upload.answer:
        upload.over = True
        selector.unregister(upload.connection)


def _peak(running: Running, row: str, requests: int, failures: int) -> Figure:
    processes = running.process.memory()
    largest = processes[0].peak if processes else 0
    everything = sum(each.peak for each in processes)
    notes = [f"{len(processes)} processes, {everything / MIB:.0f} MiB together"]
    if failures:
        notes.append(f"{failures} failed")
    return Figure(
        row=row,
        value=largest / MIB,
        unit="MiB",
        better="less",
        requests=requests,
        failures=failures + (0 if processes else 1),
        notes=tuple(notes),
    )


def _size(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"
