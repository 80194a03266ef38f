"""Access control lists, as far as buckets know them: private, or to be read by everybody.

An ACL that asks for anything else is refused. None is ever accepted and not honoured.
"""

from __future__ import annotations

from typing import Final

from entrepot.core.objects import Opened
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents.acl import Acl, AclDocument
from entrepot.doors.s3.documents.settings import ALL_USERS, GROUPS
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


def public_read_by(acl: Acl, owners: frozenset[str]) -> bool:
    """Whether an ACL document lets everybody read. ``owners`` are those who have full control by nature, the owner of
    the thing among them. Raises Refusal for an ACL that asks for anything else.
    """
    if acl.owner not in owners:
        raise refuse("AccessDenied", "An ACL does not change the owner.")
    public = controlled = False
    for grant in acl.grants:
        address, group, person = (grant.grantee.get(name) for name in ("EmailAddress", "URI", "ID"))
        if address is not None:
            raise refuse("UnresolvableGrantByEmailAddress")
        if group is not None and group not in GROUPS:
            raise refuse("InvalidArgument", sentence="Invalid group uri", ArgumentName="URI", ArgumentValue=group)
        if (group, grant.permission) == (ALL_USERS, "READ"):
            public = True
        elif group is None and person in owners and grant.permission == "FULL_CONTROL":
            controlled = True
        else:
            raise refuse("NotImplemented", "Everybody may be granted READ here, and nobody anything else.")
    if not controlled:
        raise refuse("NotImplemented", "The owner has FULL_CONTROL here.")
    return public


async def check_object_acl_document(call: Call, opened: Opened) -> None:
    """The document for an object, held against its bucket's ACL as a header is."""
    owners = frozenset({opened.version.owner, opened.bucket.owner})
    if public_read_by(await call.document(AclDocument()), owners) != opened.bucket.public_read:
        held = "public-read" if opened.bucket.public_read else "private"
        raise refuse("NotImplemented", f"ACLs of single objects are not implemented here: this bucket's is {held}.")


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
