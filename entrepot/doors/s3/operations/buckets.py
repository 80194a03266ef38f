"""The operations of S3 on buckets themselves, and the list of them."""

from __future__ import annotations

from typing import Final

from entrepot.core import BucketChange
from entrepot.core.access import Action
from entrepot.doors.s3.acl import GRANTS, check_no_grants, public_read
from entrepot.doors.s3.answers import done, xml
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents import outgoing as documents
from entrepot.doors.s3.documents.incoming import CreateBucketDocument, VersioningDocument
from entrepot.doors.s3.documents.outgoing import Owner
from entrepot.doors.s3.paging import decode_token, encode_token, parse_limit
from entrepot.doors.s3.refusal import refuse
from entrepot.errors import BucketExists
from entrepot.model import Bucket
from entrepot.wire.http import Headers, Response

PAGE: Final = 10_000
"""Buckets in one answer at most."""

_PAGING: Final = ("max-buckets", "prefix", "continuation-token", "bucket-region")

ENFORCED: Final = "BucketOwnerEnforced"
_OWNERSHIPS: Final = frozenset({ENFORCED, "BucketOwnerPreferred", "ObjectWriter"})

FIRST_REGION: Final = "us-east-1"
"""The region in which an owner may create a bucket again."""


async def list_buckets(call: Call) -> Response:
    """S3 ListBuckets, in one answer or in pages of max-buckets."""
    limit = parse_limit(call.param("max-buckets"), "max-buckets", least=1, most=PAGE, default=PAGE, largest=PAGE)
    prefix = call.param("prefix") or ""
    token = call.param("continuation-token")
    after = decode_token(token) if token else ""
    region = call.param("bucket-region")
    paged = any(call.param(name) is not None for name in _PAGING)
    found: list[Bucket] = await call.core.buckets.list(call.who, prefix, after, limit + 1)
    if region not in (None, "", call.region):
        found = []
    page = found[:limit]
    owner = Owner(call.who.account, await call.core.keys.display_name(call.who.account))
    return xml(documents.list_buckets(
        page, owner, region=call.region if paged else None, prefix=prefix or None,
        next_token=encode_token(page[-1].name) if len(found) > limit else None,
    ))  # fmt: skip


async def create_bucket(call: Call) -> Response:
    """S3 CreateBucket. In the first region the owner may create a bucket again as it is; one that
    would have another access than the present one is a conflict, so that nothing opens or closes
    by surprise.
    """
    call.core.buckets.check_creation(call.who)
    _check_creation(call)
    public = public_read(call.request.headers)
    location = await call.optional_document(CreateBucketDocument())
    if location not in (None, "", call.region):
        raise refuse(
            "IllegalLocationConstraintException",
            f"This server's region is {call.region}.",
            sentence=f"The {location} location constraint is incompatible for the region specific endpoint this "
            "request was sent to.",
        )
    try:
        await call.core.buckets.create(call.who, call.bucket, public_read=public)
    except BucketExists as error:
        if not error.own or call.region != FIRST_REGION:
            raise
        found = await call.core.buckets.get(call.who, call.bucket, Action.BUCKET_ADMIN)
        if found.public_read != public:
            raise refuse(
                "BucketAlreadyExists", "The bucket exists already, with another access.", BucketName=call.bucket
            ) from error
    return done([(b"location", b"/" + call.bucket.encode())])


def _check_creation(call: Call) -> None:
    """Raises Refusal for what a new bucket cannot have here."""
    headers = call.request.headers
    _check_ownership(headers)
    check_no_grants(headers)
    if (headers.get("x-amz-bucket-object-lock-enabled") or "false").lower() != "false":
        raise refuse("NotImplemented", "Object lock is not implemented here.")


def _check_ownership(headers: Headers) -> None:
    """Who asks for a bucket without ACLs does not get one with an ACL, least of all a public one."""
    ownership = headers.get("x-amz-object-ownership")
    if ownership is None:
        return
    if ownership not in _OWNERSHIPS:
        raise refuse(
            "InvalidArgument", sentence="Invalid x-amz-object-ownership header", ArgumentName="x-amz-object-ownership",
            ArgumentValue=ownership,
        )  # fmt: skip
    if ownership != ENFORCED:
        raise refuse("NotImplemented", "The owner of an object is who wrote it: there is no other ownership here.")
    if headers.get("x-amz-acl", "private") != "private" or not headers.lacks(GRANTS):
        raise refuse("InvalidBucketAclWithObjectOwnership")


async def head_bucket(call: Call) -> Response:
    """S3 HeadBucket."""
    await call.enter()
    return done()


async def delete_bucket(call: Call) -> Response:
    """S3 DeleteBucket."""
    await call.core.buckets.delete(call.who, call.bucket)
    return Response(204)


async def known_bucket(call: Call) -> Bucket:
    """The bucket whose settings are asked for. They are not for the public, even where its objects are.

    Raises BucketMissing, Denied.
    """
    return await call.core.buckets.get(call.who, call.bucket, call.action)


async def get_bucket_location(call: Call) -> Response:
    """S3 GetBucketLocation."""
    await known_bucket(call)
    return xml(documents.bucket_location(call.region))


async def get_bucket_versioning(call: Call) -> Response:
    """S3 GetBucketVersioning."""
    found = await known_bucket(call)
    return xml(documents.bucket_versioning(found.versioning))


async def put_bucket_versioning(call: Call) -> Response:
    """S3 PutBucketVersioning."""
    state = await call.document(VersioningDocument())
    await call.core.buckets.change(call.who, call.bucket, BucketChange(versioning=state))
    return done()
