"""Copying the log back, when that fails."""

from __future__ import annotations

from pathlib import Path

import apsw

from entrepot.catalog.checkpoint import LIMIT_PAGES, Checkpointer


def test_a_copy_that_fails_stays_with_the_writer_who_tried(tmp_path: Path) -> None:
    """Any error: one that escaped would end the thread that answers writers, with the turnstile held."""
    path = tmp_path / "catalog.sqlite"
    checkpointer = Checkpointer(path, lambda: apsw.Connection(str(path)))
    try:
        broken = apsw.Connection(str(path))
        broken.close()
        checkpointer.pages = LIMIT_PAGES + 1
        checkpointer.finish(broken)
        assert checkpointer.pages == 0
    finally:
        checkpointer.close()
