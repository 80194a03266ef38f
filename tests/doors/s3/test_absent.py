"""Parts of S3 that are not here: never a 500, never a silent success, and to each its own code."""

from __future__ import annotations

from collections.abc import AsyncIterator

import botocore.session
import pytest

from entrepot.doors.s3.routes import OPERATIONS, find_operation
from entrepot.doors.s3.subresources import SUBRESOURCES
from entrepot.wire.http import Headers, Request
from tests.doors.s3.door import Door
from tests.doors.s3.golden import golden

UNSET = {
    "cors": "NoSuchCORSConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "lifecycle": "NoSuchLifecycleConfiguration",
    "object-lock": "ObjectLockConfigurationNotFoundError",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "replication": "ReplicationConfigurationNotFoundError",
    "website": "NoSuchWebsiteConfiguration",
}


def test_every_subresource_of_the_model_is_known() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    queries = [model.operation_model(name).http["requestUri"].partition("?")[2] for name in model.operation_names]
    asked = {pair.partition("=")[0] for query in queries for pair in query.split("&") if pair}
    assert len(asked) > 30
    assert asked <= SUBRESOURCES


def test_what_nobody_made_is_counted_as_one() -> None:
    """Counters are kept for ever, and take room on the disk: nobody may choose what there is one for."""

    async def nothing() -> AsyncIterator[bytes]:
        for _ in ():
            yield b""

    names = {
        find_operation(Request(method, b"/", sub.encode(), Headers([]), nothing()), *named).name
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "PROPFIND", "X-1")
        for sub in ("", *SUBRESOURCES)
        for named in (("", ""), ("bucket", ""), ("bucket", "key"))
    }
    assert names - {each.name for each in OPERATIONS.values()} == {"Absent"}


@pytest.mark.parametrize("sub", sorted(UNSET))
def test_a_setting_that_nobody_set(door: Door, sub: str) -> None:
    door.ask("GET", "/mine", sub).refused(404, "NoSuchBucket")
    door.ask("PUT", "/mine").ok()
    door.ask("GET", "/mine", sub).refused(404, UNSET[sub])
    expected = (409, "InvalidBucketState") if sub == "object-lock" else (501, "NotImplemented")
    door.ask("PUT", "/mine", sub, b"<Setting/>").refused(*expected)
    if sub != "object-lock":
        door.ask("DELETE", "/mine", sub).ok(204)
    door.ask("HEAD", "/mine").ok()


@pytest.mark.parametrize(("sub", "document"), [
    ("accelerate", golden("AccelerateConfiguration")),
    ("logging", golden("BucketLoggingStatus")),
    ("notification", golden("NotificationConfiguration")),
    ("requestPayment", golden("RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>")),
    ("policyStatus", golden("PolicyStatus", "<IsPublic>false</IsPublic>")),
])  # fmt: skip
def test_what_every_bucket_has(door: Door, sub: str, document: bytes) -> None:
    door.ask("GET", "/mine", sub).refused(404, "NoSuchBucket")
    door.ask("PUT", "/mine", headers={"x-amz-acl": "private"}).ok()
    assert door.ask("GET", "/mine", sub).ok().body == document
    door.ask("PUT", "/mine", sub, b"<Setting/>").refused(501, "NotImplemented")


def test_settings_of_an_object(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    door.ask("GET", "/mine/key", "retention").refused(404, "NoSuchKey")
    door.ask("PUT", "/mine/key", body=b"1").ok()
    for sub in ("retention", "legal-hold"):
        for method in ("GET", "PUT"):
            door.ask(method, "/mine/key", sub).refused(400, "InvalidRequest")
    for method, sub in (
        ("GET", "torrent"), ("POST", "restore"), ("POST", "select&select-type=2"), ("PUT", "renameObject"),
    ):  # fmt: skip
        door.ask(method, "/mine/key", sub).refused(501, "NotImplemented")
    assert door.ask("GET", "/mine/key").body == b"1"


@pytest.mark.parametrize("path", ["/mine", "/mine/key", "/none", "/none/key"])
def test_no_method_of_any_subresource_breaks(door: Door, path: str) -> None:
    for sub in sorted(SUBRESOURCES):
        door.ask("PUT", "/mine").ok()
        door.ask("PUT", "/mine/key", body=b"1").ok()
        for method in ("GET", "HEAD", "PUT", "POST", "DELETE"):
            for keys in (door.root, None):
                answer = door.ask(method, path, sub, keys=keys)
                assert answer.status < 500 or answer.status == 501, (method, sub, answer)
                assert keys is not None or answer.status >= 400, (method, sub, answer)
        assert door.ask("GET", "/mine/key").body == b"1"


def test_numbered_settings(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    for sub in ("analytics", "intelligent-tiering", "inventory", "metrics"):
        door.ask("GET", "/mine", f"{sub}&id=1").refused(404, "NoSuchConfiguration")
        door.ask("GET", "/mine", sub).refused(501, "NotImplemented")


def test_methods_that_nothing_has(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    for path in ("/", "/mine", "/mine/key"):
        door.ask("PATCH", path).refused(405, "MethodNotAllowed")
    door.ask("DELETE", "/").refused(405, "MethodNotAllowed")
    door.ask("POST", "/mine", keys=None).refused(412, "PreconditionFailed")


def test_who_asks_comes_first(door: Door) -> None:
    stranger = door.new_keys("stranger")
    door.ask("PUT", "/mine", headers={"x-amz-acl": "public-read"}).ok()
    for sub in (*UNSET, "acl", "versioning", "location", "requestPayment"):
        door.ask("GET", "/mine", sub, keys=None).refused(403, "AccessDenied")
        door.ask("PUT", "/mine", sub, keys=stranger).refused(403, "AccessDenied")
