"""A plugin for the suite's own pytest: runs one shard of it and writes each test's markers into the report.

Loaded by name into a process that runs in the suite's checkout, so it imports nothing of this project.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

SHARD = "CONFORMANCE_SHARD"
PROPERTY = "markers"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep every n-th test, so that slow neighbours are spread over the shards."""
    index, count = map(int, os.environ.get(SHARD, "0/1").split("/"))
    kept = items[index::count]
    dropped = [item for position, item in enumerate(items) if position % count != index]
    items[:] = kept
    config.hook.pytest_deselected(items=dropped)
    for item in items:
        item.user_properties.append((PROPERTY, " ".join(sorted({mark.name for mark in item.iter_markers()}))))
