"""A disk that is full or failing: a clear answer, nothing visible, and life goes on when it is well again."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from entrepot.app import assemble, build_doors, now, open_doors
from entrepot.asgi import Application
from entrepot.blobs.disk import DiskStore
from entrepot.blobs.files import Files
from entrepot.blobs.kinds import stack
from entrepot.catalog.bell import MemoryBell
from entrepot.catalog.sqlite.engine import SQLite
from entrepot.config import Config, load
from entrepot.core import Core
from entrepot.core.budget import Budget, Portion
from entrepot.core.content import Content
from entrepot.ports import share
from entrepot.wire.http import Handler
from tests.crash.signed import EMPTY, UNSIGNED, canonical_query, sign
from tests.server import ROOT_KEYS

SMALL = b"s" * 2_000
LARGE = b"l" * 150_000
HUGE = bytes(range(256)) * 3_000
OLD = b"old"


class SickFiles(Files):
    """Calls of the names in ``sick`` fail."""

    def __init__(self) -> None:
        self.sick: dict[str, int] = {}
        self.failed = 0

    def _feel(self, call: str) -> None:
        if call in self.sick:
            self.failed += 1
            raise OSError(self.sick[call], os.strerror(self.sick[call]))

    def create(self, path: str) -> int:
        self._feel("create")
        return super().create(path)

    def write(self, fd: int, data: memoryview) -> int:
        if "write" in self.sick and len(data) > 4096:  # some of it still fits
            return super().write(fd, data[:4096])
        self._feel("write")
        return super().write(fd, data)

    def fdatasync(self, fd: int) -> None:
        self._feel("fdatasync")
        super().fdatasync(fd)

    def rename(self, path: str, to: str) -> None:
        self._feel("rename")
        super().rename(path, to)

    def mkdir(self, path: str) -> None:
        self._feel("mkdir")
        super().mkdir(path)

    def fsync_dir(self, path: str) -> None:
        self._feel("fsync_dir")
        super().fsync_dir(path)


class SickVFS(apsw.VFS):
    """SQLite on a disk where reading, writing or syncing fails when ``sick`` says so."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "unix")
        self.sick: dict[str, type[apsw.Error]] = {}
        self.failed = 0

    def feel(self, call: str) -> None:
        if call in self.sick:
            self.failed += 1
            raise self.sick[call]

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        file = _SickFile("unix", name, flags)
        file.vfs = self
        return file


class _SickFile(apsw.VFSFile):
    vfs: SickVFS

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - SQLite's name
        self.vfs.feel("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        self.vfs.feel("write")
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
        self.vfs.feel("sync")
        super().xSync(flags)


@dataclass
class Patient:
    """The whole application over a disk that can be made sick."""

    http: httpx.AsyncClient
    core: Core
    database: SQLite
    files: SickFiles
    vfs: SickVFS
    spool: Path

    async def ask(self, method: str, path: str, body: bytes = b"", **query: str) -> httpx.Response:
        headers = sign(ROOT_KEYS, method, "patient", path, query, {}, UNSIGNED if body else EMPTY)
        url = f"http://patient{path}?{canonical_query(query)}" if query else f"http://patient{path}"
        return await self.http.request(method, url, content=body, headers=headers)

    async def state(self, path: str) -> bytes | None:
        answer = await self.ask("GET", path)
        assert answer.status_code in (200, 404), answer.text
        return answer.content if answer.status_code == 200 else None


@pytest.fixture
def patient(tmp_path: Path, runner: asyncio.Runner) -> Iterator[Patient]:
    entered = nursed(tmp_path)
    yield runner.run(entered.__aenter__())
    runner.run(entered.__aexit__(None, None, None))


@asynccontextmanager
async def nursed(folder: Path) -> AsyncIterator[Patient]:
    keys = {"ENTREPOT_ACCESS_KEY": ROOT_KEYS.access, "ENTREPOT_SECRET_KEY": ROOT_KEYS.secret}
    config: Config = load({"data": str(folder)}, keys).config
    vfs, files, spool = SickVFS("sick"), SickFiles(), folder / "spool"
    spool.mkdir()
    database = await SQLite.open(folder / "catalog.sqlite", vfs="sick")
    disk = DiskStore(folder / "blobs", "main", files)
    store = stack(disk)
    budget = Budget(1 << 19, spool)
    content = Content(database, {"main": store}, budget, now, blob_size=1 << 18, inline_limit=4096)
    core = assemble(config, database, {"main": store}, content, MemoryBell(), Portion(budget, 1 << 17))

    @asynccontextmanager
    async def lifetime() -> AsyncIterator[Handler]:
        opened = open_doors(config)
        yield share(opened, build_doors(core, opened))

    transport = httpx.ASGITransport(Application(lifetime))
    async with httpx.AsyncClient(transport=transport) as http:
        patient = Patient(http, core, database, files, vfs, spool)
        assert (await patient.ask("PUT", "/bucket")).status_code == 200
        for path in ("/bucket/old", "/bucket/fresh"):
            assert (await patient.ask("PUT", path, OLD)).status_code == 200
        assert (await patient.ask("DELETE", "/bucket/fresh")).status_code == 204
        yield patient
    content.close()
    disk.close()
    await database.close()
    vfs.unregister()


async def refused(patient: Patient, body: bytes) -> None:
    """Neither a new object nor an overwritten one comes of it, and the client hears why."""
    for path, state in (("/bucket/fresh", None), ("/bucket/old", OLD)):
        answer = await patient.ask("PUT", path, body)
        assert answer.status_code == 503, answer.text
        assert "<Code>ServiceUnavailable</Code>" in answer.text
        assert answer.headers["retry-after"]
        assert await patient.state(path) == state


async def recovered(patient: Patient, body: bytes) -> None:
    for path in ("/bucket/fresh", "/bucket/old"):
        answer = await patient.ask("PUT", path, body)
        assert answer.status_code == 200, answer.text
        assert await patient.state(path) == body
    await patient.core.upkeep.collect(-1)
    assert [finding async for finding in patient.core.upkeep.check(deep=True)] == []


@pytest.mark.parametrize("body", [LARGE, HUGE], ids=["blob", "blobs"])
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("create", errno.ENOSPC), ("write", errno.ENOSPC), ("write", errno.EDQUOT), ("mkdir", errno.ENOSPC),
        ("rename", errno.ENOSPC), ("write", errno.EIO), ("fdatasync", errno.EIO), ("fdatasync", errno.ENOSPC),
        ("fsync_dir", errno.EIO), ("create", errno.EROFS),
    ],
)  # fmt: skip
async def test_a_store_that_cannot_write(call: str, error: int, body: bytes, patient: Patient) -> None:
    patient.files.sick[call] = error
    await refused(patient, body)
    assert patient.files.failed > 0
    assert await patient.state("/bucket/old") == OLD
    patient.files.sick.clear()
    await recovered(patient, body)


@pytest.mark.parametrize("body", [SMALL, LARGE, HUGE], ids=["inline", "blob", "blobs"])
@pytest.mark.parametrize(
    ("call", "error"),
    [("write", apsw.FullError), ("write", apsw.IOError), ("sync", apsw.IOError), ("sync", apsw.FullError)],
)
async def test_a_catalog_that_cannot_write(call: str, error: type[apsw.Error], body: bytes, patient: Patient) -> None:
    patient.vfs.sick[call] = error
    await refused(patient, body)
    answer = await patient.ask("DELETE", "/bucket/old")
    assert answer.status_code == 503
    assert patient.vfs.failed > 0
    assert await patient.state("/bucket/old") == OLD
    patient.vfs.sick.clear()
    await recovered(patient, body)


async def test_a_catalog_that_cannot_be_read(patient: Patient) -> None:
    """A scan whose snapshot ended with the error says what the error was."""
    for scanner in range(4):  # each has a connection by then, and has to read anew what was changed since
        assert (await patient.ask("GET", "/bucket", prefix=str(scanner))).status_code == 200
    assert (await patient.ask("PUT", "/bucket/new", SMALL)).status_code == 200
    patient.vfs.sick["read"] = apsw.IOError
    answer = await patient.ask("GET", "/bucket")
    assert answer.status_code == 503, answer.text
    assert patient.vfs.failed > 0
    patient.vfs.sick.clear()
    assert "<Key>new</Key>" in (await patient.ask("GET", "/bucket")).text


async def test_a_catalog_that_has_reached_its_size(patient: Patient) -> None:
    """SQLITE_FULL in the middle of a batch undoes that batch alone."""
    writer = patient.database._writer
    pages: int = writer.pragma("page_count")
    writer.execute(f"PRAGMA max_page_count = {pages}")
    answers = await asyncio.gather(*(patient.ask("PUT", f"/bucket/{number}", os.urandom(4000)) for number in range(20)))
    kept = {number for number, answer in enumerate(answers) if answer.status_code == 200}
    assert len(kept) < 20
    assert {answer.status_code for answer in answers} <= {200, 503}
    for number in range(20):
        assert (await patient.state(f"/bucket/{number}") is not None) is (number in kept)
    writer.execute("PRAGMA max_page_count = 1000000")
    await recovered(patient, SMALL)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["found at the end", "found in the middle"])
@pytest.mark.parametrize("full", [True, False], ids=["full", "gone"])
async def test_a_spool_that_cannot_write(
    body: bytes, patient: Patient, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """Bodies beyond the memory budget go to a file, which may not fit either."""
    budget = patient.core.objects.content.gathering()._budget
    assert budget.take(budget.limit)
    if full:
        device = lambda **_: Path("/dev/full").open("w+b")  # noqa: E731, SIM115 - closed by whom it is given to
        monkeypatch.setattr(tempfile, "TemporaryFile", device)
    else:
        monkeypatch.setattr(budget, "spool", patient.spool / "gone")
    await refused(patient, body)
    monkeypatch.undo()
    await recovered(patient, body)
    budget.give(budget.limit)
    assert budget.used == 0


async def test_an_upload_survives_a_full_disk(patient: Patient) -> None:
    """A part that did not fit is put again, and the completion too."""
    started = await patient.ask("POST", "/bucket/joined", uploads="")
    upload = started.text.partition("<UploadId>")[2].partition("<")[0]
    part: Callable[[], Any] = lambda: patient.ask("PUT", "/bucket/joined", LARGE, partNumber="1", uploadId=upload)  # noqa: E731 - asked twice
    patient.files.sick["write"] = errno.ENOSPC
    assert (await part()).status_code == 503
    patient.files.sick.clear()
    etag = (await part()).headers["etag"]
    document = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part></CompleteMultipartUpload>"
    )
    patient.vfs.sick["sync"] = apsw.IOError
    answer = await patient.ask("POST", "/bucket/joined", document.encode(), uploadId=upload)
    assert answer.status_code == 503, answer.text
    assert await patient.state("/bucket/joined") is None
    patient.vfs.sick.clear()
    answer = await patient.ask("POST", "/bucket/joined", document.encode(), uploadId=upload)
    assert answer.status_code == 200, answer.text
    assert await patient.state("/bucket/joined") == LARGE
