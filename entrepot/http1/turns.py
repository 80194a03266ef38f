"""The requests of one connection, each answered before the next one is begun."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

import structlog

from entrepot.http1.answers import Broken, Outlet, StreamFailed
from entrepot.http1.bodies import ArrivingBody
from entrepot.http1.machine import Exchange
from entrepot.http1.service import Service
from entrepot.wire.http import Handler, Request

LONG_SECONDS: Final = 0.01
"""A request that took longer is followed by a pause before the next one of its connection, if that is there already."""

PAUSE_SECONDS: Final = 1
"""The longest pause."""


class Line(Outlet, Protocol):
    """The connection that the requests came over."""

    full: asyncio.Future[None] | None
    """Done when what was written before does not wait in memory any more, or is lost; None while it does not."""

    def regulate(self) -> None:
        """Read on, unless a request or a reader has to catch up first."""

    def turn_over(self, exchange: Exchange, *, whole: bool) -> None:
        """A request has its answer, ``whole`` or not, and is none of the waiting ones any more."""


class Turns:
    """``waiting`` are the requests that have no answer yet, the present one first. ``proven`` tells that the client has
    proven with one of them who they are.
    """

    def __init__(self, line: Line, service: Service, handler: Handler) -> None:
        self._loop = asyncio.get_running_loop()
        self.waiting: deque[Exchange] = deque()
        self.proven = False
        self._line = line
        self._service = service
        self._handler = handler
        self._task: asyncio.Task[None] | None = None
        self._began = 0.0

    def add(self, exchange: Exchange) -> None:
        """Answer a request when its turn comes."""
        if exchange.content:
            exchange.body = exchange.request.body = ArrivingBody(self)
        exchange.request.server = self
        self.waiting.append(exchange)
        if len(self.waiting) == 1:
            self._start()

    def go_on(self, now: float) -> None:
        """Begin the next request, of a client that has sent ahead. While requests that take long stand in a row,
        others have the loop to themselves for half of the time.
        """
        took = now - self._began
        if took > LONG_SECONDS:
            self._loop.call_later(min(took, PAUSE_SECONDS), self._start)
        else:
            self._start()

    def cancel(self) -> None:
        """End what is under way."""
        if self._task is not None:
            self._task.cancel()

    @property
    def is_under_way(self) -> bool:
        """Whether a request is being answered at this moment."""
        return self._task is not None and not self._task.done()

    # What a body and a handler ask for.

    def more(self) -> None:
        present = self.waiting[0]
        if present.answer.expects:
            self._line.write(present.invitation())
        self._line.regulate()

    def inform(self, request: Request, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None:
        if self.waiting and self.waiting[0].request is request:
            self._line.write(self.waiting[0].answer.interim(status, fields))

    # One turn.

    def _start(self) -> None:
        if not self._line.lost:
            self._task = self._loop.create_task(self._run(self.waiting[0]))

    async def _run(self, exchange: Exchange) -> None:
        """Answer a request. Whatever goes wrong with an answer ends the connection, so that the client
        does not take what it has for all of it.
        """
        whole, self._began = False, time.monotonic()
        line, answer, body = self._line, exchange.answer, exchange.body
        try:
            # There is nothing to be sent. But aws-cli, once it had its answer without being told to go on, takes the
            # next one on the connection for a field of that one, and waits for a minute.
            if answer.expects and body.ended:
                line.write(exchange.invitation())
            response = await self._handler(exchange.request)
            if exchange.request.proven:
                self.proven = True
            if self._service.stopping or not (body.ended or exchange.can_be_overlooked()):
                answer.keep = False
            if (data := answer.at_once(response)) is not None:
                line.write(data)
            else:
                await answer.write(response, line)
            if line.full is not None:  # the next answer is not begun on top of one that nobody takes
                await line.full
            whole = True
        except Broken as error:
            structlog.get_logger().error("failure", id=exchange.request.id, error=str(error), **exchange.request.note)
        except StreamFailed:
            pass  # told to the log by who watches over the handler
        finally:
            self.waiting.popleft()
            self._task = None
            line.turn_over(exchange, whole=whole)
