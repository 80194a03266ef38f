"""boto3 with its defaults: buckets, listings, DeleteObjects and versions, over HTTP and over HTTPS."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.clients.boto import refused

if TYPE_CHECKING:
    from tests.server import Server

NAMES = ["a/1", "a/2", "a/deep/3", "b/4", "b b/5", "c", "d+é/6", "z"]


@pytest.fixture
def filled(s3: Any, bucket: str) -> str:
    for name in NAMES:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode())
    return bucket


def test_a_bucket_lives_and_dies(s3: Any) -> None:
    name = f"t-{uuid.uuid4().hex[:20]}"
    s3.create_bucket(Bucket=name)
    assert name in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.head_bucket(Bucket=name)
    s3.put_object(Bucket=name, Key="key", Body=b"")
    with refused(409, "BucketNotEmpty"):
        s3.delete_bucket(Bucket=name)
    s3.delete_object(Bucket=name, Key="key")
    s3.delete_bucket(Bucket=name)
    with refused(404, "404"):
        s3.head_bucket(Bucket=name)
    with refused(404, "NoSuchBucket"):
        s3.list_objects_v2(Bucket=name)


def test_buckets_are_paged(s3: Any) -> None:
    prefix = f"p-{uuid.uuid4().hex[:12]}-"
    names = [f"{prefix}{number}" for number in range(5)]
    for name in names:
        s3.create_bucket(Bucket=name)
    pages = s3.get_paginator("list_buckets").paginate(Prefix=prefix, PaginationConfig={"PageSize": 2})
    assert [[entry["Name"] for entry in page["Buckets"]] for page in pages] == [names[:2], names[2:4], names[4:]]


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("page", [1, 3, 1000])
def test_listing_is_whole_whatever_the_page(s3: Any, filled: str, operation: str, page: int) -> None:
    pages = s3.get_paginator(operation).paginate(Bucket=filled, PaginationConfig={"PageSize": page})
    found = [entry for answer in pages for entry in answer["Contents"]]
    assert [entry["Key"] for entry in found] == sorted(NAMES, key=str.encode)
    assert [entry["Size"] for entry in found] == [len(name.encode()) for name in sorted(NAMES, key=str.encode)]


@pytest.mark.parametrize("operation", ["list_objects_v2", "list_objects"])
@pytest.mark.parametrize("page", [1, 2, 1000])
def test_listing_by_delimiter(s3: Any, filled: str, operation: str, page: int) -> None:
    pages = s3.get_paginator(operation).paginate(Bucket=filled, Delimiter="/", PaginationConfig={"PageSize": page})
    answers = list(pages)
    assert [e["Key"] for answer in answers for e in answer.get("Contents", [])] == ["c", "z"]
    prefixes = [e["Prefix"] for answer in answers for e in answer.get("CommonPrefixes", [])]
    assert prefixes == ["a/", "b b/", "b/", "d+é/"]


def test_listing_of_a_prefix_after_a_key(s3: Any, filled: str) -> None:
    answer = s3.list_objects_v2(Bucket=filled, Prefix="a/", StartAfter="a/1", FetchOwner=True)
    assert [entry["Key"] for entry in answer["Contents"]] == ["a/2", "a/deep/3"]
    assert all(entry["Owner"]["ID"] for entry in answer["Contents"])
    assert (answer["KeyCount"], answer["IsTruncated"]) == (2, False)


def test_delete_objects(s3: Any, filled: str) -> None:
    doomed = [*NAMES[:-1], "never there"]
    answer = s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": name} for name in doomed]})
    assert sorted(entry["Key"] for entry in answer["Deleted"]) == sorted(doomed)
    assert "Errors" not in answer
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=filled)["Contents"]] == ["z"]
    quiet = s3.delete_objects(Bucket=filled, Delete={"Objects": [{"Key": "z"}], "Quiet": True})
    assert "Deleted" not in quiet
    assert s3.list_objects_v2(Bucket=filled)["KeyCount"] == 0


def test_versions_are_kept_and_come_back(s3: Any, bucket: str) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="key", Body=b"before")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    ids = [s3.put_object(Bucket=bucket, Key="key", Body=body)["VersionId"] for body in (b"one", b"two")]
    for version, body in (("null", b"before"), (ids[0], b"one"), (ids[1], b"two")):
        assert s3.get_object(Bucket=bucket, Key="key", VersionId=version)["Body"].read() == body
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [(entry["VersionId"], entry["IsLatest"]) for entry in listed] == [
        (ids[1], True),
        (ids[0], False),
        ("null", False),
    ]


def test_a_delete_marker_hides_and_its_removal_shows(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    version = s3.put_object(Bucket=bucket, Key="key", Body=b"text")["VersionId"]
    marker = s3.delete_object(Bucket=bucket, Key="key")
    assert marker["DeleteMarker"] is True
    with refused(404, "NoSuchKey"):
        s3.get_object(Bucket=bucket, Key="key")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert s3.list_object_versions(Bucket=bucket)["DeleteMarkers"][0]["VersionId"] == marker["VersionId"]
    assert s3.get_object(Bucket=bucket, Key="key", VersionId=version)["Body"].read() == b"text"
    with refused(405, "405"):
        s3.head_object(Bucket=bucket, Key="key", VersionId=marker["VersionId"])
    s3.delete_object(Bucket=bucket, Key="key", VersionId=marker["VersionId"])
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"text"
    s3.delete_object(Bucket=bucket, Key="key", VersionId=version)
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


def test_suspended_versioning_replaces_the_null_version(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = s3.put_object(Bucket=bucket, Key="key", Body=b"kept")["VersionId"]
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"lost", b"last"):
        s3.put_object(Bucket=bucket, Key="key", Body=body)
    listed = s3.list_object_versions(Bucket=bucket)["Versions"]
    assert [entry["VersionId"] for entry in listed] == ["null", kept]
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"last"


def test_versions_are_paged(s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    put = [
        (key, s3.put_object(Bucket=bucket, Key=key, Body=str(turn).encode())["VersionId"])
        for turn in range(3)
        for key in ("a", "b")
    ]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 2})
    listed = [(entry["Key"], entry["VersionId"]) for page in pages for entry in page["Versions"]]
    newest_first = list(reversed(put))
    assert listed == [pair for key in ("a", "b") for pair in newest_first if pair[0] == key]


def test_versions_are_deleted_page_by_page(server: Server, s3: Any, bucket: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(7):
        s3.put_object(Bucket=bucket, Key="key", Body=b"text")
    resource = boto3.resource(
        "s3", endpoint_url=server.endpoint, verify=server.ca, region_name="us-east-1",
        aws_access_key_id=server.keys.access, aws_secret_access_key=server.keys.secret,
    )  # fmt: skip
    resource.Bucket(bucket).object_versions.page_size(3).delete()
    assert "Versions" not in s3.list_object_versions(Bucket=bucket)


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("get_bucket_policy", "NoSuchBucketPolicy"),
        ("get_bucket_cors", "NoSuchCORSConfiguration"),
        ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
        ("get_bucket_tagging", "NoSuchTagSet"),
        ("get_bucket_encryption", "ServerSideEncryptionConfigurationNotFoundError"),
        ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"),
        ("get_bucket_website", "NoSuchWebsiteConfiguration"),
        ("get_bucket_replication", "ReplicationConfigurationNotFoundError"),
        ("get_public_access_block", "NoSuchPublicAccessBlockConfiguration"),
    ],
)
def test_what_a_bucket_does_not_have_is_said_by_its_own_code(s3: Any, bucket: str, operation: str, code: str) -> None:
    with refused(404, code):
        getattr(s3, operation)(Bucket=bucket)


def test_what_is_not_built_is_refused_and_not_ignored(s3: Any, bucket: str) -> None:
    with refused(501, "NotImplemented"):
        s3.put_bucket_accelerate_configuration(Bucket=bucket, AccelerateConfiguration={"Status": "Enabled"})
