"""Buckets through the door: made, found, listed, changed, dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doors.s3.door import Door, Keys
from tests.doors.s3.golden import golden

if TYPE_CHECKING:
    from pathlib import Path

PUBLIC = {"x-amz-acl": "public-read"}
ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def names_of(door: Door, query: str = "", keys: Keys | None = None) -> list[str]:
    return door.ask("GET", "/", query, keys=keys or door.root).ok().words("Bucket/Name")


def test_a_bucket_from_first_to_last(door: Door) -> None:
    door.ask("HEAD", "/photos").ok(404)
    assert door.ask("PUT", "/photos").ok().headers["location"] == "/photos"
    assert door.ask("HEAD", "/photos").ok().headers["x-amz-bucket-region"] == "us-east-1"
    door.ask("PUT", "/photos/a", body=b"1").ok()
    door.ask("DELETE", "/photos").refused(409, "BucketNotEmpty")
    door.ask("DELETE", "/photos/a").ok(204)
    door.ask("DELETE", "/photos").ok(204)
    door.ask("DELETE", "/photos").refused(404, "NoSuchBucket")


@pytest.mark.parametrize("name", [
    "ab", "a" * 64, "Upper", "under_score", "-a-b", "a-b-", "a..b", "a.-b", "a-.b", "192.168.5.4", "a%20b", "a%2Fb",
    "%C3%A9t%C3%A9",
])  # fmt: skip
def test_bad_names(door: Door, name: str) -> None:
    door.ask("PUT", f"/{name}").refused(400, "InvalidBucketName")


@pytest.mark.parametrize("name", ["abc", "a" * 63, "0a.b-c", "health", "metrics", "1.2.3"])
def test_good_names(door: Door, name: str) -> None:
    door.ask("PUT", f"/{name}").ok()
    door.ask("PUT", f"/{name}/key", body=b"1").ok()
    assert door.ask("GET", f"/{name}").words("Contents/Key") == ["key"]


def test_creating_again(door: Door) -> None:
    other = door.new_keys("other")
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/key", body=b"1").ok()
    door.ask("PUT", "/mine").ok()
    assert door.ask("GET", "/mine").words("Contents/Key") == ["key"]
    door.ask("PUT", "/mine", headers=PUBLIC).refused(409, "BucketAlreadyExists")
    door.ask("GET", "/mine", keys=None).refused(403, "AccessDenied")
    door.ask("PUT", "/mine", keys=other).refused(409, "BucketAlreadyExists")
    door.ask("PUT", "/theirs", keys=other).ok()
    door.ask("PUT", "/theirs").refused(409, "BucketAlreadyExists")


def test_creating_again_in_another_region(tmp_path: Path) -> None:
    with Door(tmp_path, region="eu-west-3") as door:
        door.ask("PUT", "/mine").ok()
        door.ask("PUT", "/mine").refused(409, "BucketAlreadyOwnedByYou")
        assert door.ask("GET", "/mine", "location").body == golden("LocationConstraint", "eu-west-3")


def test_location(door: Door) -> None:
    def body(region: str) -> bytes:
        constraint = f"<LocationConstraint>{region}</LocationConstraint>"
        return f"<CreateBucketConfiguration>{constraint}</CreateBucketConfiguration>".encode()

    door.ask("PUT", "/mine", body=body("us-east-1")).ok()
    assert door.ask("GET", "/mine", "location").body == golden("LocationConstraint")
    door.ask("PUT", "/far", body=body("eu-west-3")).refused(400, "IllegalLocationConstraintException")
    door.ask("PUT", "/far", body=b"<Other/>").refused(400, "MalformedXML")
    door.ask("HEAD", "/far").ok(404)


def test_a_bucket_without_any_framing_of_a_body(door: Door) -> None:
    door.ask("PUT", "/mine", length=False).ok()


@pytest.mark.parametrize(("name", "value", "status", "code"), [
    ("x-amz-bucket-object-lock-enabled", "true", 501, "NotImplemented"),
    ("x-amz-object-ownership", "ObjectWriter", 501, "NotImplemented"),
    ("x-amz-grant-read", 'id="1"', 501, "NotImplemented"),
    ("x-amz-acl", "public-read-write", 501, "NotImplemented"),
    ("x-amz-acl", "authenticated-read", 501, "NotImplemented"),
    ("x-amz-acl", "publik", 400, "InvalidArgument"),
])  # fmt: skip
def test_what_a_new_bucket_cannot_be(door: Door, name: str, value: str, status: int, code: str) -> None:
    door.ask("PUT", "/mine", headers={name: value}).refused(status, code)
    door.ask("HEAD", "/mine").ok(404)


def test_a_list_of_buckets_is_its_owner_s(door: Door) -> None:
    door.ask("GET", "/", keys=None).refused(403, "AccessDenied")
    one, other = door.new_keys("one"), door.new_keys("other")
    for name, keys in (("a-one", one), ("b-other", other), ("c-one", one)):
        door.ask("PUT", f"/{name}", keys=keys).ok()
    assert names_of(door, keys=one) == ["a-one", "c-one"]
    assert names_of(door, keys=other) == ["b-other"]
    assert names_of(door) == ["a-one", "b-other", "c-one"]
    answer = door.ask("GET", "/", keys=one)
    assert (answer.word("Owner/ID"), answer.word("Owner/DisplayName")) == ("one", "one by name")
    assert answer.words("BucketRegion") == []


def test_a_list_of_buckets_in_pages(door: Door) -> None:
    every = [f"b{i}" for i in range(100, 105)] + ["c99"]
    for name in every:
        door.ask("PUT", f"/{name}").ok()
    for limit in (1, 2, 3, 6, 7):
        found, token = [], ""
        while True:
            answer = door.ask("GET", "/", f"max-buckets={limit}{token}").ok()
            page = answer.words("Bucket/Name")
            found += page
            if answer.word("ContinuationToken") is None:
                break
            assert len(page) == limit
            token = f"&continuation-token={answer.word('ContinuationToken')}".replace("=", "%3D").replace("%3D", "=", 1)
        assert found == every
    answer = door.ask("GET", "/", "prefix=b&max-buckets=5").ok()
    assert answer.words("Bucket/Name") == every[:5]
    assert (answer.word("ContinuationToken"), answer.word("Prefix")) == (None, "b")
    assert set(answer.words("BucketRegion")) == {"us-east-1"}
    assert names_of(door, "bucket-region=us-east-1") == every
    assert names_of(door, "bucket-region=eu-west-3") == []


@pytest.mark.parametrize("query", [
    "max-buckets=0", "max-buckets=-1", "max-buckets=many", "max-buckets=99999999999", "continuation-token=x",
    "continuation-token=%C3%A9", "max-buckets=%D9%A3",
])  # fmt: skip
def test_bad_pages_of_buckets(door: Door, query: str) -> None:
    door.ask("GET", "/", query).refused(400, "InvalidArgument")


def test_versioning(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    assert door.ask("GET", "/mine", "versioning").body == golden("VersioningConfiguration")
    for word in ("Enabled", "Suspended", "Enabled"):
        door.ask("PUT", "/mine", "versioning", ENABLED.replace(b"Enabled", word.encode())).ok()
        assert door.ask("GET", "/mine", "versioning").word("Status") == word
    door.ask("PUT", "/mine", "versioning", ENABLED.replace(b"Enabled", b"Off")).refused(400, "MalformedXML")
    door.ask("GET", "/none", "versioning").refused(404, "NoSuchBucket")
    assert door.ask("GET", "/mine", "versioning").word("Status") == "Enabled"


def test_the_acl_of_a_bucket(door: Door) -> None:
    owner = "<Owner><ID>root</ID><DisplayName>root</DisplayName></Owner>"
    instance = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    everybody = (
        f'<Grant><Grantee {instance} xsi:type="Group"><URI>http://acs.amazonaws.com/groups/global/AllUsers</URI>'
        "</Grantee><Permission>READ</Permission></Grant>"
    )
    mine = (
        f'<Grant><Grantee {instance} xsi:type="CanonicalUser"><ID>root</ID><DisplayName>root</DisplayName></Grantee>'
        "<Permission>FULL_CONTROL</Permission></Grant>"
    )

    def acl(*grants: str) -> bytes:
        return golden("AccessControlPolicy", owner, "<AccessControlList>", *grants, "</AccessControlList>")

    door.ask("PUT", "/mine", headers={"x-amz-acl": "private"}).ok()
    door.ask("PUT", "/mine/key", body=b"1").ok()
    for headers, grants, status in ((PUBLIC, [everybody, mine], 200), ({"x-amz-acl": "private"}, [mine], 403)):
        door.ask("PUT", "/mine", "acl", headers=headers).ok()
        assert door.ask("GET", "/mine", "acl").body == acl(*grants)
        assert door.ask("GET", "/mine/key", "acl").body == acl(*grants)
        assert door.ask("GET", "/mine/key", keys=None).status == status
        assert door.ask("GET", "/mine", keys=None).status == status
        is_public = door.ask("GET", "/mine", "policyStatus").word("IsPublic")
        assert is_public == ("true" if status == 200 else "false")
    door.ask("PUT", "/mine", "acl", acl(mine)).ok()
    door.ask("PUT", "/mine", "acl", headers={"x-amz-grant-write": "id=1"}).refused(501, "NotImplemented")
    door.ask("PUT", "/mine", "acl", headers={"x-amz-acl": "public-read-write"}).refused(501, "NotImplemented")


@pytest.mark.parametrize(("bucket", "right", "wrong"), [
    ("private", ("private", "bucket-owner-full-control"), ("public-read", "public-read-write", "authenticated-read")),
    ("public-read", ("public-read",), ("private", "authenticated-read", "bucket-owner-full-control")),
])  # fmt: skip
def test_an_object_has_the_acl_of_its_bucket(
    door: Door, bucket: str, right: tuple[str, ...], wrong: tuple[str, ...]
) -> None:
    door.ask("PUT", "/mine", headers={"x-amz-acl": bucket}).ok()
    for acl in right:
        headers = {"x-amz-acl": acl}
        door.ask("PUT", "/mine/key", body=b"1", headers=headers).ok()
        door.ask("PUT", "/mine/key", "acl", headers=headers).ok()
        door.ask("PUT", "/mine/copy", headers={**headers, "x-amz-copy-source": "/mine/key"}).ok()
        door.ask("POST", "/mine/upload", "uploads", headers=headers).ok()
    for acl in wrong:
        headers = {"x-amz-acl": acl}
        door.ask("PUT", "/mine/new", body=b"1", headers=headers).refused(501, "NotImplemented")
        door.ask("PUT", "/mine/key", "acl", headers=headers).refused(501, "NotImplemented")
        copy = {**headers, "x-amz-copy-source": "/mine/key"}
        door.ask("PUT", "/mine/new", headers=copy).refused(501, "NotImplemented")
        door.ask("POST", "/mine/new", "uploads", headers=headers).refused(501, "NotImplemented")
    door.ask("PUT", "/mine/new", body=b"1", headers={"x-amz-acl": "mine"}).refused(400, "InvalidArgument")
    door.ask("HEAD", "/mine/new").ok(404)


@pytest.mark.parametrize("path", ["/two-acls", "/two-acls/key"])
def test_an_acl_in_the_header_and_another_in_the_body(door: Door, path: str) -> None:
    door.ask("PUT", "/two-acls").ok()
    door.ask("PUT", "/two-acls/key", body=b"x").ok()
    body, headers = b"<AccessControlPolicy/>", {"x-amz-acl": "private"}
    door.ask("PUT", path, "acl", body, headers=headers).refused(400, "UnexpectedContent")
    door.ask("PUT", path, "acl", headers=headers).ok()


def test_every_answer_of_a_bucket_tells_its_region(door: Door) -> None:
    """SDKs that guessed another region look for it, in refusals and answers to HEAD most of all."""
    door.ask("PUT", "/mine").ok()
    for method, path, query, keys in (
        ("HEAD", "/mine", "", door.root), ("GET", "/mine", "", door.root), ("GET", "/mine", "tagging", door.root),
        ("HEAD", "/mine", "", None), ("GET", "/mine", "", None), ("GET", "/mine/none", "", door.root),
        ("HEAD", "/mine/none", "", door.root), ("PUT", "/mine/k", "", None), ("GET", "/mine", "list-type=3", door.root),
    ):  # fmt: skip
        assert door.ask(method, path, query, keys=keys).headers["x-amz-bucket-region"] == "us-east-1"
    for method in ("HEAD", "GET"):
        assert "x-amz-bucket-region" not in door.ask(method, "/none").ok(404).headers
    assert "x-amz-bucket-region" not in door.ask("GET", "/").ok().headers


@pytest.mark.parametrize("name", ["x-amz-acl", "x-amz-grant-read"])
def test_a_bucket_without_acls_gets_none(door: Door, name: str) -> None:
    """It is never a public one by accident."""
    enforced = {"x-amz-object-ownership": "BucketOwnerEnforced"}
    value = "public-read" if name == "x-amz-acl" else 'uri="http://acs.amazonaws.com/groups/global/AllUsers"'
    door.ask("PUT", "/mine", headers=enforced | {name: value}).refused(400, "InvalidBucketAclWithObjectOwnership")
    door.ask("HEAD", "/mine").refused(404, "NoSuchBucket")
    door.ask("PUT", "/mine", headers={"x-amz-object-ownership": "none"}).refused(400, "InvalidArgument")
    door.ask("PUT", "/mine", headers=enforced | {"x-amz-acl": "private"}).ok()
    door.ask("GET", "/mine", keys=None).refused(403, "AccessDenied")


def test_more_buckets_than_a_page_may_have(door: Door) -> None:
    door.ask("GET", "/", "max-buckets=10000").ok()
    for number in ("10001", "0", "x"):
        door.ask("GET", "/", f"max-buckets={number}").refused(400, "InvalidArgument")
