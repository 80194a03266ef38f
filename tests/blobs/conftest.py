from __future__ import annotations

import pytest

from tests.coroutines import pytest_pyfunc_call, runner

__all__ = ["pytest_pyfunc_call", "runner"]

pytest.register_assert_rewrite("tests.contracts")
