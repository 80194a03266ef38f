"""Bytes on a socket of a started server: requests as they are written, answers as they come.

with Wire(server) as wire:
    wire.send(signed(server, "PUT", "/bucket/key", [("content-length", "5")]) + b"hello")
    assert wire.answer().status == 200
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from lxml import etree

from tests.server import Server

UNSIGNED = "UNSIGNED-PAYLOAD"
TRAILER = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
PATIENCE = 60.0
"""Seconds after which a server that says nothing is taken for stuck."""

Fields = Iterable[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; header names in lower case."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes

    def get(self, name: str) -> str | None:
        return next((value for key, value in self.fields if key == name), None)

    @property
    def code(self) -> str | None:
        """S3's error code."""
        return etree.fromstring(self.body).findtext("{*}Code") if self.body else None


class _Signer(S3SigV4Auth):  # type: ignore[misc]  # untyped
    """Signs whatever is announced of the payload."""

    announced = UNSIGNED

    def payload(self, request: AWSRequest) -> str:
        return self.announced


class Closed(Exception):
    """The server closed the connection before a whole answer came; what had come by then."""


class Wire:
    """One connection. Raises TimeoutError when the server says nothing for ``PATIENCE`` seconds."""

    def __init__(self, server: Server, context: ssl.SSLContext | None = None, receive_buffer: int = 0) -> None:
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(PATIENCE)
        try:
            self.socket.connect((server.host, server.port))
            if context is not None:
                self.socket = context.wrap_socket(self.socket, server_hostname=server.host)
        except OSError:
            self.socket.close()
            raise
        self._came = b""

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, *, head: bool = False) -> Reply:
        """The next answer; interim ones are read over. ``head`` tells that it has no body. Raises Closed."""
        reply = self._answer(head=head)
        while reply.status < 200:
            reply = self._answer(head=head)
        return reply

    def interim(self) -> Reply:
        """The next answer, interim or not, without a body if it is interim."""
        return self._answer(head=False)

    def silent(self, seconds: float) -> bool:
        """Whether nothing comes for that long."""
        if self._came:
            return False
        self.socket.settimeout(seconds)
        try:
            self._came += self.socket.recv(1)
        except TimeoutError:
            return True
        finally:
            self.socket.settimeout(PATIENCE)
        return False

    def ended(self) -> bool:
        """Wait until the server closes; whether nothing more came before."""
        rest = self._came
        try:
            while data := self.socket.recv(65536):
                rest += data
        except ConnectionResetError:
            pass
        return not rest

    def shut(self) -> None:
        """Say that nothing more will be sent, if the server has not closed already."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Vanish: the server gets a reset and not an end."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    def _answer(self, *, head: bool) -> Reply:
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        fields = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:-2])]
        reply = Reply(status, fields, b"")
        if head or status < 200 or status in (204, 304):
            return reply
        if reply.get("transfer-encoding") == "chunked":
            return Reply(status, fields, self._chunks())
        return Reply(status, fields, self._exactly(int(reply.get("content-length") or 0)))

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self._until(b"\r\n"), 16):
            body += self._exactly(size + 2)[:-2]
        self._until(b"\r\n")
        return body

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._came:
            self._more()
        found, _, self._came = self._came.partition(mark)
        return found + mark

    def _exactly(self, size: int) -> bytes:
        while len(self._came) < size:
            self._more()
        found, self._came = self._came[:size], self._came[size:]
        return found

    def _more(self) -> None:
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed(self._came)
        self._came += data


def head(method: str, target: str, fields: Fields, version: str = "1.1") -> bytes:
    """A request line and fields, as given."""
    lines = [f"{method} {target} HTTP/{version}", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def signed(
    server: Server,
    method: str,
    target: str,
    fields: Fields = (),
    *,
    payload: str = UNSIGNED,
    extra: Fields = (),
    host: str = "",
    version: str = "1.1",
) -> bytes:
    """A head with a signature over ``fields``; ``extra`` go along unsigned."""
    return head(method, target, [*proof(server, method, target, fields, payload, host), *extra], version)


def proof(
    server: Server, method: str, target: str, fields: Fields = (), payload: str = UNSIGNED, host: str = ""
) -> list[tuple[str, str]]:
    """The fields, with the host and a signature over all of them."""
    name = host or f"{server.host}:{server.port}"
    request = AWSRequest(method, f"http://{name}{target}", dict(fields))
    signer = _Signer(Credentials(server.keys.access, server.keys.secret), "s3", "us-east-1")
    signer.announced = payload
    signer.add_auth(request)
    kept = [(key.lower(), str(value)) for key, value in request.headers.items()]
    return [("host", name), *kept]


def presigned(server: Server, method: str, target: str, host: str = "", expires: int = 300) -> str:
    """The target with a signature in its query."""
    name = host or f"{server.host}:{server.port}"
    request = AWSRequest(method, f"http://{name}{target}")
    S3SigV4QueryAuth(Credentials(server.keys.access, server.keys.secret), "s3", "us-east-1", expires).add_auth(request)
    return str(request.url).partition(name)[2]


def ask(server: Server, method: str, target: str, body: bytes = b"", fields: Fields = ()) -> Reply:
    """One signed request on a connection of its own."""
    with Wire(server) as wire:
        wire.send(signed(server, method, target, [("content-length", str(len(body))), *fields]) + body)
        return wire.answer(head=method == "HEAD")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
