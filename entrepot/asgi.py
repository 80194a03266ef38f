"""Our requests and responses as an ASGI application.

What the server below does was measured, and this module honours it:

* A disconnect before the last body message means the body is incomplete, whatever the framing.
* ``send`` does not fail once the client has gone: a long answer watches ``receive`` beside it.
* ``Expect: 100-continue`` is answered when the body is first read, so nothing reads it here.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.wire.hosts import is_host
from entrepot.wire.http import Buffer, Handler, Headers, Objection, Request, Response, plain_refusal
from entrepot.wire.incoming import DRAIN_BYTES, LINGER_SECONDS, Incoming, is_too_slow

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Wording = Callable[[Request, Objection], Response]
Lifetime = Callable[[], contextlib.AbstractAsyncContextManager[Handler]]

_METHODS: Final = b"GET, HEAD, PUT, POST, DELETE, OPTIONS"
"""What is answered to a client that asks about the server as a whole (RFC 9110 §9.3.7)."""


class Relayed(Incoming):
    """A body as an ASGI server hands it on. One of which nothing comes for ``stall`` seconds is given up, and so is
    one that comes at less than ``rate`` bytes a second (see ``wire.incoming``).
    """

    __slots__ = ("_rate", "_receive", "_stall", "_waited")

    def __init__(self, receive: Receive, stall: float, rate: float) -> None:
        super().__init__()
        self._receive = receive
        self._stall = stall
        self._rate = rate
        self._waited = 0.0

    async def __anext__(self) -> bytes:
        while not self.ended:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(self._stall):
                    message = await self._receive()
            except TimeoutError:
                self.broken = True
                raise BodyStalled(self.received, None) from None
            self._waited += time.monotonic() - begin
            data: bytes = message.get("body", b"")
            if is_too_slow(self.received + len(data), self._waited, self._rate):
                self.broken = True
                raise BodyStalled(self.received, None)
            if message["type"] != "http.request":
                self.broken = True
                raise BodyIncomplete(self.received, None)
            self.ended = not message.get("more_body", False)
            if data:
                self.received += len(data)
                return data
        raise StopAsyncIteration

    def is_pending(self, headers: Headers) -> bool:
        """Whether there is a body of which the end has not come."""
        announced = headers.raw_get(b"content-length") or headers.raw_get(b"transfer-encoding")
        return not self.ended and announced is not None and announced != b"0"

    def can_be_drained(self, headers: Headers) -> bool:
        """Whether the next request will be found behind what is left. A client that got an answer instead of
        "100 Continue" may send the body or leave it out (RFC 9110 §10.1.1).
        """
        length = headers.raw_get(b"content-length") or b""
        left = int(length) - self.received if length.isdigit() else 0
        return not (self.broken or left > DRAIN_BYTES or headers.raw_get(b"expect") is not None)

    async def drain(self) -> None:
        """Read what is left of a body that nobody wants, within bounds of bytes and time."""
        most = self.received + DRAIN_BYTES
        with contextlib.suppress(BodyIncomplete, BodyStalled, TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                async for _ in self:
                    if self.received > most:
                        return

    async def gone(self) -> None:
        """Return when the client has gone away."""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return


class Application:
    """An ASGI 3 application over a handler.

    ``lifetime`` opens what the handler needs, in the event loop that will use it. It is entered at
    the start of the lifespan protocol, or with the first request of a host that does not speak it.
    Bodies of which nothing comes for ``stall_seconds``, or less than ``body_rate`` bytes a second, are given up.
    """

    def __init__(self, lifetime: Lifetime, *, stall_seconds: float = 60, body_rate: float = 0) -> None:
        self._lifetime = lifetime
        self._stall_seconds = stall_seconds
        self._body_rate = body_rate
        self._handler: Handler | None = None
        self._exit: contextlib.AsyncExitStack | None = None
        self._opening: asyncio.Lock | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._serve(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    def at(self, mount: str) -> Mounted:
        """The same application for a route that is exactly ``mount``: hosts tell the mount point of paths below it."""
        return Mounted(self, mount)

    async def open(self) -> Handler:
        """Open the handler if it is not open. Idempotent."""
        if self._opening is None:
            self._opening = asyncio.Lock()
        async with self._opening:
            if self._handler is None:
                self._exit = contextlib.AsyncExitStack()
                self._handler = await self._exit.enter_async_context(self._lifetime())
            return self._handler

    async def close(self) -> None:
        """Let go of everything. Idempotent."""
        if self._exit is not None:
            await self._exit.aclose()
        self._handler = self._exit = self._opening = None

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.open()
        except Exception as error:  # told to the host, and raised
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler = self._handler or await self.open()
        headers = Headers(scope["headers"])
        incoming = Relayed(receive, self._stall_seconds, self._body_rate)
        client = scope.get("client")
        path = raw_path(scope)
        request = Request(
            scope["method"], path, scope["query_string"], headers, incoming,
            scheme=scope.get("scheme", "http"), client=client[0] if client else "", mount=mount_of(scope, path),
        )  # fmt: skip
        response = await handler(request)
        pending = scope.get("http_version") != "2" and incoming.is_pending(headers)
        if pending and not incoming.can_be_drained(headers):
            response.headers = [*response.headers, (b"connection", b"close")]
            pending = False
        body = response.body
        if isinstance(body, bytes | bytearray | memoryview):
            await _send_bytes(send, response, body, incoming if pending else None)
        else:
            await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
            await _stream(body, incoming, send)


class Mounted:
    """An application whose mount point is ``mount``, below whatever its host says."""

    def __init__(self, application: Application, mount: str) -> None:
        self._application = application
        self._mount = mount

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._application({**scope, "root_path": scope.get("root_path", "") + self._mount}, receive, send)


def bounded(handler: Handler, header_bytes: int, word: Wording = plain_refusal) -> Handler:
    """A handler that refuses, in the words of ``word``, before anything is done: a request line and fields that are
    too large together, and what is read in two ways by two servers in a row, as a body framed twice (RFC 9112 §6.3)
    or in codings of which one is left out (§6.1), and more hosts than one or an impossible one (§3.2).
    """

    def check(request: Request) -> Awaitable[Response]:
        if request.objection is not None:
            return _refused(request, request.objection, word)
        headers = request.headers
        raw = headers.raw
        if len(request.raw_path) + len(request.raw_query) + sum([len(n) + len(v) + 4 for n, v in raw]) > header_bytes:
            return _refused(request, Objection(431, "the request line and the header fields are too large"), word)
        if (coding := headers.raw_get(b"transfer-encoding")) is not None:
            if headers.raw_get(b"content-length") is not None:
                return _refused(request, Objection(400, "send Content-Length or Transfer-Encoding, not both"), word)
            if coding.lower() != b"chunked" or len(headers.all("transfer-encoding")) > 1:
                return _refused(request, Objection(400, "no Transfer-Encoding but chunked is understood here"), word)
        if headers.repeated and [name for name, _ in raw].count(b"host") > 1:
            return _refused(request, Objection(400, "send one Host"), word)
        if (host := headers.raw_get(b"host")) is not None and not is_host(host):
            return _refused(request, Objection(400, "there can be no host of this name"), word)
        if request.raw_path == b"*":
            return _answered(Response(200, [(b"allow", _METHODS), (b"content-length", b"0")]))
        return handler(request)

    return check


async def _answered(response: Response) -> Response:
    return response


async def _refused(request: Request, objection: Objection, word: Wording) -> Response:
    response = word(request, objection)
    response.headers.append((b"connection", b"close"))
    return response


async def _send_bytes(send: Send, response: Response, body: Buffer, left: Relayed | None) -> None:
    """Send an answer. A client that is still sending a body has it at once, and the end of it when the body that is
    ``left`` has been read over.
    """
    data = body if isinstance(body, bytes) else bytes(body)
    await send({"type": "http.response.start", "status": response.status, "headers": response.headers})
    if left is not None:
        await send({"type": "http.response.body", "body": data, "more_body": True})
        await left.drain()
        data = b""
    await send({"type": "http.response.body", "body": data})


def raw_path(scope: Scope) -> bytes:
    """The path as it was sent."""
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0]


def mount_of(scope: Scope, path: bytes) -> bytes:
    """The part of the path that led to this application inside its host."""
    mount: bytes = scope.get("root_path", "").encode()
    return mount if mount and path.startswith(mount) else b""


async def _stream(body: AsyncIterator[Buffer], incoming: Relayed, send: Send) -> None:
    """Send slices until they end or the client has gone.

    An error of the body escapes, and with it the connection breaks: the length that was announced
    is not reached, so the client knows.
    """
    gone = asyncio.ensure_future(incoming.gone())
    try:
        async for data in body:
            if gone.done():
                return
            await send({"type": "http.response.body", "body": bytes(data), "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        close = getattr(body, "aclose", None)
        if close is not None:
            await close()
