"""Lines of the log."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from entrepot.config import Config
from entrepot.config.settings import Log, Metrics
from entrepot.http1.bodies import ArrivingBody
from entrepot.observe import Observer, _as_text
from entrepot.wire.http import Headers, Request, Response


class Silent:
    """Sends no body."""

    def more(self) -> None:
        pass


@pytest.mark.parametrize(
    ("log", "told"),
    [
        pytest.param({}, {200: "info", 404: "info", 503: "error"}, id="as it comes"),
        pytest.param({"access": False}, {503: "error"}, id="without requests"),
        pytest.param({"level": "error"}, {503: "error"}, id="errors alone"),
    ],
)
def test_what_the_server_failed_is_always_told(
    capfdbinary: pytest.CaptureFixture[bytes], log: dict[str, object], told: dict[int, str]
) -> None:
    async def handler(request: Request) -> Response:
        request.note["error"] = "the disk is gone"
        return Response(int(request.raw_path))

    config = Config(log=msgspec.convert({"format": "json", **log}, Log), metrics=Metrics(enabled=False))

    async def main() -> None:
        observer = Observer(handler, config)
        for status in (200, 404, 503):
            await observer(Request("GET", b"%d" % status, b"", Headers([]), ArrivingBody(Silent())))
        observer.flush()

    asyncio.run(main())
    lines = [msgspec.json.decode(line) for line in capfdbinary.readouterr().err.splitlines()]
    assert {line["status"]: line["level"] for line in lines} == told
    assert all(line["error"] == "the disk is gone" for line in lines)


def test_a_key_cannot_write_lines_or_to_the_terminal() -> None:
    event = {"timestamp": "t", "level": "info", "event": "request", "key": "a\nt info request\x1b[2J", "bucket": "é b"}
    line = _as_text(None, "info", event).decode()
    assert line.isprintable()
    assert "bucket=é b" in line
    assert r"\n" in line
    assert r"\x1b" in line


def test_a_traceback_keeps_its_lines() -> None:
    event = {"timestamp": "t", "level": "error", "event": "failure", "exception": "Traceback:\n  here"}
    assert _as_text(None, "error", event).endswith(b"exception=Traceback:\n  here")
