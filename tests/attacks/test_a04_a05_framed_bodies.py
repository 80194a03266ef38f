"""Attack cases A4 and A5 through the whole server: a framed body that is cut, lies about its length, goes on behind
its end or has another checksum is refused, and nothing of it is visible."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.doors.s3.door import HOST, ROOT, Call, Door
from tests.doors.s3.multipart import begin

CONTENT = b"hello, " + b"x" * 40_000
TRAILER = b"x-amz-checksum-crc32:" + base64.b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")) + b"\r\n"
CHUNKS = [CONTENT[:7], CONTENT[7:30_000], CONTENT[30_000:]]
WHOLE = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in CHUNKS) + b"0\r\n" + TRAILER + b"\r\n"
ENDS = [0, 1, 3, 10, 11, 5000, 30_020, len(WHOLE) - 60, len(WHOLE) - 20, len(WHOLE) - 5]


class _Streaming(S3SigV4Auth):  # type: ignore[misc]  # botocore is untyped
    def payload(self, request: AWSRequest) -> str:
        return "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


@dataclass
class Framed(Call):
    """A request in the form that SDKs use over TLS."""

    announced: int | None = len(CONTENT)

    def signed(self, region: str = "us-east-1") -> list[tuple[bytes, bytes]]:
        headers = {"x-amz-trailer": "x-amz-checksum-crc32", "content-encoding": "aws-chunked"}
        if self.announced is not None:
            headers["x-amz-decoded-content-length"] = str(self.announced)
        url = f"http://{HOST}{self.path}" + (f"?{self.query}" if self.query else "")
        request = AWSRequest(self.method, url, headers)
        _Streaming(Credentials(ROOT.access, ROOT.secret), "s3", region).add_auth(request)
        fields = {name.lower(): str(value) for name, value in request.headers.items()}
        fields |= {"host": HOST, "transfer-encoding": "chunked"}
        return [(name.encode(), value.encode()) for name, value in fields.items()]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with Door(tmp_path_factory.mktemp("door") / "data") as opened:
        opened.ask("PUT", "/bucket").ok()
        yield opened


def refused(door: Door, body: bytes, announced: int | None = len(CONTENT)) -> set[str]:
    """The codes with which the body is refused as an object and as a part; nothing may be there afterwards."""
    upload = begin(door, "/bucket/part")
    query = f"partNumber=1&uploadId={upload}"
    codes = set()
    for call in (Framed("PUT", "/bucket/key", "", body), Framed("PUT", "/bucket/part", query, body)):
        call.announced = announced
        [answer] = door.ask_at_once([call])
        assert 400 <= answer.status < 500, answer
        codes.add(answer.word("Code") or "")
    door.ask("HEAD", "/bucket/key").refused(404, "NoSuchKey")
    assert door.ask("GET", "/bucket/part", f"uploadId={upload}").ok().words("Part/PartNumber") == []
    door.ask("DELETE", "/bucket/part", f"uploadId={upload}").ok(204)
    return codes


def test_the_whole_body_is_stored(door: Door) -> None:
    [answer] = door.ask_at_once([Framed("PUT", "/bucket/whole", "", WHOLE)])
    answer.ok()
    got = door.ask("GET", "/bucket/whole").ok()
    assert got.body == CONTENT
    assert "content-encoding" not in got.headers


@pytest.mark.parametrize("end", ENDS)
def test_a04_a_body_that_is_cut(door: Door, end: int) -> None:
    assert refused(door, WHOLE[:end]) <= {"IncompleteBody", "MalformedTrailerError"}


@pytest.mark.parametrize("announced", [0, 1, len(CONTENT) - 1, len(CONTENT) + 1, len(WHOLE), 5 << 30])
def test_a04_another_decoded_length(door: Door, announced: int) -> None:
    assert refused(door, WHOLE, announced) == {"IncompleteBody"}


def test_a04_no_decoded_length(door: Door) -> None:
    assert refused(door, WHOLE, None) == {"MissingContentLength"}


@pytest.mark.parametrize("garbage", [b"x", b"\r\nx", b"0\r\n\r\n", WHOLE])
def test_a04_bytes_behind_the_end(door: Door, garbage: bytes) -> None:
    assert refused(door, WHOLE + garbage) <= {"IncompleteBody", "MalformedTrailerError"}


def test_a05_content_that_was_changed(door: Door) -> None:
    assert refused(door, WHOLE.replace(b"hello", b"jello")) == {"BadDigest"}


@pytest.mark.parametrize("trailer", [b"", b"x-amz-checksum-sha1:AAAA\r\n", TRAILER + b"x-other: 1\r\n", TRAILER * 2])
def test_a05_another_trailer_than_announced(door: Door, trailer: bytes) -> None:
    assert refused(door, WHOLE.replace(TRAILER, trailer)) == {"MalformedTrailerError"}
