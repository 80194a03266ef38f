"""Tests that are coroutines: imported by the ``conftest.py`` of an area that has them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def runner() -> Iterator[asyncio.Runner]:
    """The event loop of one test: of its fixtures and of the test itself when that is a coroutine."""
    with asyncio.Runner() as loop:
        yield loop


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    loop = pyfuncitem.funcargs["runner"]
    assert isinstance(loop, asyncio.Runner)
    loop.run(pyfuncitem.obj(**arguments))
    return True
