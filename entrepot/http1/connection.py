"""One HTTP/1.1 connection on its socket: what the machine makes of the bytes takes its turns, and answers go back.

While one request is under way no more is read than the next one, so that a client cannot pile them up.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final, cast

from entrepot.errors import BodyIncomplete, BodyStalled
from entrepot.http1.bodies import NOTHING
from entrepot.http1.machine import CROWDED, DEAF, END, Exchange, Machine
from entrepot.http1.parser import Refused
from entrepot.http1.patience import Patience, Unsent
from entrepot.http1.service import Admission, Service
from entrepot.http1.turns import Turns
from entrepot.wire.http import Buffer, Handler
from entrepot.wire.incoming import DRAIN_BYTES

LINGER_BYTES: Final = 64 * 1024 * 1024
"""Most that a client may go on sending behind the last answer of a connection, until it is left."""


class Connection(asyncio.Protocol):
    """``_arriving`` is the body that is being sent. ``_since`` tells since when the next head, or at the beginning
    the first byte of it, is awaited, or else the end of a body that nobody wants; ``_served`` that a request was
    answered before, ``_ended`` that the client sends no more.
    """

    def __init__(self, service: Service, handler: Handler, place: Admission | None = None) -> None:
        self._service = service
        self._turns = Turns(self, service, handler)
        self._place = place
        self._arriving = NOTHING
        self._since = self._full_since = time.monotonic()
        self._served = self._held_back = self._ended = self._makes_way = False
        self._passed_over = 0
        self.lost = False
        self.full: asyncio.Future[None] | None = None
        self._unsent = Unsent(self._since)

    # What the event loop tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._scheme = "http" if transport.get_extra_info("sslcontext") is None else "https"
        client = peer[0] if isinstance(peer, tuple) else ""  # over a Unix socket nobody has an address
        service = self._service
        place = self._place or service.find_place()
        paths = service.watched if place is Admission.SPARE else (b"",)
        self._machine = Machine(service.header_bytes, scheme=self._scheme, client=client, paths=paths)
        service.connections.add(self)
        if service.stopping:  # accepted just before, or a handshake that was under way
            self.transport.abort()
        elif place is Admission.NONE:
            self._begin(self._machine.refuse(Refused(503, CROWDED)))

    def data_received(self, data: bytes) -> None:
        machine = self._machine
        before = machine.state
        if before is DEAF:
            self._pass_over(len(data))
            return
        for event in machine.receive(data):
            if type(event) is Exchange:
                self._begin(event)
            elif type(event) is bytes:
                self._arriving.feed(event)
            elif event is END:
                self._arriving.finish()
            else:
                self._arriving.fail(BodyIncomplete)
        if self._turns.waiting:
            self.regulate()
            return
        if machine.state is not before:
            self._since = time.monotonic()
        if self._arriving.overlooked:
            self._look_over()

    def eof_received(self) -> bool:
        """The client sends no more. It may read still, what it has asked for (over TLS it cannot)."""
        self._ended = True
        self._machine.receive_end()
        waiting = self._turns.waiting
        if not waiting:
            return False
        waiting[-1].body.fail(BodyIncomplete)
        waiting[-1].answer.keep = False
        return self._scheme == "http"

    def connection_lost(self, _: Exception | None) -> None:
        self.lost = True
        self._machine.stop()
        waiting = self._turns.waiting
        while len(waiting) > 1:
            waiting.pop()
        for exchange in waiting:
            exchange.body.fail(BodyIncomplete)
        self.resume_writing()
        if not self._turns.is_under_way:
            self._leave()

    def pause_writing(self) -> None:
        self.full = asyncio.get_running_loop().create_future()
        self._full_since = time.monotonic()

    def resume_writing(self) -> None:
        full, self.full = self.full, None
        if full is not None and not full.done():
            full.set_result(None)

    # What an answer asks for.

    def write(self, data: Buffer) -> None:
        if data and not self.lost:  # uvloop's transport raises then
            self.transport.write(data)

    async def writable(self) -> None:
        if self.full is not None:
            await self.full

    # What the service asks for.

    @property
    def waits_since(self) -> float | None:
        turns = self._turns
        if turns.proven or self._makes_way or self.lost:
            return None
        if not turns.waiting:
            return self._since
        present = turns.waiting[0]
        if present.request.proven:
            return None
        return present.body.waiting_since if self.full is None else self._full_since

    def make_way(self) -> None:
        self._makes_way = True
        self.transport.abort()

    # What the server asks for.

    def stop(self) -> None:
        """Take no further request. An idle connection with nothing left to send is dropped: closing it
        politely over TLS would wait half a minute for the client's farewell.
        """
        if self._turns.waiting:
            for exchange in self._turns.waiting:
                exchange.answer.keep = False
        elif self.transport.get_write_buffer_size():
            self.transport.close()
        else:
            self.transport.abort()

    def drop(self) -> None:
        """End the connection and what is under way on it, at once."""
        self._turns.cancel()
        self.transport.abort()

    def sweep(self, now: float, patience: Patience) -> None:
        """Give up what has not got on for too long: an answer that is not taken (which costs memory), a body, a
        head, and the wait for a next request.
        """
        waiting = self._turns.waiting
        if self._unsent.seconds(self.transport.get_write_buffer_size(), now) > patience.stall:
            self.transport.abort()
        elif waiting:
            if patience.has_body_stalled(waiting[0].body, now):
                waiting[0].body.fail(BodyStalled)
        elif now - self._since > patience.between(self._machine.state, served=self._served):
            self.transport.close()

    # Requests, one after the other.

    def _begin(self, exchange: Exchange) -> None:
        self._turns.add(exchange)
        self._arriving = exchange.body

    def turn_over(self, exchange: Exchange, *, whole: bool) -> None:
        turns = self._turns
        self._machine.answered()
        if self.lost:
            self._leave()
            return
        self._since = time.monotonic()
        self._served = True
        if not whole:
            self.transport.abort()
        elif not exchange.answer.keep:
            self._machine.stop()
            turns.waiting.clear()
            self._close()
        else:
            if not exchange.body.whole:
                exchange.body.overlook()
            if turns.waiting:
                turns.go_on(self._since)
            if self._held_back:
                self.regulate()

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
        if self._passed_over > LINGER_BYTES and not self._turns.waiting:
            self.transport.abort()

    def _close(self) -> None:
        """End the connection behind what was written. A client that is in the middle of something is heard out,
        for a bounded time: the reset that it would get may overtake the answer (RFC 9112 §9.6).
        """
        if not self._machine.midway or self._ended or self._service.stopping or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()
            self.regulate()

    def _leave(self) -> None:
        """The connection is gone, and so is what was under way on it: a server that stops waits for both."""
        connections = self._service.connections
        connections.discard(self)
        if not connections:
            self._service.emptied.set()

    def regulate(self) -> None:
        behind = self._machine.is_behind(self._arriving.held)
        if behind != self._held_back and not self.lost:
            self._held_back = behind
            (self.transport.pause_reading if behind else self.transport.resume_reading)()
