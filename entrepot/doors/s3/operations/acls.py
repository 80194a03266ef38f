"""The operations of S3 on access control lists."""

from __future__ import annotations

from entrepot.core import BucketChange
from entrepot.doors.s3.acl import (
    canned,
    check_no_grants,
    check_object_acl,
    check_object_acl_document,
    public_read,
    public_read_by,
)
from entrepot.doors.s3.answers import done, xml
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents.acl import AclDocument
from entrepot.doors.s3.documents.incoming import NoDocument
from entrepot.doors.s3.documents.outgoing import Owner
from entrepot.doors.s3.documents.settings import access_control_policy
from entrepot.doors.s3.operations.buckets import known_bucket
from entrepot.wire.http import Response


async def get_bucket_acl(call: Call) -> Response:
    """S3 GetBucketAcl."""
    found = await known_bucket(call)
    owner = Owner(found.owner, await call.core.keys.display_name(found.owner))
    return xml(access_control_policy(owner, public_read=found.public_read))


async def put_bucket_acl(call: Call) -> Response:
    """S3 PutBucketAcl, of an ACL that is private or public-read, by its name or as a document."""
    found = await call.enter()
    headers = call.request.headers
    check_no_grants(headers)
    if canned(headers) is None:
        public = public_read_by(await call.document(AclDocument()), frozenset({found.owner}))
    else:
        public = public_read(headers)
        await call.optional_document(NoDocument())
    await call.core.buckets.change(call.who, call.bucket, BucketChange(public_read=public))
    return done()


async def get_object_acl(call: Call) -> Response:
    """S3 GetObjectAcl: that of the bucket, with the object's own owner."""
    opened = await call.core.objects.open(call.who, call.bucket, call.key, call.version_id(), action=call.action)
    account = opened.version.owner
    owner = Owner(account, await call.core.keys.display_name(account))
    return xml(access_control_policy(owner, public_read=opened.bucket.public_read))


async def put_object_acl(call: Call) -> Response:
    """S3 PutObjectAcl, of the ACL that the object has already: that of its bucket."""
    opened = await call.core.objects.open(call.who, call.bucket, call.key, call.version_id(), action=call.action)
    check_object_acl(call.request.headers, opened.bucket)
    if canned(call.request.headers) is None:
        await check_object_acl_document(call, opened)
    else:
        await call.optional_document(NoDocument())
    return done()
