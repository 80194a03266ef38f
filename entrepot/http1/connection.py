"""One HTTP/1.1 connection on its socket: what the machine makes of the bytes goes to the handler, and answers back.

Requests of one connection are answered one after the other, in their order. While one is under way
no more is read than the next one, so that a client cannot pile them up.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, cast

import structlog

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.http1.answers import CONTINUE, Broken, StreamFailed
from entrepot.http1.bodies import NOTHING, Arriving
from entrepot.http1.machine import CROWDED, CUT, DEAF, END, HEAD, IDLE, Exchange, Machine
from entrepot.http1.parser import Refused
from entrepot.http1.patience import Patience
from entrepot.http1.service import Place, Service
from entrepot.wire.http import Buffer, Handler, Request
from entrepot.wire.incoming import DRAIN_BYTES, is_too_slow

LONG_SECONDS: Final = 0.01
"""A request that took longer is followed by a pause before the next one of its connection, if that is there already."""

PAUSE_SECONDS: Final = 1
"""The longest pause."""

LINGER_BYTES: Final = 64 * 1024 * 1024
"""Most that a client may go on sending behind the last answer of a connection, until it is left."""


class Connection(asyncio.Protocol):
    """``_arriving`` is the body that is being sent. ``_since`` tells since when the next head, or at the beginning
    the first byte of it, is awaited, or else the end of a body that nobody wants; ``_served`` that a request was
    answered before, ``_ended`` that the client sends no more. ``_proven`` is a client who proved who
    they are with an earlier request.
    """

    def __init__(self, service: Service, handler: Handler, place: Place | None = None) -> None:
        self._service = service
        self._handler = handler
        self._place = place
        self._exchanges: deque[Exchange] = deque()
        self._arriving = NOTHING
        self._task: asyncio.Task[None] | None = None
        self._since = time.monotonic()
        self._served = self._held_back = self._ended = False
        self._proven = self._makes_way = False
        self._passed_over = 0
        self.lost = False
        self._full: asyncio.Future[None] | None = None
        self._full_since = self._since
        self._unsent = 0
        self._unsent_since = self._since

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._loop = asyncio.get_running_loop()
        peer = transport.get_extra_info("peername")
        self._scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        client = peer[0] if isinstance(peer, tuple) else ""  # over a Unix socket nobody has an address
        service = self._service
        place = self._place or service.find_place()
        paths = service.watched if place is Place.SPARE else (b"",)
        self._machine = Machine(service.header_bytes, scheme=self._scheme, client=client, paths=paths)
        service.connections.add(self)
        if service.stopping:  # accepted just before, or a handshake that was under way
            self.transport.abort()
        elif place is Place.NONE:
            self._begin(self._machine.refuse(Refused(503, CROWDED)))

    def data_received(self, data: bytes) -> None:
        machine = self._machine
        before = machine.state
        if before is DEAF:
            self._pass_over(len(data))
            return
        for event in machine.receive(data):
            if event is END:
                self._arriving.finish()
            elif event is CUT:
                self._arriving.fail(BodyIncomplete)
            elif isinstance(event, bytes):
                self._arriving.feed(event)
            else:
                self._begin(event)
        if self._exchanges:
            if machine.is_behind(self._arriving.held) is not self._held_back:
                self._regulate()
            return
        if machine.state is not before:
            self._since = time.monotonic()
        if self._arriving.overlooked:
            self._look_over()

    def eof_received(self) -> bool:
        """The client sends no more. It may read still, what it has asked for (over TLS it cannot)."""
        self._ended = True
        self._machine.receive_end()
        if not self._exchanges:
            return False
        last = self._exchanges[-1]
        last.body.fail(BodyIncomplete)
        last.answer.keep = False
        return self._scheme == "http"

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        self._machine.stop()
        while len(self._exchanges) > 1:
            self._exchanges.pop()
        for exchange in self._exchanges:
            exchange.body.fail(BodyIncomplete)
        self.resume_writing()
        if self._task is None or self._task.done():
            self._leave()

    def pause_writing(self) -> None:
        self._full = self._loop.create_future()
        self._full_since = time.monotonic()

    def resume_writing(self) -> None:
        full, self._full = self._full, None
        if full is not None and not full.done():
            full.set_result(None)

    # What a body and an answer ask for.

    def more(self) -> None:
        exchange = self._exchanges[0]
        if exchange.answer.expects:
            self._invite(exchange)
        if self._held_back:
            self._regulate()

    def write(self, data: Buffer) -> None:
        if not self.lost:  # uvloop's transport raises then
            self.transport.write(data)

    async def writable(self) -> None:
        if self._full is not None:
            await self._full

    def inform(self, request: Request, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        present = self._exchanges[0] if self._exchanges else None
        if present is not None and present.request is request and (data := present.answer.interim(status, fields)):
            self.write(data)

    # What the service asks for.

    @property
    def waits_since(self) -> float | None:
        if self._proven or self._makes_way or self.lost:
            return None
        if not self._exchanges:
            return self._since
        present = self._exchanges[0]
        if present.request.proven:
            return None
        return present.body.waiting_since if self._full is None else self._full_since

    def make_way(self) -> None:
        self._makes_way = True
        self.transport.abort()

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

    def sweep(self, now: float, patience: Patience) -> None:
        """Give up what has not got on for too long: an answer that is not taken (which costs memory), a body, a
        head, and the wait for a next request.
        """
        if self._is_stuck(now, patience.stall):
            self.transport.abort()
        elif self._exchanges:
            body = self._exchanges[0].body
            since = body.waiting_since
            if since is not None and (
                now - since > patience.stall
                or is_too_slow(body.received + body.held, body.waited(now), patience.body_rate)
            ):
                body.fail(BodyStalled)
        elif now - self._since > self._bound(patience):
            self.transport.close()

    def _bound(self, patience: Patience) -> float:
        """For how long the client is waited for while no request is under way."""
        state = self._machine.state
        if state is IDLE and self._served:
            return patience.idle
        return patience.head if state in (IDLE, HEAD) else patience.linger

    def _is_stuck(self, now: float, seconds: float) -> bool:
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        return now - self._unsent_since > seconds

    # Exchanges, one after the other.

    def _begin(self, exchange: Exchange) -> None:
        if exchange.content:
            self._arriving = exchange.body = exchange.request.body = Arriving(self)
        exchange.request.server = self
        self._exchanges.append(exchange)
        if len(self._exchanges) == 1:
            self._start()

    def _start(self) -> None:
        if not self.lost:
            self._task = self._loop.create_task(self._run(self._exchanges[0]))

    async def _run(self, exchange: Exchange) -> None:
        """Answer a request. Whatever goes wrong with an answer ends the connection, so that the client
        does not take what it has for all of it.
        """
        whole, began = False, time.monotonic()
        answer, body = exchange.answer, exchange.body
        try:
            # There is nothing to be sent. But aws-cli, once it had its answer without being told to go on, takes the
            # next one on the connection for a field of that one, and waits for a minute.
            if answer.expects and body.ended:
                self._invite(exchange)
            response = await self._handler(exchange.request)
            if exchange.request.proven:
                self._proven = True
            if self._service.stopping or not (body.ended or self._can_be_overlooked(exchange)):
                answer.keep = False
            if (data := answer.at_once(response)) is not None:
                self.write(data)
            else:
                await answer.write(response, self)
            # The next answer is not begun on top of one that nobody takes.
            if self._full is not None:
                await self._full
            whole = True
        except Broken as error:
            structlog.get_logger().error("failure", id=exchange.request.id, error=str(error), **exchange.request.note)
        except StreamFailed:
            pass  # told to the log by who watches over the handler
        finally:
            self._end(exchange, began, whole=whole)

    def _invite(self, exchange: Exchange) -> None:
        """Tell a client that waits for it that it may send (RFC 9110 §10.1.1), unless some of the body was there
        without that.
        """
        exchange.answer.expects = False
        if not exchange.body.received:
            self.write(exchange.answer.interim(CONTINUE))

    def _can_be_overlooked(self, exchange: Exchange) -> bool:
        """Whether the next request will be found behind what is left of a body that nobody wants. A client that got
        an answer instead of "100 Continue" may send the body or leave it out (RFC 9110 §10.1.1).
        """
        length = exchange.request.headers.raw_get(b"content-length") or b""
        left = int(length) - exchange.body.received if length.isdigit() else 0
        return not (exchange.answer.expects or exchange.body.broken or left > DRAIN_BYTES)

    def _go_on(self, took: float) -> None:
        """Begin the next request, of a client that has sent ahead. While requests that take long stand in a row,
        others have the loop to themselves for half of the time.
        """
        if took > LONG_SECONDS:
            self._loop.call_later(min(took, PAUSE_SECONDS), self._start)
        else:
            self._start()

    def _end(self, exchange: Exchange, began: float, *, whole: bool) -> None:
        self._exchanges.popleft()
        self._machine.answered()
        self._task = None
        if self.lost:
            self._leave()
            return
        self._since = time.monotonic()
        self._served = True
        if not whole:
            self.transport.abort()
        elif not exchange.answer.keep:
            self._machine.stop()
            self._exchanges.clear()
            self._close()
        else:
            if not exchange.body.whole:
                exchange.body.overlook()
            if self._exchanges:
                self._go_on(self._since - began)
            if self._held_back:
                self._regulate()

    # What comes while nobody wants it.

    def _look_over(self) -> None:
        """Go on behind a body that nobody wanted, once it is whole; leave a client that does not come to its end."""
        if self._machine.state is DEAF or self._arriving.received > DRAIN_BYTES:
            self._machine.stop()
            self._close()
        elif self._arriving.whole:
            self._arriving = NOTHING

    def _pass_over(self, size: int) -> None:
        self._passed_over += size
        if self._passed_over > LINGER_BYTES and not self._exchanges:
            self.transport.abort()

    def _close(self) -> None:
        """End the connection behind what was written. A client that is in the middle of something is heard out,
        for a bounded time: the reset that it would get may overtake the answer (RFC 9112 §9.6).
        """
        if not self._machine.midway or self._ended or self._service.stopping or not self.transport.can_write_eof():
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

    def _regulate(self) -> None:
        """Read on, unless a request or a reader has to catch up first."""
        behind = self._machine.is_behind(self._arriving.held)
        if behind != self._held_back and not self.lost:
            self._held_back = behind
            (self.transport.pause_reading if behind else self.transport.resume_reading)()
