"""A19: malformed XML is refused with a 4xx, quickly, without reading anything from elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.doors.s3.documents import incoming as docs
from entrepot.doors.s3.refusal import Refusal
from tests.doors.s3.documents import read

READERS: dict[str, Callable[[], docs.Document[Any]]] = {
    "Delete": docs.DeleteDocument,
    "CompleteMultipartUpload": docs.CompleteDocument,
    "CreateBucketConfiguration": docs.CreateBucketDocument,
    "VersioningConfiguration": docs.VersioningDocument,
}

every_reader = pytest.mark.parametrize("root", sorted(READERS))


def refusal_of(root: str, body: bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        read(READERS[root], body)
    assert 400 <= caught.value.status < 500
    return caught.value


@every_reader
def test_xxe_reads_no_file(root: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    for doctype in (
        f'<!DOCTYPE {root} [<!ENTITY x SYSTEM "{secret.as_uri()}">]>',
        f'<!DOCTYPE {root} [<!ENTITY % x SYSTEM "{secret.as_uri()}"> %x;]>',
        f'<!DOCTYPE {root} SYSTEM "{secret.as_uri()}">',
        f'<!DOCTYPE {root} PUBLIC "-//X//Y" "http://127.0.0.1:9/x.dtd">',
    ):
        refusal = refusal_of(root, f"{doctype}<{root}><Object><Key>&x;</Key></Object></{root}>".encode())
        assert refusal.code == "MalformedXML"
        assert "the secret" not in refusal.message


@every_reader
def test_xinclude_is_an_unknown_element(root: str) -> None:
    body = f'<{root} xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/passwd"/></{root}>'
    assert refusal_of(root, body.encode()).code == "MalformedXML"


@every_reader
def test_billion_laughs(root: str) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    body = f'<!DOCTYPE {root} [<!ENTITY l0 "ha">{laughs}]><{root}><Key>&l11;</Key></{root}>'
    assert refusal_of(root, body.encode()).code == "MalformedXML"


@every_reader
def test_entities_without_a_document_type(root: str) -> None:
    assert refusal_of(root, f"<{root}><Object><Key>&x;</Key></Object></{root}>".encode()).code == "MalformedXML"


@every_reader
@pytest.mark.parametrize("depth", [300, 5000])
def test_deep_nesting(root: str, depth: int) -> None:
    body = f"<{root}>{'<a>' * depth}{'</a>' * depth}</{root}>".encode()
    assert refusal_of(root, body).code == "MalformedXML"


@every_reader
def test_many_attributes(root: str) -> None:
    attributes = " ".join(f"a{n}='{n}'" for n in range(5000))
    assert refusal_of(root, f"<{root} {attributes}><x/></{root}>".encode()).status == 400


@every_reader
def test_oversize(root: str) -> None:
    assert refusal_of(root, f"<{root}>".encode() + b" " * (9 << 20)).code == "MaxMessageLengthExceeded"


@every_reader
@pytest.mark.parametrize("raw", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\x00", b"\x01", b"\xef\xbf\xbf"])
def test_invalid_utf8_and_characters(root: str, raw: bytes) -> None:
    body = b"<" + root.encode() + b"><Object><Key>" + raw + b"</Key></Object></" + root.encode() + b">"
    assert refusal_of(root, body).code == "MalformedXML"


@every_reader
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-7", "cp037"])
def test_other_encodings_do_not_smuggle_a_document_type(root: str, encoding: str) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE {root} [<!ENTITY x "y">]><{root}>&x;</{root}>'
    assert refusal_of(root, text.encode(encoding)).code == "MalformedXML"


def deletes(count: int) -> bytes:
    return b"<Delete>" + b"<Object><Key>k</Key></Object>" * count + b"</Delete>"


def test_1001_deletes() -> None:
    assert len(read(docs.DeleteDocument, deletes(1000)).entries) == 1000
    assert refusal_of("Delete", deletes(1001)).code == "MalformedXML"


def parts(count: int) -> bytes:
    row = b"<Part><PartNumber>%d</PartNumber><ETag>e</ETag></Part>"
    rows = b"".join(row % number for number in range(1, count + 1))
    return b"<CompleteMultipartUpload>" + rows + b"</CompleteMultipartUpload>"


def test_10001_parts() -> None:
    assert len(read(docs.CompleteDocument, parts(10_000))) == 10_000
    assert refusal_of("CompleteMultipartUpload", parts(10_001)).code == "MalformedXML"


def test_the_longest_keys_that_there_can_be() -> None:
    rows = b"".join(b"<Object><Key>" + b"&quot;" * 1024 + b"</Key></Object>" for _ in range(1000))
    assert len(read(docs.DeleteDocument, b"<Delete>" + rows + b"</Delete>").entries) == 1000


@every_reader
@given(st.binary(max_size=300) | st.text(alphabet="<>/&;!?'\"[]-ab= ", max_size=100).map(str.encode))
def test_any_body_is_read_or_refused(root: str, body: bytes) -> None:
    """The same, too, in whatever pieces it arrives."""
    for candidate in (body, f"<{root}>".encode() + body + f"</{root}>".encode()):
        outcomes = [outcome(root, candidate, size) for size in (len(candidate) + 1, 7, 1)]
        assert outcomes[0] == outcomes[1] == outcomes[2]
        assert not isinstance(outcomes[0], int) or outcomes[0] in (400, 501)


def outcome(root: str, body: bytes, size: int) -> object:
    try:
        return read(READERS[root], body, size)
    except Refusal as refusal:
        return refusal.status
