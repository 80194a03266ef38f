"""A12 and A26: every operation asks for its own right, in its own bucket and in no other."""

from __future__ import annotations

import pytest

from entrepot.model import Right
from tests.doors.s3.door import Door, Keys

OPERATIONS = {
    "GetObject": ("GET", "/mine/key", "", Right.READ),
    "GetObject version": ("GET", "/mine/key", "versionId=null", Right.READ),
    "HeadObject": ("HEAD", "/mine/key", "", Right.READ),
    "GetObjectAcl": ("GET", "/mine/key", "acl", Right.READ),
    "GetObjectTagging": ("GET", "/mine/key", "tagging", Right.READ),
    "ListObjects": ("GET", "/mine", "", Right.READ),
    "ListObjectsV2": ("GET", "/mine", "list-type=2", Right.READ),
    "ListObjectVersions": ("GET", "/mine", "versions", Right.READ),
    "HeadBucket": ("HEAD", "/mine", "", Right.READ),
    "GetBucketLocation": ("GET", "/mine", "location", Right.READ),
    "GetBucketVersioning": ("GET", "/mine", "versioning", Right.READ),
    "GetBucketAcl": ("GET", "/mine", "acl", Right.READ),
    "PutObject": ("PUT", "/mine/new", "", Right.WRITE),
    "DeleteObject": ("DELETE", "/mine/key", "", Right.DELETE),
    "DeleteObject version": ("DELETE", "/mine/key", "versionId=null", Right.DELETE),
    "PutBucketVersioning": ("PUT", "/mine", "versioning", Right.ADMIN),
    "PutBucketAcl": ("PUT", "/mine", "acl", Right.ADMIN),
    "PutBucketPolicy": ("PUT", "/mine", "policy", Right.ADMIN),
    "DeleteBucketPolicy": ("DELETE", "/mine", "policy", Right.ADMIN),
    "DeleteBucket": ("DELETE", "/mine", "", Right.ADMIN),
}
PUBLIC = {"GetObject", "GetObject version", "HeadObject", "ListObjects", "ListObjectsV2", "ListObjectVersions",
          "HeadBucket", "GetObjectTagging"}  # fmt: skip


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a12_an_operation_asks_for_its_right(door: Door, operation: str) -> None:
    method, path, query, right = OPERATIONS[operation]
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/key", body=b"secret").ok()
    strangers: list[Keys | None] = [None, door.new_keys("stranger")]
    others = [other for other in Right if other not in (right, Right.ADMIN)]
    strangers += [door.new_keys(f"only-{other}", grants={"mine": frozenset({other})}) for other in others]
    strangers.append(door.new_keys("neighbour", grants={"min": frozenset(Right), "mine2": frozenset(Right)}))
    for keys in strangers:
        answer = door.ask(method, path, query, keys=keys)
        answer.refused(403, "AccessDenied")
        assert b"secret" not in answer.body
    assert door.ask("GET", "/mine/key").ok().body == b"secret"
    assert door.ask("GET", "/mine").words("Contents/Key") == ["key"]
    allowed = door.new_keys("allowed", grants={"mine": frozenset({right})})
    assert door.ask(method, path, query, keys=allowed).status != 403


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a12_the_public_reads_a_public_bucket_and_does_no_more(door: Door, operation: str) -> None:
    method, path, query, _ = OPERATIONS[operation]
    door.ask("PUT", "/mine", headers={"x-amz-acl": "public-read"}).ok()
    door.ask("PUT", "/mine/key", body=b"news").ok()
    answer = door.ask(method, path, query, keys=None)
    if operation in PUBLIC:
        answer.ok()
    else:
        answer.refused(403, "AccessDenied")
    assert door.ask("GET", "/mine/key").ok().body == b"news"


def test_a12_a_copy_needs_the_right_to_read_its_source(door: Door) -> None:
    door.ask("PUT", "/secret").ok()
    door.ask("PUT", "/secret/key", body=b"secret").ok()
    thief = door.new_keys("thief")
    door.ask("PUT", "/loot", keys=thief).ok()
    headers = {"x-amz-copy-source": "/secret/key"}
    door.ask("PUT", "/loot/key", headers=headers, keys=thief).refused(403, "AccessDenied")
    upload = door.ask("POST", "/loot/key", "uploads", keys=thief).ok().word("UploadId")
    query = f"partNumber=1&uploadId={upload}"
    door.ask("PUT", "/loot/key", query, headers=headers, keys=thief).refused(403, "AccessDenied")
    assert door.ask("GET", "/loot").words("Contents/Key") == []


def test_a26_the_name_of_a_bucket_that_is_gone_gives_nothing_back(door: Door) -> None:
    first, second = door.new_keys("first"), door.new_keys("second")
    door.ask("PUT", "/mine", keys=first).ok()
    door.ask("PUT", "/mine/key", body=b"of the first", keys=first).ok()
    door.ask("PUT", "/mine", keys=second).refused(409, "BucketAlreadyExists")
    door.ask("GET", "/mine/key", keys=second).refused(403, "AccessDenied")
    door.ask("DELETE", "/mine/key", keys=first).ok(204)
    door.ask("DELETE", "/mine", keys=first).ok(204)
    door.ask("PUT", "/mine", keys=second).ok()
    assert door.ask("GET", "/mine", "versions", keys=second).words("Key") == []
    door.ask("GET", "/mine", keys=first).refused(403, "AccessDenied")
    door.ask("PUT", "/mine/key", keys=first).refused(403, "AccessDenied")


def test_a26_a_neighbour_s_name_begins_the_same(door: Door) -> None:
    owner, other = door.new_keys("owner"), door.new_keys("other")
    door.ask("PUT", "/data", keys=owner).ok()
    door.ask("PUT", "/data-2", keys=other).ok()
    door.ask("PUT", "/data/2/key", body=b"1", keys=owner).ok()
    for path in ("/data", "/data/2/key", "/data%2F2/key", "/data//2/key"):
        assert door.ask("GET", path, keys=other).status in (403, 404)
    assert door.ask("GET", "/", "prefix=data", keys=other).words("Bucket/Name") == ["data-2"]


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a12_a_bucket_of_another_owner_than_expected_is_left_alone(door: Door, operation: str) -> None:
    """Whoever deletes a bucket leaves its name to others; a client that names the owner is safe from them."""
    method, path, query, _ = OPERATIONS[operation]
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/key", body=b"secret").ok()
    name = "x-amz-expected-bucket-owner"
    answer = door.ask(method, path, query, headers={name: "111122223333"})
    answer.refused(403, "AccessDenied")
    assert b"secret" not in answer.body
    assert door.ask("GET", "/mine").words("Contents/Key") == ["key"]
    assert door.ask(method, path, query, headers={name: "root"}).status != 403


def test_a12_a_source_of_another_owner_than_expected_is_not_copied(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/key", body=b"secret").ok()
    upload = door.ask("POST", "/mine/copy", "uploads").ok().word("UploadId")
    for query in ("", f"partNumber=1&uploadId={upload}"):
        headers = {"x-amz-copy-source": "mine/key", "x-amz-source-expected-bucket-owner": "111122223333"}
        door.ask("PUT", "/mine/copy", query, headers=headers).refused(403, "AccessDenied")
        door.ask("PUT", "/mine/copy", query, headers=headers | {"x-amz-source-expected-bucket-owner": "root"}).ok()
