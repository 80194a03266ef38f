"""The operations' contracts on every engine."""

from __future__ import annotations

import pytest

from tests.catalog.engines import Engine
from tests.contracts.blobs import BlobsContract
from tests.contracts.events import EventsContract
from tests.contracts.filters import FiltersContract
from tests.contracts.jobs import JobsContract
from tests.contracts.leases import LeasesContract
from tests.contracts.listing import ListingContract
from tests.contracts.machine import MachineContract
from tests.contracts.objects import ObjectsContract
from tests.contracts.people import PeopleContract
from tests.contracts.tags import TagsContract
from tests.contracts.upload_lists import UploadListsContract
from tests.contracts.uploads import UploadsContract


class Operations(
    ObjectsContract,
    TagsContract,
    ListingContract,
    FiltersContract,
    UploadsContract,
    UploadListsContract,
    BlobsContract,
    PeopleContract,
    LeasesContract,
    JobsContract,
    EventsContract,
    MachineContract,
):
    pass


class TestFile(Operations):
    @pytest.fixture
    def engine(self, file_engine: Engine) -> Engine:
        return file_engine


class TestMemory(Operations):
    histories = 150
    examples = 200

    @pytest.fixture
    def engine(self, memory_engine: Engine) -> Engine:
        return memory_engine


class TestPostgreSQL(Operations):
    @pytest.fixture
    def engine(self, postgres_engine: Engine) -> Engine:
        return postgres_engine
