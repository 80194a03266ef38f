"""Where MinIO tells of its health: ``mc ready``, madmin and many charts ask there (MinIO's healthcheck guide).

``live`` tells that the server answers, the others that it can work. No answer has a body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from entrepot.wire.http import Request, Response

PATH: Final = b"/minio/health"
LIVE: Final = PATH + b"/live"
WORKING: Final = frozenset({PATH + b"/ready", PATH + b"/cluster", PATH + b"/cluster/read"})


async def answer(request: Request, health: Callable[[], Awaitable[Response]]) -> Response:
    """The status of ``health`` without its body. A server is a cluster of its own: it is never said (by 412) that it
    must not be taken down for maintenance.
    """
    request.note["operation"] = "health"
    if request.path == LIVE:
        return _empty(200)
    if request.path not in WORKING:
        return _empty(404)
    return _empty((await health()).status)


def _empty(status: int) -> Response:
    return Response(status, [(b"content-length", b"0"), (b"cache-control", b"no-store")])
