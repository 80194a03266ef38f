"""The monitor door: ``/health`` and ``/metrics``, for whoever watches over the server."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from entrepot.core import Core
from entrepot.core.health import State
from entrepot.wire.http import Handler, Request, Response

SEGMENTS = ("health", "metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``token``, if any, is what ``Authorization: Bearer`` must carry to read the metrics; without
    ``metrics`` nothing is counted and ``/metrics`` is not there.
    """

    metrics: bool = True
    token: str = ""


def build(core: Core, settings: Settings, scrape: Callable[[], bytes]) -> Handler:
    """The door as a handler; ``scrape`` renders the metrics of all processes."""

    async def answer(request: Request) -> Response:
        request.note["door"] = "monitor"
        if request.method not in ("GET", "HEAD"):
            return _text(405, b"only GET and HEAD are allowed here\n")
        if request.path == b"/health":
            return await _health(core, request)
        if request.path == b"/metrics" and settings.metrics:
            return _metrics(request, settings, scrape)
        return _text(404, b"there is /health and /metrics\n")

    return answer


async def _health(core: Core, request: Request) -> Response:
    """Anybody may ask, so it tells that something is wrong and not where: the log has the rest."""
    request.note["operation"] = "health"
    catalog = await core.health.catalog()
    stores = {name: await core.health.store(name) for name in core.health.stores}
    problems = [state.problem for state in (catalog, *stores.values()) if state.problem is not None]
    if problems:
        request.note["error"] = "; ".join(problems)
    body = msgspec.json.encode({
        "status": "failing" if problems else "ok", "catalog": _word(catalog),
        "stores": {
            name: {"status": _word(state), "free": state.free, "total": state.total}
            for name, state in stores.items()
        },
    })  # fmt: skip
    return Response(503 if problems else 200, _fields(b"application/json", body), body)


def _word(state: State) -> str:
    return "ok" if state.problem is None else "failing"


def _metrics(request: Request, settings: Settings, scrape: Callable[[], bytes]) -> Response:
    request.note["operation"] = "metrics"
    given = request.headers.get("authorization") or ""
    if settings.token and not hmac.compare_digest(given.encode(), f"Bearer {settings.token}".encode()):
        return _text(401, b"the token of the setting metrics.token is needed\n")
    body = scrape()
    return Response(200, _fields(b"text/plain; version=0.0.4; charset=utf-8", body), body)


def _text(status: int, body: bytes) -> Response:
    return Response(status, _fields(b"text/plain", body), body)


def _fields(media_type: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
