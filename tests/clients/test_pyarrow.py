"""pyarrow: Parquet written through multipart uploads with CRC64NVME, read back by ranges and by column."""

from __future__ import annotations

import re
import time
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from tests.clients.trees import MIB, make_bytes
from tests.server import Server

ROWS = 200_000
LOG_SECONDS = 1.0


@pytest.fixture
def filesystem(server: Server) -> Any:
    return pafs.S3FileSystem(
        access_key=server.keys.access,
        secret_key=server.keys.secret,
        region="us-east-1",
        scheme=server.scheme,
        endpoint_override=f"{server.host}:{server.port}",
        tls_ca_file_path=server.ca,
        retry_strategy=pafs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


@pytest.fixture
def table() -> Any:
    numbers = list(range(ROWS))
    return pa.table(
        {
            "id": numbers,
            "year": [2020 + number % 3 for number in numbers],
            "name": [f"row number {number}" for number in numbers],
            "noise": [make_bytes(32, number) for number in numbers],
        }
    )


def test_a_partitioned_dataset(filesystem: Any, bucket: str, table: Any) -> None:
    place = f"{bucket}/dataset"
    ds.write_dataset(
        table,
        place,
        filesystem=filesystem,
        format="parquet",
        partitioning=ds.partitioning(pa.schema([("year", pa.int64())]), flavor="hive"),
    )
    dataset = ds.dataset(place, filesystem=filesystem, partitioning="hive")
    assert dataset.count_rows() == ROWS
    found = dataset.to_table(columns=["id", "name"], filter=(pc.field("year") == 2021) & (pc.field("id") < 100))
    assert sorted(found["id"].to_pylist()) == [number for number in range(100) if number % 3 == 1]
    assert found["name"][0].as_py() == f"row number {found['id'][0].as_py()}"
    whole = dataset.to_table().sort_by("id").select(table.column_names)
    assert whole["noise"].to_pylist() == table["noise"].to_pylist()


def test_one_column_is_read_by_ranges(server: Server, filesystem: Any, bucket: str, table: Any) -> None:
    place = f"{bucket}/one.parquet"
    pq.write_table(table, place, filesystem=filesystem, row_group_size=20_000)
    size = filesystem.get_file_info(place).size
    assert size > 6 * MIB
    before = sent_bytes(server)
    column = pq.read_table(place, columns=["year"], filesystem=filesystem)
    assert column["year"].to_pylist() == table["year"].to_pylist()
    assert 0 < sent_bytes(server) - before < size // 4
    footer = pq.ParquetFile(place, filesystem=filesystem)
    assert footer.read_row_group(7, columns=["id"])["id"].to_pylist() == list(range(140_000, 160_000))


def sent_bytes(server: Server) -> int:
    """Sum what the server says in its access log that it sent. The log is written a moment after the answer."""
    time.sleep(LOG_SECONDS)
    return sum(map(int, re.findall(rb'"sent": ?(\d+)', server.log.read_bytes())))


def test_streams_directories_and_removal(filesystem: Any, bucket: str) -> None:
    body = make_bytes(12 * MIB + 7)
    filesystem.create_dir(f"{bucket}/dir/sub")
    with filesystem.open_output_stream(f"{bucket}/dir/sub/file", metadata={"Content-Type": "text/css"}) as out:
        for at in range(0, len(body), MIB):
            out.write(body[at : at + MIB])
    with filesystem.open_input_file(f"{bucket}/dir/sub/file") as source:
        source.seek(11 * MIB)
        assert source.read() == body[11 * MIB :]
        assert source.read_at(100, 4 * MIB - 50) == body[4 * MIB - 50 : 4 * MIB + 50]
    filesystem.copy_file(f"{bucket}/dir/sub/file", f"{bucket}/dir/copy")
    filesystem.move(f"{bucket}/dir/copy", f"{bucket}/dir/moved")
    selector = pafs.FileSelector(f"{bucket}/dir", recursive=True)
    found = {info.path: info.size for info in filesystem.get_file_info(selector) if info.is_file}
    assert found == {f"{bucket}/dir/moved": len(body), f"{bucket}/dir/sub/file": len(body)}
    filesystem.delete_dir(f"{bucket}/dir")
    assert filesystem.get_file_info(selector.base_dir).type == pafs.FileType.NotFound
