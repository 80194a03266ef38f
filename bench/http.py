"""A plain streaming client: bytes to and from one socket, nothing an SDK would add."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

TIMEOUT_SECONDS = 120.0
_ERROR_TEXT = 160

LOST = (OSError, http.client.HTTPException)
"""What a request raises when the server breaks the connection or answers nonsense."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def __str__(self) -> str:
        """The status and, of an error, the beginning of what it says."""
        words = "" if self.good else self.body[:_ERROR_TEXT].decode(errors="replace").replace("\n", " ")
        return f"{self.status} {words}".strip()


class Client:
    """One keep-alive connection. Requests raise one of ``LOST`` when it breaks."""

    def __init__(self, host: str, port: int, timeout: float = TIMEOUT_SECONDS) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def request(self, method: str, target: str, body: bytes | bytearray | memoryview | None = None) -> Answer:
        """One request whose answer is small."""
        return self.send(method, target, () if body is None else (body,), 0 if body is None else len(body))

    def send(self, method: str, target: str, pieces: Iterable[bytes | bytearray | memoryview], size: int) -> Answer:
        """One request with a body of ``size`` bytes given in pieces."""
        self._connection.putrequest(method, target, skip_accept_encoding=True)
        if method in {"PUT", "POST"}:
            self._connection.putheader("Content-Length", str(size))
        self._connection.endheaders()
        for piece in pieces:
            self._connection.send(piece)
        response = self._connection.getresponse()
        return Answer(response.status, response.read())

    def receive(self, target: str, buffer: bytearray) -> tuple[int, int]:
        """GET into ``buffer``, over and over when the body is longer; the status and the bytes received."""
        self._connection.putrequest("GET", target, skip_accept_encoding=True)
        self._connection.endheaders()
        response = self._connection.getresponse()
        view = memoryview(buffer)
        total = 0
        while count := response.readinto(view[total % len(buffer) :]):
            total += count
        return response.status, total
