"""The monitor door: ``/health`` and ``/metrics``, for whoever watches over the server, and the paths at which MinIO
tells of its health, since clients and charts made for it ask there.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import Final

import msgspec

from entrepot.core import Core
from entrepot.core.health import HealthState
from entrepot.doors import Door
from entrepot.doors.monitor import minio
from entrepot.wire.http import Handler, Request, Response


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``metrics_token``, if any, is what ``Authorization: Bearer`` must carry to read the metrics; unless
    ``metrics_enabled`` nothing is counted and ``/metrics`` is not there.
    """

    metrics_enabled: bool = True
    metrics_token: str = ""


WORDS: Final = ("ok", "degraded", "failing")
"""How something is, the better first: ``degraded`` is a place where objects are read and deleted, and none is put."""


def build(core: Core, settings: Settings) -> Handler:
    """The door as a handler."""

    async def answer(request: Request) -> Response:
        request.note["door"] = "monitor"
        if request.method not in ("GET", "HEAD"):
            return _text(405, b"only GET and HEAD are allowed here\n")
        if request.path == b"/health":
            return await _health(core, request, settings)
        if request.path == b"/metrics" and settings.metrics_enabled:
            return _metrics(core, request, settings)
        if request.path.startswith(minio.PATH):
            return await minio.answer(request, lambda: _health(core, request, settings))
        return _text(404, b"there is /health and /metrics\n")

    return answer


async def _health(core: Core, request: Request, settings: Settings) -> Response:
    """Anybody may ask, so it tells that something is wrong and not what: the log has the rest. How large the disks are
    is for who has the token of the metrics.
    """
    request.note["operation"] = "health"
    catalog = await core.health.catalog()
    stores = {name: await core.health.store(name) for name in core.health.stores}
    told = _is_known(request, settings)
    problems = [state.problem for state in (catalog, *stores.values()) if state.problem is not None]
    if problems:
        request.note["error"] = "; ".join(problems)
    body = msgspec.json.encode({
        "status": max(map(_word, (catalog, *stores.values())), key=WORDS.index), "catalog": _word(catalog),
        "stores": {name: {"status": _word(state), **_sizes(state, told=told)} for name, state in stores.items()},
    })  # fmt: skip
    return Response(503 if problems else 200, _fields(b"application/json", body), body)


def _word(state: HealthState) -> str:
    return "failing" if state.problem is not None else "degraded" if state.short else "ok"


def _sizes(state: HealthState, *, told: bool) -> dict[str, int | None]:
    return {"free": state.free, "total": state.total} if told else {}


def _is_known(request: Request, settings: Settings) -> bool:
    """Whether a request carries the token, if there is one."""
    given = request.headers.get("authorization") or ""
    return bool(settings.metrics_token) and hmac.compare_digest(
        given.encode(), f"Bearer {settings.metrics_token}".encode()
    )


def _metrics(core: Core, request: Request, settings: Settings) -> Response:
    request.note["operation"] = "metrics"
    if settings.metrics_token and not _is_known(request, settings):
        return _text(401, b"the token of the setting metrics.token is needed\n")
    body = core.metrics()
    return Response(200, _fields(b"text/plain; version=0.0.4; charset=utf-8", body), body)


def _text(status: int, body: bytes) -> Response:
    return Response(status, _fields(b"text/plain", body), body)


def _fields(media_type: bytes, body: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"content-type", media_type), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]


DOOR = Door(name="monitor", settings=Settings, build=build, paths=("/health", "/metrics", minio.PATH.decode()))
