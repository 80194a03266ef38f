"""Lines of the log for people."""

from __future__ import annotations

from entrepot.observe import _as_text


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
