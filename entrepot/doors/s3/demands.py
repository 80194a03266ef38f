"""What a write demands beyond bytes and metadata, and is refused where that is not here.

To pass such a header over would be to say that an object is encrypted, locked or public when it is
not. Sources: the request headers of PutObject, CopyObject and CreateMultipartUpload.
"""

from __future__ import annotations

from typing import Final

from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.refusal import refuse
from entrepot.wire.http import Headers

_ABSENT: Final = frozenset({
    b"x-amz-grant-full-control", b"x-amz-grant-read", b"x-amz-grant-read-acp", b"x-amz-grant-write",
    b"x-amz-grant-write-acp", b"x-amz-object-lock-legal-hold", b"x-amz-object-lock-mode",
    b"x-amz-object-lock-retain-until-date", b"x-amz-server-side-encryption",
    b"x-amz-server-side-encryption-aws-kms-key-id", b"x-amz-server-side-encryption-bucket-key-enabled",
    b"x-amz-server-side-encryption-context", b"x-amz-server-side-encryption-customer-algorithm",
    b"x-amz-server-side-encryption-customer-key", b"x-amz-server-side-encryption-customer-key-md5",
    b"x-amz-copy-source-server-side-encryption-customer-algorithm",
    b"x-amz-copy-source-server-side-encryption-customer-key",
    b"x-amz-copy-source-server-side-encryption-customer-key-md5",
    b"x-amz-website-redirect-location", b"x-amz-write-offset-bytes",
})  # fmt: skip

_DATES: Final = frozenset({b"if-modified-since", b"if-unmodified-since"})
_OF_DELETIONS: Final = frozenset({b"x-amz-if-match-last-modified-time", b"x-amz-if-match-size"})
_OF_WRITES: Final = _DATES | _OF_DELETIONS
_OF_PARTS: Final = _OF_WRITES | {b"if-match", b"if-none-match"}
_NOT_OF_DELETIONS: Final = _DATES | {b"if-none-match"}


def check_demands(call: Call, *, conditional: bool = True) -> None:
    """Raises the refusals NotImplemented and InvalidArgument for a version that is to be
    written: versions only come to be. ACLs depend on the bucket: see ``acl``. What is not ``conditional`` takes no
    precondition at all.
    """
    _check_conditions(call.request.headers, _OF_WRITES if conditional else _OF_PARTS)
    version_id = call.param("versionId")
    if version_id is not None:
        raise refuse(
            "InvalidArgument", "A version is never written again: leave versionId out.",
            ArgumentName="versionId", ArgumentValue=version_id,
        )  # fmt: skip
    for name, _ in call.request.headers.raw:
        if not name.startswith(b"x-amz-"):
            continue
        if name in _ABSENT or (name == b"x-amz-tagging" and call.param("uploadId") is not None):
            raise refuse("NotImplemented", f"The header {name.decode()} is not implemented here.")


def check_write_conditions(headers: Headers) -> None:
    """Refuse to write on a condition that S3 has for reads alone. Raises the refusal NotImplemented."""
    _check_conditions(headers, _OF_WRITES)


def check_delete_conditions(headers: Headers) -> None:
    """The same for a deletion, which has If-Match and conditions of its own."""
    _check_conditions(headers, _NOT_OF_DELETIONS)


def _check_conditions(headers: Headers, absent: frozenset[bytes]) -> None:
    if headers.lacks(absent):
        return
    name = next(name for name, _ in headers.raw if name in absent).decode()
    raise refuse("NotImplemented", f"This is not done on the condition {name}.", Header=name)


def check_unencrypted(headers: Headers) -> None:
    """Refuse to read with a key of the client's (SSE-C): nothing here is encrypted under one."""
    if headers.raw_get(b"x-amz-server-side-encryption-customer-algorithm") is not None:
        raise refuse("InvalidRequest", "The object is not encrypted with a key of the client.")
