"""Classes of storage are kept and told; there is one of them in truth."""

from __future__ import annotations

import botocore.session
import pytest

from entrepot.doors.s3.storage import CLASSES
from tests.doors.s3.door import Door
from tests.doors.s3.multipart import begin, complete, put_part


def class_of(door: Door, path: str) -> str | None:
    told = door.ask("HEAD", path).ok().headers.get("x-amz-storage-class")
    assert door.ask("GET", path).headers.get("x-amz-storage-class") == told
    asked = door.ask("GET", path, "attributes", headers={"x-amz-object-attributes": "StorageClass"})
    assert asked.word("StorageClass") == told or "STANDARD"
    return told


def test_the_classes_are_those_of_the_model() -> None:
    model = botocore.session.get_session().get_service_model("s3")
    assert frozenset(model.shape_for("StorageClass").enum) == CLASSES


@pytest.mark.parametrize("name", ["STANDARD_IA", "GLACIER", "REDUCED_REDUNDANCY"])
def test_a_class_is_told_where_s3_tells_it(door: Door, name: str) -> None:
    door.ask("PUT", "/mine").ok()
    told = {"x-amz-storage-class": name}
    door.ask("PUT", "/mine/a", body=b"1", headers=told | {"cache-control": "no-cache"}).ok()
    door.ask("PUT", "/mine/b", body=b"1", headers={"x-amz-storage-class": "STANDARD"}).ok()
    assert (class_of(door, "/mine/a"), class_of(door, "/mine/b")) == (name, None)
    for query in ("", "list-type=2", "versions"):
        assert door.ask("GET", "/mine", query).ok().words("StorageClass") == [name, "STANDARD"]


def test_a_copy_has_the_class_that_it_asks_for(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/a", body=b"1", headers={"x-amz-storage-class": "GLACIER", "x-amz-meta-a": "b"}).ok()
    source = {"x-amz-copy-source": "mine/a"}
    door.ask("PUT", "/mine/b", headers=source).ok()
    assert class_of(door, "/mine/b") is None
    door.ask("PUT", "/mine/a", headers=source).refused(400, "InvalidRequest")
    door.ask("PUT", "/mine/a", headers=source | {"x-amz-storage-class": "ONEZONE_IA"}).ok()
    assert class_of(door, "/mine/a") == "ONEZONE_IA"
    assert door.ask("HEAD", "/mine/a").headers["x-amz-meta-a"] == "b"
    replaced = {"x-amz-metadata-directive": "REPLACE", "x-amz-storage-class": "SNOW"}
    door.ask("PUT", "/mine/c", headers=source | replaced).ok()
    assert class_of(door, "/mine/c") == "SNOW"
    door.ask("PUT", "/mine/d", headers=source | {"x-amz-storage-class": "COLD"}).refused(400, "InvalidStorageClass")


def test_an_upload_in_parts(door: Door) -> None:
    door.ask("PUT", "/mine").ok()
    upload = begin(door, "/mine/a", {"x-amz-storage-class": "GLACIER_IR"})
    etag = put_part(door, "/mine/a", upload, 1, b"1").ok().headers["etag"]
    assert door.ask("GET", "/mine/a", f"uploadId={upload}").word("StorageClass") == "GLACIER_IR"
    assert door.ask("GET", "/mine", "uploads").word("StorageClass") == "GLACIER_IR"
    complete(door, "/mine/a", upload, [(1, etag)]).ok()
    assert class_of(door, "/mine/a") == "GLACIER_IR"
    door.ask("POST", "/mine/a", "uploads", headers={"x-amz-storage-class": "COLD"}).refused(400, "InvalidStorageClass")
