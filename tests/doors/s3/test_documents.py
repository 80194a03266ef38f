"""Documents of answers: golden bytes, and the same read by botocore."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from entrepot.digests import digest_of
from entrepot.doors.s3.documents import outgoing as docs
from entrepot.doors.s3.documents.outgoing import DeletedEntry, KeptEntry, Owner
from entrepot.doors.s3.refusal import refuse
from entrepot.model import NO_CHECKSUMS, Bucket, Bytes, Checksums, Part, Versioning
from tests.doors.s3.golden import AT, AT_PARSED, AT_TEXT, golden, parsed

OWNER = Owner("o<1>", "Ö & Co")
OWNER_XML = "<Owner><ID>o&lt;1&gt;</ID><DisplayName>Ö &amp; Co</DisplayName></Owner>"
CRC = Checksums({"crc32": digest_of("crc32", b"123456789")})
CRC_OF_PARTS = Checksums({"crc32": digest_of("crc32", b"123456789")}, composite=True, parts=2)
KEYS = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), min_size=1)


def bucket(name: str) -> Bucket:
    return Bucket(1, name, "main", "disk", Versioning.OFF, public_read=False, created_at=AT)


def part(number: int, checksums: Checksums = NO_CHECKSUMS) -> Part:
    return Part(number, "e", AT, Bytes(5, b""), checksums)


def test_list_buckets() -> None:
    body = docs.list_buckets([bucket("a"), bucket("b")], OWNER)
    assert body == golden(
        "ListAllMyBucketsResult",
        OWNER_XML,
        "<Buckets>",
        f"<Bucket><Name>a</Name><CreationDate>{AT_TEXT}</CreationDate></Bucket>",
        f"<Bucket><Name>b</Name><CreationDate>{AT_TEXT}</CreationDate></Bucket>",
        "</Buckets>",
    )
    assert parsed("ListBuckets", body) == {
        "Owner": {"ID": "o<1>", "DisplayName": "Ö & Co"},
        "Buckets": [{"Name": name, "CreationDate": AT_PARSED} for name in "ab"],
    }


def test_list_buckets_page() -> None:
    body = docs.list_buckets([bucket("a")], OWNER, region="eu-west-1", prefix="a&", next_token="t+/=")
    assert body == golden(
        "ListAllMyBucketsResult",
        OWNER_XML,
        "<Buckets>",
        f"<Bucket><Name>a</Name><CreationDate>{AT_TEXT}</CreationDate>",
        "<BucketRegion>eu-west-1</BucketRegion></Bucket></Buckets><Prefix>a&amp;</Prefix>",
        "<ContinuationToken>t+/=</ContinuationToken>",
    )
    assert parsed("ListBuckets", body) == {
        "Owner": {"ID": "o<1>", "DisplayName": "Ö & Co"},
        "Prefix": "a&",
        "ContinuationToken": "t+/=",
        "Buckets": [{"Name": "a", "CreationDate": AT_PARSED, "BucketRegion": "eu-west-1"}],
    }
    assert parsed("ListBuckets", docs.list_buckets([], OWNER))["Buckets"] == []


def test_bucket_location() -> None:
    assert docs.bucket_location("eu-west-1") == golden("LocationConstraint", "eu-west-1")
    assert docs.bucket_location("us-east-1") == golden("LocationConstraint")


@pytest.mark.parametrize(
    ("state", "content", "expected"),
    [
        (Versioning.OFF, "", {}),
        (Versioning.ON, "<Status>Enabled</Status>", {"Status": "Enabled"}),
        (Versioning.SUSPENDED, "<Status>Suspended</Status>", {"Status": "Suspended"}),
    ],
)
def test_bucket_versioning(state: Versioning, content: str, expected: dict[str, str]) -> None:
    body = docs.bucket_versioning(state)
    assert body == golden("VersioningConfiguration", content)
    assert parsed("GetBucketVersioning", body) == expected


def test_copy_object() -> None:
    body = docs.copy_object("e-2", AT, CRC_OF_PARTS)
    assert body == golden(
        "CopyObjectResult",
        f"<LastModified>{AT_TEXT}</LastModified><ETag>&quot;e-2&quot;</ETag>",
        "<ChecksumCRC32>y/Q5Jg==-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType>",
    )
    assert parsed("CopyObject", body) == {
        "CopyObjectResult": {
            "LastModified": AT_PARSED,
            "ETag": '"e-2"',
            "ChecksumCRC32": "y/Q5Jg==-2",
            "ChecksumType": "COMPOSITE",
        }
    }


def test_copy_part() -> None:
    body = docs.copy_part("e", AT, CRC)
    assert body == golden(
        "CopyPartResult",
        f"<LastModified>{AT_TEXT}</LastModified><ETag>&quot;e&quot;</ETag>",
        "<ChecksumCRC32>y/Q5Jg==</ChecksumCRC32>",
    )
    assert parsed("UploadPartCopy", body) == {
        "CopyPartResult": {
            "LastModified": AT_PARSED,
            "ETag": '"e"',
            "ChecksumCRC32": "y/Q5Jg==",
        }
    }


OUTCOMES: list[DeletedEntry | KeptEntry] = [
    DeletedEntry("a&b"),
    DeletedEntry("c", "v1"),
    DeletedEntry("d", marker=True, marker_version_id="m1"),
    DeletedEntry("e", "m2", marker=True, marker_version_id="m2"),
    KeptEntry("f", "v2", "AccessDenied", "no <way>\x01"),
    KeptEntry("g", None, "PreconditionFailed", "no"),
]


def test_delete_objects() -> None:
    body = docs.delete_objects(OUTCOMES, quiet=False)
    failures = (
        "<Error><Key>f</Key><VersionId>v2</VersionId><Code>AccessDenied</Code>",
        "<Message>no &lt;way&gt;\ufffd</Message></Error>",
        "<Error><Key>g</Key><Code>PreconditionFailed</Code><Message>no</Message></Error>",
    )
    assert body == golden(
        "DeleteResult",
        "<Deleted><Key>a&amp;b</Key></Deleted>",
        "<Deleted><Key>c</Key><VersionId>v1</VersionId></Deleted>",
        "<Deleted><Key>d</Key><DeleteMarker>true</DeleteMarker>",
        "<DeleteMarkerVersionId>m1</DeleteMarkerVersionId></Deleted>",
        "<Deleted><Key>e</Key><VersionId>m2</VersionId><DeleteMarker>true</DeleteMarker>",
        "<DeleteMarkerVersionId>m2</DeleteMarkerVersionId></Deleted>",
        *failures,
    )
    assert parsed("DeleteObjects", body) == {
        "Deleted": [
            {"Key": "a&b"},
            {"Key": "c", "VersionId": "v1"},
            {"Key": "d", "DeleteMarker": True, "DeleteMarkerVersionId": "m1"},
            {"Key": "e", "VersionId": "m2", "DeleteMarker": True, "DeleteMarkerVersionId": "m2"},
        ],
        "Errors": [
            {"Key": "f", "VersionId": "v2", "Code": "AccessDenied", "Message": "no <way>\ufffd"},
            {"Key": "g", "Code": "PreconditionFailed", "Message": "no"},
        ],
    }
    assert docs.delete_objects(OUTCOMES, quiet=True) == golden("DeleteResult", *failures)
    assert docs.delete_objects([], quiet=False) == golden("DeleteResult")


def test_create_upload() -> None:
    body = docs.create_upload("b", "k<\r\n>", "u1")
    assert body == golden(
        "InitiateMultipartUploadResult",
        "<Bucket>b</Bucket><Key>k&lt;&#13;\n&gt;</Key><UploadId>u1</UploadId>",
    )
    assert parsed("CreateMultipartUpload", body) == {"Bucket": "b", "Key": "k<\r\n>", "UploadId": "u1"}


def test_complete_upload() -> None:
    body = docs.complete_upload("http://h/b/k?a&b", "b", "k", "e-1", CRC)
    assert body == golden(
        "CompleteMultipartUploadResult",
        "<Location>http://h/b/k?a&amp;b</Location><Bucket>b</Bucket><Key>k</Key>",
        "<ETag>&quot;e-1&quot;</ETag><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32><ChecksumType>FULL_OBJECT</ChecksumType>",
    )
    assert parsed("CompleteMultipartUpload", body) == {
        "Location": "http://h/b/k?a&b",
        "Bucket": "b",
        "Key": "k",
        "ETag": '"e-1"',
        "ChecksumCRC32": "y/Q5Jg==",
        "ChecksumType": "FULL_OBJECT",
    }


def test_object_attributes() -> None:
    page = docs.AttributeParts(total=3, parts=[part(2, CRC)], marker=1, next_marker=2, limit=1)
    body = docs.object_attributes(docs.Attributes("e-3", CRC_OF_PARTS, page, "STANDARD", 15))
    assert body == golden(
        "GetObjectAttributesResponse",
        "<ETag>e-3</ETag>",
        "<Checksum><ChecksumCRC32>y/Q5Jg==-2</ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></Checksum>",
        "<ObjectParts><PartsCount>3</PartsCount><PartNumberMarker>1</PartNumberMarker>",
        "<NextPartNumberMarker>2</NextPartNumberMarker><MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>",
        "<Part><PartNumber>2</PartNumber><Size>5</Size><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part></ObjectParts>",
        "<StorageClass>STANDARD</StorageClass><ObjectSize>15</ObjectSize>",
    )
    assert parsed("GetObjectAttributes", body) == {
        "ETag": "e-3",
        "StorageClass": "STANDARD",
        "ObjectSize": 15,
        "Checksum": {"ChecksumCRC32": "y/Q5Jg==-2", "ChecksumType": "COMPOSITE"},
        "ObjectParts": {
            "TotalPartsCount": 3,
            "PartNumberMarker": 1,
            "NextPartNumberMarker": 2,
            "MaxParts": 1,
            "IsTruncated": True,
            "Parts": [{"PartNumber": 2, "Size": 5, "ChecksumCRC32": "y/Q5Jg=="}],
        },
    }


def test_object_attributes_that_were_not_asked_for_or_are_not_there() -> None:
    assert docs.object_attributes(docs.Attributes(size=0)) == golden(
        "GetObjectAttributesResponse",
        "<ObjectSize>0</ObjectSize>",
    )
    assert docs.object_attributes(docs.Attributes(checksums=NO_CHECKSUMS)) == golden("GetObjectAttributesResponse")
    last = docs.AttributeParts(total=2, parts=[part(1), part(2)], marker=0, next_marker=None, limit=1000)
    read = parsed("GetObjectAttributes", docs.object_attributes(docs.Attributes(parts=last)))["ObjectParts"]
    assert read["IsTruncated"] is False
    assert read["NextPartNumberMarker"] == 2
    beyond = docs.AttributeParts(total=2, parts=[], marker=7, next_marker=None, limit=1000)
    read = parsed("GetObjectAttributes", docs.object_attributes(docs.Attributes(parts=beyond)))["ObjectParts"]
    assert read == {
        "TotalPartsCount": 2,
        "PartNumberMarker": 7,
        "NextPartNumberMarker": 7,
        "MaxParts": 1000,
        "IsTruncated": False,
    }


def test_error() -> None:
    refusal = refuse("SignatureDoesNotMatch", sentence="look & sign", StringToSign="AWS4\na<b", AWSAccessKeyId="k")
    body = docs.error(refusal.code, refusal.message, "/b/k\x00", "r1", refusal.fields)
    assert body == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b"<Error><Code>SignatureDoesNotMatch</Code><Message>look &amp; sign</Message>"
        b"<StringToSign>AWS4\na&lt;b</StringToSign><AWSAccessKeyId>k</AWSAccessKeyId>"
        b"<Resource>/b/k\xef\xbf\xbd</Resource><RequestId>r1</RequestId><HostId>r1</HostId></Error>"
    )
    assert parsed("GetObject", body, 403)["Error"] == {
        "Code": "SignatureDoesNotMatch",
        "Message": "look & sign",
        "StringToSign": "AWS4\na<b",
        "AWSAccessKeyId": "k",
        "Resource": "/b/k\ufffd",
    }


@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_an_error_can_be_parsed_whatever_it_tells_of(text: str) -> None:
    root = etree.fromstring(docs.error("NoSuchKey", text, text, text, {"Key": text}))
    assert [child.tag for child in root] == ["Code", "Message", "Key", "Resource", "RequestId", "HostId"]


@given(KEYS)
def test_keys_come_back(key: str) -> None:
    assert parsed("CreateMultipartUpload", docs.create_upload("b", key, "u"))["Key"] == key
    assert parsed("DeleteObjects", docs.delete_objects([DeletedEntry(key)], quiet=False))["Deleted"] == [{"Key": key}]
