"""Multipart uploads through the door, in few words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.doors.s3.door import ROOT, Answer, Door, Keys

LEAST = 5 << 20
"""Bytes of a part that is not the last."""


def begin(door: Door, path: str, headers: Mapping[str, str] | None = None) -> str:
    upload = door.ask("POST", path, "uploads", headers=headers).ok().word("UploadId")
    assert upload
    return upload


def put_part(
    door: Door, path: str, upload: str, number: int, body: bytes, headers: Mapping[str, str] | None = None
) -> Answer:
    return door.ask("PUT", path, f"partNumber={number}&uploadId={upload}", body, headers=headers)


Listed = Sequence[tuple[int, str] | tuple[int, str, str]]
"""Numbers and etags of parts, with the XML of a checksum behind perhaps."""


def document(parts: Listed) -> bytes:
    """The body of a completion."""
    rows = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag>{''.join(more)}</Part>"
        for number, etag, *more in parts
    )
    return f"<CompleteMultipartUpload>{rows}</CompleteMultipartUpload>".encode()


def complete(
    door: Door,
    path: str,
    upload: str,
    parts: Listed,
    headers: Mapping[str, str] | None = None,
    keys: Keys | None = ROOT,
) -> Answer:
    return door.ask("POST", path, f"uploadId={upload}", document(parts), headers=headers, keys=keys)


def upload_parts(door: Door, path: str, bodies: Sequence[bytes]) -> tuple[str, list[tuple[int, str]]]:
    """An open upload with these parts from number 1."""
    upload = begin(door, path)
    parts = [
        (number, put_part(door, path, upload, number, body).ok().headers["etag"])
        for number, body in enumerate(bodies, 1)
    ]
    return upload, parts
