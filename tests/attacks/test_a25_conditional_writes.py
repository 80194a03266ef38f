"""Attack case A25: of many conditional writes at once exactly one succeeds, whichever process takes each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.clients.boto import isolate_environment, make_client
from tests.server import Server

WRITERS = 16
LOST = {412, 409}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    environment = isolate_environment()
    next(environment)
    with Server(tmp_path_factory.mktemp("server") / "data", workers=2) as server:
        config = Config(max_pool_connections=WRITERS, retries={"total_max_attempts": 1})
        client = make_client(server, config=config)
        client.create_bucket(Bucket="bucket")
        yield client
    next(environment, None)


def race(act: Callable[[int], Any]) -> tuple[list[int], set[str]]:
    """The statuses of the writers in order, and the processes that answered them."""

    def one(number: int) -> tuple[int, str]:
        try:
            answer = act(number)["ResponseMetadata"]
        except ClientError as error:
            answer = error.response["ResponseMetadata"]
        return answer["HTTPStatusCode"], answer["RequestId"][:-6]

    with ThreadPoolExecutor(WRITERS) as pool:
        outcomes = list(pool.map(one, range(WRITERS)))
    return [status for status, _ in outcomes], {process for _, process in outcomes}


def check_one_won(statuses: list[int]) -> int:
    """The number of the winner."""
    assert statuses.count(200) == 1, statuses
    assert set(statuses) - {200} <= LOST, statuses
    return statuses.index(200)


def put(s3: Any, key: str, number: int, **condition: str) -> Any:
    return s3.put_object(Bucket="bucket", Key=key, Body=b"%d" % number, **condition)


def body_of(s3: Any, key: str) -> bytes:
    body: bytes = s3.get_object(Bucket="bucket", Key=key)["Body"].read()
    return body


def test_a25_many_creators(s3: Any) -> None:
    processes: set[str] = set()
    for round_ in range(10):
        key = f"created{round_}"
        statuses, taken_by = race(functools.partial(put, s3, key, IfNoneMatch="*"))
        assert body_of(s3, key) == b"%d" % check_one_won(statuses)
        processes |= taken_by
    assert len(processes) == 2


def test_a25_no_update_is_lost(s3: Any) -> None:
    """Of the writers that saw the same state one replaces it."""
    etag = s3.put_object(Bucket="bucket", Key="counter", Body=b"start")["ETag"]
    for _ in range(5):
        statuses, _ = race(functools.partial(put, s3, "counter", IfMatch=etag))
        winner = check_one_won(statuses)
        got = s3.get_object(Bucket="bucket", Key="counter")
        assert got["Body"].read() == b"%d" % winner
        etag = s3.put_object(Bucket="bucket", Key="counter", Body=b"round")["ETag"]


def test_a25_many_copies(s3: Any) -> None:
    for number in range(WRITERS):
        s3.put_object(Bucket="bucket", Key=f"source{number}", Body=b"%d" % number)
    statuses, _ = race(
        lambda number: s3.copy_object(
            Bucket="bucket", Key="copied", CopySource=f"bucket/source{number}", IfNoneMatch="*"
        )
    )
    assert body_of(s3, "copied") == b"%d" % check_one_won(statuses)


def test_a25_many_completions(s3: Any) -> None:
    where = {"Bucket": "bucket", "Key": "completed"}
    uploads = [s3.create_multipart_upload(**where)["UploadId"] for _ in range(WRITERS)]
    etags = [
        s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"%d" % number)["ETag"]
        for number, upload in enumerate(uploads)
    ]
    statuses, _ = race(
        lambda number: s3.complete_multipart_upload(
            **where,
            UploadId=uploads[number],
            IfNoneMatch="*",
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etags[number]}]},
        )
    )
    winner = check_one_won(statuses)
    assert body_of(s3, "completed") == b"%d" % winner
    left = s3.list_multipart_uploads(Bucket="bucket")["Uploads"]
    assert {upload["UploadId"] for upload in left} == set(uploads) - {uploads[winner]}
    for upload in left:
        s3.abort_multipart_upload(**where, UploadId=upload["UploadId"])


def test_a25_one_upload_completed_many_times(s3: Any) -> None:
    """Every one of them hears the same answer, and there is one version."""
    where = {"Bucket": "bucket", "Key": "repeated"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    etag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"once")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    statuses, _ = race(lambda _: s3.complete_multipart_upload(**where, UploadId=upload, MultipartUpload=parts))
    assert statuses == [200] * WRITERS
    assert body_of(s3, "repeated") == b"once"


def test_a25_one_upload_completed_many_times_on_a_condition(s3: Any) -> None:
    """The condition is asked each time: of the many who may have lost an answer one made the object."""
    where = {"Bucket": "bucket", "Key": "conditional"}
    upload = s3.create_multipart_upload(**where)["UploadId"]
    etag = s3.upload_part(**where, UploadId=upload, PartNumber=1, Body=b"once")["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    statuses, _ = race(
        lambda _: s3.complete_multipart_upload(**where, UploadId=upload, IfNoneMatch="*", MultipartUpload=parts)
    )
    check_one_won(statuses)
    assert body_of(s3, "conditional") == b"once"
