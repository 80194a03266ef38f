"""ListObjects, ListObjectsV2 and ListObjectVersions through the door."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.doors.s3.door import Door, path_of
from tests.doors.s3.golden import golden

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = ["asdf", "boo/bar", "boo/baz/xyzzy", "cquux/thud", "cquux/bla"]
ENABLED = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"


def fill(door: Door, keys: Iterable[str], bucket: str = "mine") -> None:
    door.ask("PUT", f"/{bucket}").ok()
    for key in keys:
        door.ask("PUT", path_of(bucket, key), body=b"data").ok()


def entries(door: Door, query: str) -> tuple[list[str], list[str]]:
    answer = door.ask("GET", "/mine", query).ok()
    return answer.words("Contents/Key"), answer.words("CommonPrefixes/Prefix")


def test_golden_documents(door: Door) -> None:
    fill(door, ["a b", "d/é"])
    answer = door.ask("GET", "/mine", "list-type=2&delimiter=%2F&fetch-owner=true&encoding-type=url").ok()
    modified = answer.word("LastModified")
    assert answer.headers["content-type"] == "application/xml"
    assert answer.body == golden(
        "ListBucketResult",
        "<Name>mine</Name><Prefix></Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>",
        "<Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>",
        f"<Contents><Key>a%20b</Key><LastModified>{modified}</LastModified>",
        "<ETag>&quot;8d777f385d3dfec8815d20f7496026dc&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>",
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>4</Size>",
        "<Owner><ID>root</ID><DisplayName>root</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>",
        "<CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes>",
    )
    answer = door.ask("GET", "/mine", "max-keys=1&prefix=d%2F&marker=d%2F%C3%A0&encoding-type=url").ok()
    assert answer.body == golden(
        "ListBucketResult",
        "<Name>mine</Name><Prefix>d/</Prefix><Marker>d/%C3%A0</Marker><MaxKeys>1</MaxKeys>",
        "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>",
        f"<Contents><Key>d/%C3%A9</Key><LastModified>{modified}</LastModified>",
        "<ETag>&quot;8d777f385d3dfec8815d20f7496026dc&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>",
        "<ChecksumType>FULL_OBJECT</ChecksumType><Size>4</Size>",
        "<Owner><ID>root</ID><DisplayName>root</DisplayName></Owner><StorageClass>STANDARD</StorageClass></Contents>",
    )


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize(("fold", "keys", "prefixes"), [
    ("", sorted(KEYS), []),
    ("&delimiter=%2F", ["asdf"], ["boo/", "cquux/"]),
    ("&delimiter=%2F&prefix=boo%2F", ["boo/bar"], ["boo/baz/"]),
    ("&delimiter=a", ["cquux/thud"], ["a", "boo/ba", "cquux/bla"]),
])  # fmt: skip
def test_pages(door: Door, limit: int, fold: str, keys: list[str], prefixes: list[str]) -> None:
    fill(door, KEYS)
    for first in ("&list-type=2", ""):
        found: list[str] = []
        folded: list[str] = []
        after = ""
        while True:
            answer = door.ask("GET", "/mine", f"max-keys={limit}{first}{fold}{after}").ok()
            page = answer.words("Contents/Key"), answer.words("CommonPrefixes/Prefix")
            found += page[0]
            folded += page[1]
            if answer.word("IsTruncated") == "false":
                assert answer.word("NextMarker") is answer.word("NextContinuationToken") is None
                break
            assert len(page[0]) + len(page[1]) == limit
            if first:
                assert answer.word("KeyCount") == str(limit)
                after = "&continuation-token=" + quote(answer.word("NextContinuationToken") or "", safe="")
            else:
                marker = answer.word("NextMarker")
                assert (marker is None) is ("delimiter" not in fold)
                after = "&marker=" + quote(marker or page[0][-1], safe="")
        assert (found, folded) == (keys, prefixes)


def test_where_a_list_begins(door: Door) -> None:
    fill(door, ["a", "b/1", "b/2", "c"])
    assert entries(door, "marker=b%2F1")[0] == ["b/2", "c"]
    assert entries(door, "marker=b%2F1x")[0] == ["b/2", "c"]
    assert entries(door, "marker=zzz")[0] == []
    assert entries(door, "list-type=2&start-after=b%2F1")[0] == ["b/2", "c"]
    assert entries(door, "marker=b%2F&delimiter=%2F") == (["c"], [])
    assert entries(door, "marker=b%2F1&delimiter=%2F") == (["c"], [])
    assert entries(door, "list-type=2&start-after=b%2F1&delimiter=%2F") == (["c"], ["b/"])
    assert entries(door, "list-type=2&start-after=b%2F2&delimiter=%2F") == (["c"], [])
    assert entries(door, "list-type=2&start-after=b%2F&delimiter=%2F&max-keys=1") == ([], ["b/"])
    answer = door.ask("GET", "/mine", "list-type=2&start-after=a&continuation-token=Yi8x").ok()
    assert answer.words("Contents/Key") == ["b/2", "c"]
    assert (answer.word("StartAfter"), answer.word("ContinuationToken")) == ("a", "Yi8x")
    assert len(entries(door, "list-type=2&continuation-token=")[0]) == 4


def test_max_keys(door: Door) -> None:
    fill(door, ["a", "b"])
    for version in ("", "list-type=2&"):
        answer = door.ask("GET", "/mine", f"{version}max-keys=0").ok()
        assert (answer.words("Key"), answer.word("IsTruncated"), answer.word("MaxKeys")) == ([], "false", "0")
        for many in ("1001", "2147483647", ""):
            answer = door.ask("GET", "/mine", f"{version}max-keys={many}").ok()
            assert (answer.words("Contents/Key"), answer.word("MaxKeys")) == (["a", "b"], "1000")
    for junk in ("-1", "blah", "1.5", "2147483648", "9" * 5000, "%D9%A3", "%20"):
        for query in ("", "list-type=2&", "versions&"):
            door.ask("GET", "/mine", f"{query}max-keys={junk}").refused(400, "InvalidArgument")


def test_no_delimiter_is_not_an_empty_one_told_back(door: Door) -> None:
    fill(door, ["a/b"])
    for version in ("", "list-type=2&"):
        answer = door.ask("GET", "/mine", f"{version}delimiter=&prefix=").ok()
        assert (answer.words("Contents/Key"), answer.word("Delimiter")) == (["a/b"], None)


def test_bad_arguments(door: Door) -> None:
    fill(door, [])
    for query in (
        "list-type=1", "list-type=3", "encoding-type=base64", "list-type=2&continuation-token=%00",
        "list-type=2&continuation-token=%21%21", "list-type=2&continuation-token=_w%3D%3D",
        "versions&version-id-marker=null",
    ):  # fmt: skip
        door.ask("GET", "/mine", query).refused(400, "InvalidArgument")
    for name in ("prefix", "delimiter", "max-keys", "encoding-type"):
        door.ask("GET", "/mine", f"{name}=%FF").refused(400, "InvalidURI")
        door.ask("GET", "/mine", f"versions&{name}=%C3%28").refused(400, "InvalidURI")
    door.ask("GET", "/none").refused(404, "NoSuchBucket")
    door.ask("GET", "/none", "list-type=2").refused(404, "NoSuchBucket")
    door.ask("GET", "/none", "versions").refused(404, "NoSuchBucket")


def versioned(door: Door) -> list[tuple[str, str]]:
    """Three keys with versions and markers; every (key, version id), as they are to be listed."""
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine/a", body=b"0").ok()
    door.ask("PUT", "/mine", "versioning", ENABLED).ok()
    made = {"a": ["null"], "b/c": [], "d": []}
    for key in ("a", "b/c", "d", "a", "d"):
        answer = door.ask("PUT", f"/mine/{key}", body=b"1").ok()
        made[key].insert(0, answer.headers["x-amz-version-id"])
    made["a"].insert(0, door.ask("DELETE", "/mine/a").ok(204).headers["x-amz-version-id"])
    return [(key, version) for key, versions in made.items() for version in versions]


def version_lines(door: Door, query: str = "") -> list[tuple[str, str]]:
    answer = door.ask("GET", "/mine", f"versions{query}").ok()
    return list(zip(
        (e.findtext("{*}Key") or "" for e in answer.xml.iterfind("*") if e.find("{*}VersionId") is not None),
        (e.findtext("{*}VersionId") or "" for e in answer.xml.iterfind("*") if e.find("{*}VersionId") is not None),
        strict=True,
    ))  # fmt: skip


def test_versions_and_markers_in_one_sequence(door: Door) -> None:
    every = versioned(door)
    assert version_lines(door) == every
    answer = door.ask("GET", "/mine", "versions")
    assert answer.words("DeleteMarker/VersionId") == [every[0][1]]
    assert answer.words("DeleteMarker/IsLatest") == ["true"]
    assert answer.words("Version/IsLatest") == ["false", "false", "false", "true", "true", "false"]
    assert set(answer.words("Owner/ID")) == {"root"}
    assert entries(door, "")[0] == ["b/c", "d"]
    assert version_lines(door, "&prefix=b") == [line for line in every if line[0] == "b/c"]
    answer = door.ask("GET", "/mine", "versions&delimiter=%2F")
    assert answer.words("CommonPrefixes/Prefix") == ["b/"]
    assert version_lines(door, "&delimiter=%2F") == [line for line in every if line[0] != "b/c"]


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 7])
def test_pages_of_versions(door: Door, limit: int) -> None:
    every = versioned(door)
    found: list[tuple[str, str]] = []
    after = ""
    while True:
        answer = door.ask("GET", "/mine", f"versions&max-keys={limit}{after}").ok()
        found += version_lines(door, f"&max-keys={limit}{after}")
        key, version = answer.word("NextKeyMarker"), answer.word("NextVersionIdMarker")
        if answer.word("IsTruncated") == "false":
            assert key is version is None
            break
        assert (key, (version or "").partition(".")[0]) == found[-1]
        after = f"&key-marker={quote(key or '', safe='')}&version-id-marker={version}"
    assert found == every
    assert version_lines(door, "&key-marker=a") == [line for line in every if line[0] != "a"]


def test_a_page_of_versions_that_ends_with_a_prefix(door: Door) -> None:
    every = versioned(door)
    door.ask("DELETE", "/mine/a", f"versionId={every[0][1]}").ok(204)
    answer = door.ask("GET", "/mine", "versions&delimiter=%2F&max-keys=4").ok()
    assert (answer.word("NextKeyMarker"), answer.word("NextVersionIdMarker")) == ("b/", None)
    assert version_lines(door, "&delimiter=%2F&key-marker=b%2F") == [line for line in every if line[0] == "d"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_versions_removed_page_by_page(door: Door, limit: int) -> None:
    """As SDKs empty a bucket: each page goes before the next one is asked for, the version that it ended with too."""
    door.ask("PUT", "/mine").ok()
    door.ask("PUT", "/mine", "versioning", ENABLED).ok()
    for _ in range(7):
        door.ask("PUT", "/mine/k", body=b"1").ok()
    after = ""
    while True:
        answer = door.ask("GET", "/mine", f"versions&max-keys={limit}{after}").ok()
        assert answer.words("Version/IsLatest")[:1] == ["true"]
        for version_id in answer.words("Version/VersionId"):
            door.ask("DELETE", "/mine/k", f"versionId={version_id}").ok(204)
        if answer.word("IsTruncated") == "false":
            break
        after = f"&key-marker={answer.word('NextKeyMarker')}&version-id-marker={answer.word('NextVersionIdMarker')}"
    assert version_lines(door) == []
