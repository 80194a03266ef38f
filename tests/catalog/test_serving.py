"""The whole server on a catalog in PostgreSQL: two hosts, each with two workers, one of which dies."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.clients.boto import isolate_environment, make_client
from tests.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres import Postgres

PART = 5 * 1024 * 1024
SMALL = b"small bytes that live in the catalog"


def client(server: Server) -> Any:
    return make_client(server, config=Config(retries={"max_attempts": 1}))


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    yield from isolate_environment()


@pytest.fixture(scope="module")
def hosts(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    """Two servers on one catalog and one data directory, as two hosts with a shared file system have."""
    folder: Path = tmp_path_factory.mktemp("hosts")
    environment = {"ENTREPOT_CATALOG": postgres.new_schema()}
    first = Server(folder / "data", workers=2, environment=environment)
    second = Server(folder / "data", workers=2, environment=environment)
    second.log = folder / "second.log"
    with first, second:
        yield [first, second]


def test_what_one_host_writes_the_other_reads(hosts: list[Server]) -> None:
    one, two = map(client, hosts)
    one.create_bucket(Bucket="both")
    large = bytes(range(256)) * (6 * 1024 * 1024 // 256)
    for key, body in (("small", SMALL), ("large", large), ("empty", b""), ("é/\U0001f980", SMALL)):
        put = one.put_object(Bucket="both", Key=key, Body=body, Metadata={"a": "b"})
        got = two.get_object(Bucket="both", Key=key)
        assert got["Body"].read() == body
        assert (got["ETag"], got["Metadata"]) == (put["ETag"], {"a": "b"})
    listed = two.list_objects_v2(Bucket="both", Delimiter="/")
    assert [each["Key"] for each in listed["Contents"]] == ["empty", "large", "small"]
    assert [each["Prefix"] for each in listed["CommonPrefixes"]] == ["é/"]


def test_an_upload_may_change_hosts(hosts: list[Server]) -> None:
    one, two = map(client, hosts)
    one.create_bucket(Bucket="parts")
    upload = one.create_multipart_upload(Bucket="parts", Key="k")["UploadId"]
    bodies = [b"1" * PART, b"2" * PART, b"3"]
    tags = [
        (one, two)[i % 2].upload_part(Bucket="parts", Key="k", UploadId=upload, PartNumber=i + 1, Body=body)["ETag"]
        for i, body in enumerate(bodies)
    ]
    parts = [{"PartNumber": i + 1, "ETag": tag} for i, tag in enumerate(tags)]
    two.complete_multipart_upload(Bucket="parts", Key="k", UploadId=upload, MultipartUpload={"Parts": parts})
    assert one.get_object(Bucket="parts", Key="k")["Body"].read() == b"".join(bodies)
    assert one.get_object(Bucket="parts", Key="k", Range=f"bytes={PART - 1}-{PART}")["Body"].read() == b"12"


def test_versions(hosts: list[Server]) -> None:
    one, two = map(client, hosts)
    one.create_bucket(Bucket="versions")
    two.put_bucket_versioning(Bucket="versions", VersioningConfiguration={"Status": "Enabled"})
    ids = [one.put_object(Bucket="versions", Key="k", Body=b"%d" % i)["VersionId"] for i in range(3)]
    two.delete_object(Bucket="versions", Key="k")
    with pytest.raises(ClientError, match="NoSuchKey"):
        one.get_object(Bucket="versions", Key="k")
    listed = one.list_object_versions(Bucket="versions")
    assert [each["VersionId"] for each in listed["Versions"]] == ids[::-1]
    assert len(listed["DeleteMarkers"]) == 1
    assert two.get_object(Bucket="versions", Key="k", VersionId=ids[0])["Body"].read() == b"0"


def test_one_host_creates_each_object(hosts: list[Server]) -> None:
    clients = list(map(client, hosts))
    clients[0].create_bucket(Bucket="race")

    def attempt(number: int) -> bool:
        try:
            body = b"%d" % number
            clients[number % 2].put_object(Bucket="race", Key=f"k{number // 8}", Body=body, IfNoneMatch="*")
        except ClientError as error:
            assert error.response["Error"]["Code"] == "PreconditionFailed"  # noqa: PT017 - the others won
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(attempt, range(64)))
    assert [sum(won[i : i + 8]) for i in range(0, 64, 8)] == [1] * 8


def test_a_host_that_dies_is_missed_by_nobody(hosts: list[Server]) -> None:
    one, two = map(client, hosts)
    one.create_bucket(Bucket="dies")
    for i in range(20):
        one.put_object(Bucket="dies", Key=f"k{i}", Body=SMALL)
    hosts[0].kill9()
    assert two.list_objects_v2(Bucket="dies")["KeyCount"] == 20
    two.put_object(Bucket="dies", Key="k20", Body=SMALL)
    hosts[0].start()
    assert one.get_object(Bucket="dies", Key="k20")["Body"].read() == SMALL
