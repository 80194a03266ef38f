"""Access control lists, as far as buckets know them: private, or to be read by everybody.

An ACL that asks for anything else is refused. None is ever accepted and not honoured.
"""

from __future__ import annotations

from typing import Final

from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.refusal import refuse
from entrepot.model import Bucket
from entrepot.wire.http import Headers

_CANNED: Final = frozenset({
    "private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read", "bucket-owner-read",
    "bucket-owner-full-control", "log-delivery-write",
})  # fmt: skip
GRANTS: Final = frozenset(
    b"x-amz-grant-" + name for name in (b"full-control", b"read", b"read-acp", b"write", b"write-acp")
)
"""Headers that grant something to one person or group."""


def canned(headers: Headers) -> str | None:
    """The ACL that a request names. Raises the refusal InvalidArgument for a word that is none."""
    word = headers.get("x-amz-acl")
    if word is not None and word not in _CANNED:
        raise refuse(
            "InvalidArgument", "There is no canned ACL of this name.", ArgumentName="x-amz-acl", ArgumentValue=word
        )
    return word


def check_no_grants(headers: Headers) -> None:
    """Raises the refusal NotImplemented for a grant to one person."""
    if not headers.lacks(GRANTS):
        raise refuse("NotImplemented", "Grants are not implemented here: use x-amz-acl, private or public-read.")


def public_read(headers: Headers) -> bool:
    """Whether the ACL for a bucket lets everybody read. Raises Refusal for another one."""
    word = canned(headers)
    if word not in (None, "private", "public-read"):
        raise refuse("NotImplemented", f"The ACL {word} is not implemented here: use private or public-read.")
    return word == "public-read"


def check_object_acl(headers: Headers, bucket: Bucket) -> None:
    """Hold the ACL for an object against its bucket's, which decides for every object in it.

    Raises the refusal NotImplemented for another one: an object is never more or less public
    than its writer was told.
    """
    check_no_grants(headers)
    word = canned(headers)
    held = ("public-read",) if bucket.public_read else ("private", "bucket-owner-read", "bucket-owner-full-control")
    if word is not None and word not in held:
        raise refuse("NotImplemented", f"ACLs of single objects are not implemented here: this bucket's is {held[0]}.")


async def check_written_acl(call: Call) -> None:
    """The same for an object that is about to be written. It costs nothing where no ACL is named.

    Raises what finding the bucket raises too.
    """
    if call.request.headers.raw_get(b"x-amz-acl") is not None:
        check_object_acl(call.request.headers, await call.enter())
