"""What the server tells about its requests: an id in every answer, a line in the log, metrics."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import structlog

from entrepot.config import Config
from entrepot.wire.http import Handler, Request, Response

_log = structlog.get_logger("access")


def scrape() -> bytes:
    """Metrics of all processes in Prometheus' text format."""
    return b""


class Observer:
    """A handler around a handler."""

    def __init__(self, handler: Handler, config: Config) -> None:
        self._handler = handler
        self._access = config.log.access
        self._prefix = os.urandom(5).hex().upper()
        self._count = itertools.count()

    async def __call__(self, request: Request) -> Response:
        request.id = f"{self._prefix}{next(self._count):06X}"
        begin = time.perf_counter()
        response = await self._handler(request)
        response.headers.append((b"x-amz-request-id", request.id.encode()))
        response.headers.append((b"server", b"entrepot"))
        if self._access:
            self._tell(request, response, time.perf_counter() - begin)
        return response

    def _tell(self, request: Request, response: Response, seconds: float) -> None:
        note: dict[str, Any] = request.note
        _log.info("request", id=request.id, method=request.method, status=response.status, seconds=seconds, **note)
