"""The door that is attacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doors.s3.door import Door

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with Door(tmp_path / "data") as opened:
        yield opened
