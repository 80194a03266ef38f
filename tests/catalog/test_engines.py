"""The database contract on every engine."""

from __future__ import annotations

import pytest

from tests.catalog.engines import Engine
from tests.contracts.database import DatabaseContract
from tests.contracts.shared import SharedContract


class TestFile(SharedContract):
    @pytest.fixture
    def engine(self, file_engine: Engine) -> Engine:
        return file_engine


class TestMemory(DatabaseContract):
    @pytest.fixture
    def engine(self, memory_engine: Engine) -> Engine:
        return memory_engine


class TestPostgreSQL(SharedContract):
    @pytest.fixture
    def engine(self, postgres_engine: Engine) -> Engine:
        return postgres_engine
