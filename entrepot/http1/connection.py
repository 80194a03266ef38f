"""One HTTP/1.1 connection: requests in, answers out, with bounds on how large and how slow both may be.

Requests of one connection are answered one after the other, in their order. While one is under way
no more is read than the next one, so that a client cannot pile them up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from typing import Final, cast

import structlog

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.http1.answers import Answer, Broken, StreamFailed
from entrepot.http1.bodies import HELD_BYTES, Arriving
from entrepot.http1.parser import Parser, Refused, check_version, split_target
from entrepot.wire.http import Buffer, Handler, Headers, Request, Response

PIPELINE: Final = 256
"""Requests that may come at once; more are refused."""


class Service:
    """What the connections of a worker share, whatever they were made to: the bounds, and one another."""

    def __init__(self, *, header_bytes: int = 16_384, most: int = 1024) -> None:
        self.header_bytes = header_bytes
        self.most = most
        self.connections: set[Connection] = set()
        self.stopping = False
        self.emptied = asyncio.Event()
        """Set with the end of the last connection."""


class Exchange:
    """A request and how it is to be answered."""

    __slots__ = ("answer", "body", "request")

    def __init__(self, request: Request, body: Arriving, answer: Answer) -> None:
        self.request = request
        self.body = body
        self.answer = answer


class Connection(asyncio.Protocol):
    """``_since`` tells since when the next head, or at the beginning the first byte of it, is awaited;
    ``_between`` that nothing of it has come. ``_framing`` counts what came since the last content or
    end of a head: parts of messages that the parser may keep. A connection that is ``_deaf`` passes
    over whatever else comes; ``_ended`` tells that nothing does.
    """

    def __init__(self, service: Service, handler: Handler) -> None:
        self._service = service
        self._handler = handler
        self._parser = Parser(self)
        self._exchanges: deque[Exchange] = deque()
        self._task: asyncio.Task[None] | None = None
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._in_head = self._between = True
        self._since = time.monotonic()
        self._framing = 0
        self._deaf = self._held_back = self._ended = False
        self.lost = False
        self._full: asyncio.Future[None] | None = None
        self._unsent = 0
        self._unsent_since = self._since

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        self._client: str = peer[0] if isinstance(peer, tuple) else ""  # over a Unix socket nobody has an address
        self._scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        self._service.connections.add(self)
        if self._service.stopping:  # accepted just before, or a handshake that was under way
            self.transport.abort()
        elif len(self._service.connections) > self._service.most:
            self._refuse(Refused(503, b"there are too many connections\n"))

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._framing += len(data)
        most = self._service.header_bytes
        try:
            # What the parser has been given of one head can be more than the head only by a body.
            if self._in_head and self._framing > most and b"\r\n\r\n" not in data:
                data = self._end_head(data)
            self._parser.feed_data(data)
            # Neither content nor a head: a trailer, of which the parser keeps a field until it has it whole.
            if self._framing > most and not self._in_head:
                raise Refused(431, b"the trailer is too large\n")
        except Refused as refusal:
            if not self._deaf:
                self._refuse(refusal)
        if self._exchanges:
            self._regulate()

    def eof_received(self) -> bool:
        """The client sends no more. It may read still, what it has asked for (over TLS it cannot)."""
        self._deaf = self._ended = True
        if not self._exchanges:
            return False
        last = self._exchanges[-1]
        last.body.fail(BodyIncomplete)
        last.answer.keep = False
        return self._scheme == "http"

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = self._deaf = True
        while len(self._exchanges) > 1:
            self._exchanges.pop()
        for exchange in self._exchanges:
            exchange.body.fail(BodyIncomplete)
        self.resume_writing()
        if self._task is None or self._task.done():
            self._leave()

    def pause_writing(self) -> None:
        self._full = self._loop.create_future()

    def resume_writing(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self._deaf:
            raise Refused(400, b"nothing more is read here\n")  # of which nobody is told: the parser is to stop
        self._target = b""
        self._fields = []
        self._between = False
        self._since = time.monotonic()

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. One of a chunked trailer, which the parser reports alike, is passed over:
        the request that it would change is under way. But the parser reads nothing behind a "close" in one.
        """
        if self._in_head:
            self._fields.append((name.lower(), value.rstrip()))  # RFC 9112 §5: spaces behind are no part of it
        elif name.lower() in (b"connection", b"proxy-connection"):
            self._exchanges[-1].answer.keep = False

    def on_headers_complete(self) -> None:
        """Begin an exchange. Raises Refused."""
        parser, fields = self._parser, self._fields
        version, method = parser.get_http_version(), parser.get_method().decode()
        headers = Headers(fields)
        check_version(version, headers)
        if parser.should_upgrade():
            if method == "CONNECT":
                raise Refused(400, b"this is no proxy\n")
            return
        if len(self._exchanges) >= PIPELINE:
            raise Refused(503, b"there are too many requests at once\n")
        path, query = split_target(self._target, fields)
        self._in_head = False
        self._framing = 0
        body = Arriving(self)
        request = Request(method, path, query, headers, body, scheme=self._scheme, client=self._client)
        answer = Answer(
            keep=version == "1.1" and parser.should_keep_alive(), bodiless=method == "HEAD", chunks=version == "1.1"
        )
        self._begin(Exchange(request, body, answer))

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        self._exchanges[-1].body.feed(body)

    def on_message_complete(self) -> None:
        self._framing = 0
        if self._parser.should_upgrade():
            return
        self._in_head = self._between = True
        last = self._exchanges[-1]
        last.body.finish()
        self._deaf = not last.answer.keep

    def head_without_offer(self) -> bytes:
        lines = [self._parser.get_method() + b" " + self._target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in self._fields if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    # What a body and an answer ask for.

    def more(self) -> None:
        exchange = self._exchanges[0]
        if not exchange.body.invited:
            self._invite(exchange)
        self._regulate()

    def write(self, data: Buffer) -> None:
        if not self.lost:  # uvloop's transport raises then
            self.transport.write(data)

    def _invite(self, exchange: Exchange) -> None:
        """Tell a client that waits for it that it may send (RFC 9110 §10.1.1): none of HTTP/1.0, and not when some of
        the body is there already.
        """
        body = exchange.body
        body.invited = True
        expect = exchange.request.headers.raw_get(b"expect")
        waits = expect is not None and expect.lower() == b"100-continue" and not body.received
        if waits and exchange.answer.chunks:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def writable(self) -> None:
        if self._full is not None:
            await self._full

    # What the server asks for.

    def stop(self) -> None:
        """Take no further request. An idle connection with nothing left to send is dropped: closing it
        politely over TLS would wait half a minute for the client's farewell.
        """
        if self._exchanges:
            for exchange in self._exchanges:
                exchange.answer.keep = False
        elif self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()

    def drop(self) -> None:
        """End the connection and what is under way on it, at once."""
        if self._task is not None:
            self._task.cancel()
        self.transport.abort()

    def sweep(self, now: float, *, head: float, idle: float, stall: float) -> None:
        """Give up what has not got on for so many seconds: an answer that is not taken (which costs memory),
        a body, a head, and the wait for a next request.
        """
        if self._is_stuck(now, stall):
            self.transport.abort()
        elif self._exchanges:
            body = self._exchanges[0].body
            if body.waiting_since is not None and now - body.waiting_since > stall:
                body.fail(BodyStalled)
        elif now - self._since > (idle if self._between and self._target else head):
            self.transport.close()

    def _is_stuck(self, now: float, seconds: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > seconds

    # Exchanges, one after the other.

    def _begin(self, exchange: Exchange) -> None:
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            self._start()

    def _start(self) -> None:
        self._task = self._loop.create_task(self._run(self._exchanges[0]))

    async def _run(self, exchange: Exchange) -> None:
        """Answer a request. Whatever goes wrong with an answer ends the connection, so that the client
        does not take what it has for all of it.
        """
        whole = False
        body, headers = exchange.body, exchange.request.headers
        try:
            # There is nothing to be sent. But aws-cli, once it had its answer without being told to go on, takes the
            # next one on the connection for a field of that one, and waits for a minute.
            if body.ended and headers.raw_get(b"expect") is not None:
                self._invite(exchange)
            response = await self._handler(exchange.request)
            if not body.ended:
                await body.drain(headers)
                if body.pending(headers):
                    exchange.answer.keep = False
            if self._service.stopping:
                exchange.answer.keep = False
            await exchange.answer.write(response, self)
            # The next answer is not begun on top of one that nobody takes.
            if self._full is not None:
                await self._full
            whole = True
        except Broken as error:
            structlog.get_logger().error("failure", id=exchange.request.id, error=str(error), **exchange.request.note)
        except StreamFailed:
            pass  # told to the log by who watches over the handler
        finally:
            self._end(exchange, whole=whole)

    def _end(self, exchange: Exchange, *, whole: bool) -> None:
        self._exchanges.popleft()
        self._task = None
        if self.lost:
            self._leave()
            return
        self._since = time.monotonic()
        if not whole:
            self.transport.abort()
        elif not exchange.answer.keep:
            self._deaf = True
            self._exchanges.clear()
            self._close()
        else:
            if self._exchanges:
                self._start()
            self._regulate()

    def _close(self) -> None:
        """End the connection behind what was written. A client that is in the middle of something is heard out,
        for as long as a head may take: the reset that it would get may overtake the answer (RFC 9112 §9.6).
        """
        if self._between or self._ended or self._service.stopping or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()
            self._regulate()

    def _leave(self) -> None:
        """The connection is gone, and so is what was under way on it: a server that stops waits for both."""
        connections = self._service.connections
        connections.discard(self)
        if not connections:
            self._service.emptied.set()

    def _end_head(self, data: bytes) -> bytes:
        """What follows a head of which the end began in what came before. Raises Refused when it goes on."""
        self._parser.feed_data(data[:3])
        if self._framing:
            raise Refused(431, b"the request line and the header fields are too large\n")
        self._framing = len(data) - 3
        return data[3:]

    def _regulate(self) -> None:
        """Read on, unless somebody has to catch up first."""
        exchanges = self._exchanges
        behind = bool(exchanges) and (len(exchanges) > 1 or exchanges[-1].body.held > HELD_BYTES)
        if behind != self._held_back and not self.lost:
            self._held_back = behind
            (self.transport.pause_reading if behind else self.transport.resume_reading)()

    def _refuse(self, refusal: Refused) -> None:
        """Read no further, and say why once everything before has been answered. A request of which the
        body is not whole is answered by its handler, which finds that out.
        """
        self._deaf = True
        if self._exchanges and not self._exchanges[-1].body.whole:
            self._exchanges[-1].body.fail(BodyIncomplete)
            self._exchanges[-1].answer.keep = False
            return
        body = Arriving(self)
        body.finish()
        fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(refusal.text))]
        request = Request("", b"", b"", Headers([]), body, scheme=self._scheme, client=self._client)
        request.refusal = Response(refusal.status, fields, refusal.text)
        self._begin(Exchange(request, body, Answer(keep=False)))
