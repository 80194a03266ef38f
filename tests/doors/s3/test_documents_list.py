"""Lists: golden bytes, the same read by botocore, and keys of every kind."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from entrepot.digests import digest_of
from entrepot.doors.s3.documents import lists as docs
from entrepot.doors.s3.documents.outgoing import Owner
from entrepot.model import Bytes, Checksums, Listed, Meta, Part, Upload
from tests.doors.s3.golden import AT, AT_PARSED, AT_TEXT, golden, parsed

CRC = Checksums({"crc32": digest_of("crc32", b"123456789")})


def owner_of(account: str) -> Owner:
    return Owner(f"id-{account}", account.upper())


def owner_xml(account: str, name: str = "Owner") -> str:
    return f"<{name}><ID>id-{account}</ID><DisplayName>{account.upper()}</DisplayName></{name}>"


def row(
    key: str,
    *,
    owner: str = "main",
    version: str = "null",
    latest: bool = True,
    marker: bool = False,
    checksums: tuple[str, ...] = (),
    composite: bool = False,
) -> Listed:
    etag, size = ("", 0) if marker else ("e", 7)
    return Listed(key, version, latest, marker, etag, size, AT, owner, checksums, composite)


def contents_xml(key: str, owner: str = "", checksum: str = "") -> str:
    return (
        f"<Contents><Key>{key}</Key><LastModified>{AT_TEXT}</LastModified><ETag>&quot;e&quot;</ETag>{checksum}"
        f"<Size>7</Size>{owner}<StorageClass>STANDARD</StorageClass></Contents>"
    )


CRC_KIND = "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
SHA_KIND = "<ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"
ROWS = [
    row("a&b"),
    row("c d", owner="other", checksums=("crc32",)),
    row("e", checksums=("sha256",), composite=True),
    row("f"),
]


def test_list_objects() -> None:
    page = docs.ObjectPage("b", ROWS, ["p&/"], prefix="x<", delimiter="&", limit=5, truncated=True)
    body = docs.list_objects(page, owner_of, marker="m&", next_marker="n&")
    assert body == golden(
        "ListBucketResult",
        "<Name>b</Name><Prefix>x&lt;</Prefix>",
        "<Marker>m&amp;</Marker><NextMarker>n&amp;</NextMarker>",
        "<MaxKeys>5</MaxKeys><Delimiter>&amp;</Delimiter><IsTruncated>true</IsTruncated>",
        contents_xml("a&amp;b", owner_xml("main")),
        contents_xml("c d", owner_xml("other"), CRC_KIND),
        contents_xml("e", owner_xml("main"), SHA_KIND),
        contents_xml("f", owner_xml("main")),
        "<CommonPrefixes><Prefix>p&amp;/</Prefix></CommonPrefixes>",
    )
    read = parsed("ListObjects", body)
    assert read.pop("Contents") == [
        {
            "Key": key,
            "LastModified": AT_PARSED,
            "ETag": '"e"',
            "Size": 7,
            "StorageClass": "STANDARD",
            "Owner": {"ID": f"id-{owner}", "DisplayName": owner.upper()},
            **extra,
        }
        for key, owner, extra in (
            ("a&b", "main", {}),
            ("c d", "other", {"ChecksumAlgorithm": ["CRC32"], "ChecksumType": "FULL_OBJECT"}),
            ("e", "main", {"ChecksumAlgorithm": ["SHA256"], "ChecksumType": "COMPOSITE"}),
            ("f", "main", {}),
        )
    ]
    assert read == {
        "Name": "b",
        "Prefix": "x<",
        "Marker": "m&",
        "NextMarker": "n&",
        "MaxKeys": 5,
        "Delimiter": "&",
        "IsTruncated": True,
        "CommonPrefixes": [{"Prefix": "p&/"}],
    }


def test_list_objects_without_anything() -> None:
    body = docs.list_objects(docs.ObjectPage("b"), owner_of)
    assert body == golden(
        "ListBucketResult",
        "<Name>b</Name><Prefix></Prefix><Marker></Marker>",
        "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>",
    )


def test_list_objects_v2() -> None:
    page = docs.ObjectPage("b", ROWS[:2], ["p/", "q r/"], prefix="x", delimiter="/", limit=4, truncated=True, url=True)
    body = docs.list_objects_v2(page, token="t=", next_token="n=", start_after="s &", owner_of=owner_of)
    assert body == golden(
        "ListBucketResult",
        "<Name>b</Name><Prefix>x</Prefix><ContinuationToken>t=</ContinuationToken>",
        "<NextContinuationToken>n=</NextContinuationToken><StartAfter>s%20%26</StartAfter><KeyCount>4</KeyCount>",
        "<MaxKeys>4</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>",
        contents_xml("a%26b", owner_xml("main")),
        contents_xml("c%20d", owner_xml("other"), CRC_KIND),
        "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>q%20r/</Prefix></CommonPrefixes>",
    )
    read = parsed("ListObjectsV2", body)
    assert [entry["Key"] for entry in read.pop("Contents")] == ["a%26b", "c%20d"]
    assert read == {
        "Name": "b",
        "Prefix": "x",
        "ContinuationToken": "t=",
        "NextContinuationToken": "n=",
        "StartAfter": "s%20%26",
        "KeyCount": 4,
        "MaxKeys": 4,
        "Delimiter": "/",
        "EncodingType": "url",
        "IsTruncated": True,
        "CommonPrefixes": [{"Prefix": "p/"}, {"Prefix": "q%20r/"}],
    }


def test_list_objects_v2_has_no_owner_unless_asked() -> None:
    body = docs.list_objects_v2(docs.ObjectPage("b", ROWS[:1]))
    assert body == golden(
        "ListBucketResult",
        "<Name>b</Name><Prefix></Prefix><KeyCount>1</KeyCount>",
        "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>",
        contents_xml("a&amp;b"),
    )


def test_list_versions() -> None:
    rows = [row("k", version="v2", marker=True), row("k", version="v1", latest=False, checksums=("crc32",))]
    page = docs.ObjectPage("b", rows, ["p/"], prefix="k", delimiter="/", limit=3, truncated=True, url=True)
    body = docs.list_versions(page, docs.VersionPage("k 0", "v0", "k 1", "v1"), owner_of)
    assert body == golden(
        "ListVersionsResult",
        "<Name>b</Name><Prefix>k</Prefix><KeyMarker>k%200</KeyMarker>",
        "<VersionIdMarker>v0</VersionIdMarker><NextKeyMarker>k%201</NextKeyMarker>",
        "<NextVersionIdMarker>v1</NextVersionIdMarker>",
        "<MaxKeys>3</MaxKeys><Delimiter>/</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>",
        "<DeleteMarker><Key>k</Key><VersionId>v2</VersionId><IsLatest>true</IsLatest>",
        f"<LastModified>{AT_TEXT}</LastModified>{owner_xml('main')}</DeleteMarker>",
        "<Version><Key>k</Key><VersionId>v1</VersionId><IsLatest>false</IsLatest>",
        f"<LastModified>{AT_TEXT}</LastModified><ETag>&quot;e&quot;</ETag>{CRC_KIND}<Size>7</Size>{owner_xml('main')}",
        "<StorageClass>STANDARD</StorageClass></Version><CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>",
    )
    owner = {"ID": "id-main", "DisplayName": "MAIN"}
    assert parsed("ListObjectVersions", body) == {
        "Name": "b",
        "Prefix": "k",
        "KeyMarker": "k%200",
        "VersionIdMarker": "v0",
        "NextKeyMarker": "k%201",
        "NextVersionIdMarker": "v1",
        "MaxKeys": 3,
        "Delimiter": "/",
        "EncodingType": "url",
        "IsTruncated": True,
        "DeleteMarkers": [
            {"Key": "k", "VersionId": "v2", "IsLatest": True, "LastModified": AT_PARSED, "Owner": owner},
        ],
        "Versions": [
            {
                "Key": "k",
                "VersionId": "v1",
                "IsLatest": False,
                "LastModified": AT_PARSED,
                "ETag": '"e"',
                "Size": 7,
                "StorageClass": "STANDARD",
                "Owner": owner,
                "ChecksumAlgorithm": ["CRC32"],
                "ChecksumType": "FULL_OBJECT",
            }
        ],
        "CommonPrefixes": [{"Prefix": "p/"}],
    }
    assert docs.list_versions(docs.ObjectPage("b"), docs.VersionPage(), owner_of) == golden(
        "ListVersionsResult",
        "<Name>b</Name><Prefix></Prefix><KeyMarker></KeyMarker><VersionIdMarker></VersionIdMarker>",
        "<MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>",
    )


def upload(key: str, *, algorithm: str = "", composite: bool = False) -> Upload:
    return Upload(1, "u1", 1, key, "main", AT, Meta(), algorithm, composite)


def test_list_parts() -> None:
    page = docs.PartPage([Part(3, "e", AT, Bytes(7, b""), CRC), Part(5, "f", AT, Bytes(8, b""))], 2, 5, 2)
    body = docs.list_parts(upload("k&", algorithm="crc32", composite=True), "b", page, owner_of("main"))
    assert body == golden(
        "ListPartsResult",
        "<Bucket>b</Bucket><Key>k&amp;</Key><UploadId>u1</UploadId>",
        owner_xml("main", "Initiator"),
        owner_xml("main"),
        "<StorageClass>STANDARD</StorageClass>",
        "<PartNumberMarker>2</PartNumberMarker><NextPartNumberMarker>5</NextPartNumberMarker><MaxParts>2</MaxParts>",
        "<IsTruncated>true</IsTruncated>",
        "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>",
        f"<Part><PartNumber>3</PartNumber><LastModified>{AT_TEXT}</LastModified><ETag>&quot;e&quot;</ETag>",
        "<Size>7</Size>",
        "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>",
        f"<Part><PartNumber>5</PartNumber><LastModified>{AT_TEXT}</LastModified><ETag>&quot;f&quot;</ETag>",
        "<Size>8</Size>",
        "</Part>",
    )
    owner = {"ID": "id-main", "DisplayName": "MAIN"}
    assert parsed("ListParts", body) == {
        "Bucket": "b",
        "Key": "k&",
        "UploadId": "u1",
        "Initiator": owner,
        "Owner": owner,
        "StorageClass": "STANDARD",
        "PartNumberMarker": 2,
        "NextPartNumberMarker": 5,
        "MaxParts": 2,
        "IsTruncated": True,
        "ChecksumAlgorithm": "CRC32",
        "ChecksumType": "COMPOSITE",
        "Parts": [
            {"PartNumber": 3, "LastModified": AT_PARSED, "ETag": '"e"', "Size": 7, "ChecksumCRC32": "y/Q5Jg=="},
            {"PartNumber": 5, "LastModified": AT_PARSED, "ETag": '"f"', "Size": 8},
        ],
    }
    read = parsed("ListParts", docs.list_parts(upload("k"), "b", docs.PartPage([], marker=9), owner_of("main")))
    assert (read["NextPartNumberMarker"], read["IsTruncated"], read["ChecksumAlgorithm"]) == (9, False, "CRC64NVME")
    last = docs.PartPage([Part(3, "e", AT, Bytes(7, b""))])
    assert parsed("ListParts", docs.list_parts(upload("k"), "b", last, owner_of("main")))["NextPartNumberMarker"] == 3


def test_list_uploads() -> None:
    page = docs.UploadListing(
        "b",
        [upload("k d", algorithm="sha256", composite=True)],
        ["p q/"],
        prefix="k ",
        delimiter="/",
        key_marker="m ",
        upload_marker="u0",
        next_key="n ",
        next_upload="u1",
        limit=2,
        url=True,
    )
    body = docs.list_uploads(page, owner_of)
    assert body == golden(
        "ListMultipartUploadsResult",
        "<Bucket>b</Bucket><KeyMarker>m%20</KeyMarker><UploadIdMarker>u0</UploadIdMarker>",
        "<NextKeyMarker>n%20</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker><Prefix>k%20</Prefix>",
        "<Delimiter>/</Delimiter><MaxUploads>2</MaxUploads>",
        "<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>",
        "<Upload><Key>k%20d</Key><UploadId>u1</UploadId>",
        owner_xml("main", "Initiator"),
        owner_xml("main"),
        f"<StorageClass>STANDARD</StorageClass><Initiated>{AT_TEXT}</Initiated>{SHA_KIND}</Upload>",
        "<CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes>",
    )
    owner = {"ID": "id-main", "DisplayName": "MAIN"}
    assert parsed("ListMultipartUploads", body) == {
        "Bucket": "b",
        "KeyMarker": "m%20",
        "UploadIdMarker": "u0",
        "NextKeyMarker": "n%20",
        "NextUploadIdMarker": "u1",
        "Prefix": "k%20",
        "Delimiter": "/",
        "MaxUploads": 2,
        "EncodingType": "url",
        "IsTruncated": True,
        "Uploads": [
            {
                "Key": "k%20d",
                "UploadId": "u1",
                "Initiator": owner,
                "Owner": owner,
                "StorageClass": "STANDARD",
                "Initiated": AT_PARSED,
                "ChecksumAlgorithm": "SHA256",
                "ChecksumType": "COMPOSITE",
            }
        ],
        "CommonPrefixes": [{"Prefix": "p%20q/"}],
    }
    assert docs.list_uploads(docs.UploadListing("b"), owner_of) == golden(
        "ListMultipartUploadsResult",
        "<Bucket>b</Bucket><KeyMarker></KeyMarker><UploadIdMarker></UploadIdMarker>",
        "<Prefix></Prefix><MaxUploads>1000</MaxUploads><IsTruncated>false</IsTruncated>",
    )


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), max_size=5))
def test_every_key_travels_with_url_encoding(keys: list[str]) -> None:
    page = docs.ObjectPage("b", [row(key) for key in keys], keys, prefix="".join(keys), url=True)
    for body, operation in (
        (docs.list_objects_v2(page), "ListObjectsV2"),
        (docs.list_objects(page, owner_of), "ListObjects"),
    ):
        read = parsed(operation, body)
        assert [unquote(entry["Key"]) for entry in read.get("Contents", [])] == keys
        assert [unquote(entry["Prefix"]) for entry in read.get("CommonPrefixes", [])] == keys
        assert unquote(read["Prefix"]) == "".join(keys)
    versions = parsed("ListObjectVersions", docs.list_versions(page, docs.VersionPage(), owner_of))
    assert [unquote(entry["Key"]) for entry in versions.get("Versions", [])] == keys


@given(st.lists(st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"))))
def test_keys_that_xml_can_hold_travel_without(keys: list[str]) -> None:
    read = parsed("ListObjectsV2", docs.list_objects_v2(docs.ObjectPage("b", [row(key) for key in keys], keys)))
    assert [entry["Key"] for entry in read.get("Contents", [])] == keys
    assert [entry["Prefix"] for entry in read.get("CommonPrefixes", [])] == keys


def test_a_key_that_xml_cannot_hold_is_never_told_as_another_one() -> None:
    body = docs.list_objects_v2(docs.ObjectPage("b", [row("a\x01b")]))
    assert b"<Key>a&#x1;b</Key>" in body
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(body)
