"""Documents of requests: what S3's grammar has is read, everything else refused."""

from __future__ import annotations

from typing import Any

import botocore.serialize
import botocore.session
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.digests import digest_of
from entrepot.doors.s3.documents import incoming as docs
from entrepot.doors.s3.refusal import Refusal
from entrepot.model import Precondition, Versioning
from tests.doors.s3.documents import read

NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
MODEL = botocore.session.get_session().get_service_model("s3")


def refused(code: str) -> pytest.RaisesExc[Refusal]:
    return pytest.raises(Refusal, match=f"^{code}:")


def sent_by_botocore(operation: str, **parameters: Any) -> bytes:
    serializer = botocore.serialize.create_serializer("rest-xml", include_validation=True)
    request = serializer.serialize_to_request({"Bucket": "b", **parameters}, MODEL.operation_model(operation))
    body = request["body"]
    assert isinstance(body, bytes)
    return body


def test_delete() -> None:
    body = f"""<?xml version="1.0"?>
        <Delete {NAMESPACE}>
          <Quiet>true</Quiet>
          <Object><Key> a&amp;b/&lt;ü&gt; </Key></Object>
          <Object><Key>c</Key><VersionId>v1</VersionId></Object>
          <Object><Key>d</Key><VersionId></VersionId><ETag>"e"</ETag><Size>7</Size>
            <LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime></Object>
        </Delete>"""
    assert read(docs.DeleteDocument, body.encode()) == docs.Delete(
        (
            docs.DeleteEntry(" a&b/<ü> "),
            docs.DeleteEntry("c", "v1"),
            docs.DeleteEntry("d", None, Precondition(if_match=("e",), modified_at=784111777, size=7)),
        ),
        quiet=True,
    )
    assert read(docs.DeleteDocument, b"<Delete><Object><Key>a</Key></Object></Delete>") == docs.Delete(
        (docs.DeleteEntry("a"),)
    )
    assert not read(docs.DeleteDocument, b"<Delete><Quiet>False</Quiet><Object><Key>a</Key></Object></Delete>").quiet


KEYS = st.text(st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff"), min_size=1)


@given(st.lists(KEYS, min_size=1, max_size=5), st.booleans())
def test_delete_as_botocore_sends_it(keys: list[str], quiet: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    body = sent_by_botocore(
        "DeleteObjects",
        Delete={"Quiet": quiet, "Objects": [{"Key": key, "ETag": '"x"', "Size": 1} for key in keys]},
    )
    assert read(docs.DeleteDocument, body) == docs.Delete(
        tuple(docs.DeleteEntry(key, None, Precondition(if_match=("x",), size=1)) for key in keys),
        quiet,
    )


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<Quiet>true</Quiet>",
        "<Object/>",
        "<Object><Key/></Object>",
        "<Object><VersionId>v</VersionId></Object>",
        "<Object><Key>a</Key><Key>b</Key></Object>",
        "<Object><Key>a<b/></Key></Object>",
        "<Object><Key>a</Key><Extra>b</Extra></Object>",
        "<Object><Key>a</Key></Object><Extra/>",
        "<Object><Key>a</Key></Object><Quiet>maybe</Quiet>",
        "<Object><Key>a</Key></Object><Quiet/>",
        "<Object><Key>a</Key><Size>big</Size></Object>",
        "<Object><Key>a</Key><Size></Size></Object>",
        "<Object><Key>a</Key><LastModifiedTime>then</LastModifiedTime></Object>",
        "<Object><Object><Key>a</Key></Object></Object>",
    ],
)
def test_deletes_that_are_refused(content: str) -> None:
    with refused("MalformedXML"):
        read(docs.DeleteDocument, f"<Delete>{content}</Delete>".encode())


def test_another_root_is_refused() -> None:
    with refused("MalformedXML"):
        read(docs.DeleteDocument, b"<delete><Object><Key>a</Key></Object></delete>")


def test_complete() -> None:
    body = f"""<CompleteMultipartUpload {NAMESPACE}>
        <Part><PartNumber>1</PartNumber><ETag>"a"</ETag></Part>
        <Part><ETag> b </ETag><PartNumber> 20 </PartNumber><ChecksumCRC32>y/Q5Jg==</ChecksumCRC32></Part>
        </CompleteMultipartUpload>"""
    assert read(docs.CompleteDocument, body.encode()) == (
        docs.CompletedPart(1, "a"),
        docs.CompletedPart(20, "b", {"crc32": digest_of("crc32", b"123456789")}),
    )
    with refused("InvalidRequest"):
        read(docs.CompleteDocument, body.replace("y/Q5Jg==", "bad").encode())


def test_complete_as_botocore_sends_it() -> None:
    parts = [{"PartNumber": number, "ETag": f'"{number}"', "ChecksumCRC32": "y/Q5Jg=="} for number in (1, 2)]
    body = sent_by_botocore("CompleteMultipartUpload", Key="k", UploadId="u", MultipartUpload={"Parts": parts})
    crc = {"crc32": digest_of("crc32", b"123456789")}
    assert read(docs.CompleteDocument, body) == (docs.CompletedPart(1, "1", crc), docs.CompletedPart(2, "2", crc))


@pytest.mark.parametrize(
    "content",
    [
        "",
        "<Part/>",
        "<Part><PartNumber>1</PartNumber></Part>",
        "<Part><ETag>a</ETag></Part>",
        "<Part><PartNumber>1</PartNumber><ETag></ETag></Part>",
        "<Part><PartNumber>x</PartNumber><ETag>a</ETag></Part>",
        "<Part><PartNumber>-1</PartNumber><ETag>a</ETag></Part>",
        "<Part><PartNumber>²</PartNumber><ETag>a</ETag></Part>",
        "<Part><PartNumber>9999999999</PartNumber><ETag>a</ETag></Part>",
        "<Part><PartNumber>1</PartNumber><ETag>a</ETag><ChecksumSHA512>x</ChecksumSHA512></Part>",
        "<Part><PartNumber>1</PartNumber><PartNumber>2</PartNumber><ETag>a</ETag></Part>",
        "<Other/>",
    ],
)
def test_completions_that_are_refused(content: str) -> None:
    with refused("MalformedXML"):
        read(docs.CompleteDocument, f"<CompleteMultipartUpload>{content}</CompleteMultipartUpload>".encode())


def test_create_bucket() -> None:
    assert read(docs.CreateBucketDocument, b"") is None
    assert read(docs.CreateBucketDocument, b"<CreateBucketConfiguration/>") is None
    for word, expected in ((" eu-west-1 ", "eu-west-1"), ("", None)):
        content = f"<LocationConstraint>{word}</LocationConstraint>"
        text = f"<CreateBucketConfiguration {NAMESPACE}>{content}</CreateBucketConfiguration>"
        assert read(docs.CreateBucketDocument, text.encode()) == expected
    body = sent_by_botocore("CreateBucket", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert read(docs.CreateBucketDocument, body) == "eu-west-1"
    for content in ("<Bucket><Type>Directory</Type></Bucket>", "<Location/>", "<Tags/>"):
        with refused("NotImplemented"):
            read(
                docs.CreateBucketDocument, f"<CreateBucketConfiguration>{content}</CreateBucketConfiguration>".encode()
            )
    with refused("MalformedXML"):
        read(docs.CreateBucketDocument, b"<CreateBucketConfiguration><Region/></CreateBucketConfiguration>")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<Status>Enabled</Status>", Versioning.ON),
        ("<Status> Suspended </Status>", Versioning.SUSPENDED),
        ("<Status>Enabled</Status><MfaDelete>Disabled</MfaDelete>", Versioning.ON),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", "NotImplemented"),
        ("<MfaDelete>Disabled</MfaDelete>", "IllegalVersioningConfigurationException"),
        ("", "IllegalVersioningConfigurationException"),
        ("<Status>enabled</Status>", "MalformedXML"),
        ("<Status>Off</Status>", "MalformedXML"),
        ("<Status></Status>", "MalformedXML"),
        ("<Status>Enabled</Status><MfaDelete>maybe</MfaDelete>", "MalformedXML"),
        ("<Status>Enabled</Status><Other/>", "MalformedXML"),
    ],
)
def test_versioning(content: str, expected: Versioning | str) -> None:
    body = f"<VersioningConfiguration {NAMESPACE}>{content}</VersioningConfiguration>".encode()
    if isinstance(expected, Versioning):
        assert read(docs.VersioningDocument, body) is expected
    else:
        with refused(expected):
            read(docs.VersioningDocument, body)


def test_versioning_as_botocore_sends_it() -> None:
    body = sent_by_botocore("PutBucketVersioning", VersioningConfiguration={"Status": "Suspended"})
    assert read(docs.VersioningDocument, body) is Versioning.SUSPENDED
