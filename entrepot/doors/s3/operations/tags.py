"""The operations of S3 on tags of objects and buckets."""

from __future__ import annotations

from entrepot.doors.s3.answers import done, xml
from entrepot.doors.s3.calls import Call, version_field
from entrepot.doors.s3.documents.settings import tagging
from entrepot.doors.s3.documents.tags import TagsDocument
from entrepot.doors.s3.refusal import refuse
from entrepot.wire.http import Response


async def get_object_tagging(call: Call) -> Response:
    """S3 GetObjectTagging."""
    version, tags = await call.core.objects.tags(call.who, call.bucket, call.key, call.version_id())
    return xml(tagging(tags), version_field(version.version_id))


async def put_object_tagging(call: Call) -> Response:
    """S3 PutObjectTagging."""
    version_id = call.version_id()
    tags = await call.document(TagsDocument())
    version = await call.core.objects.set_tags(call.who, call.bucket, call.key, tags, version_id)
    return done(version_field(version.version_id))


async def delete_object_tagging(call: Call) -> Response:
    """S3 DeleteObjectTagging."""
    version = await call.core.objects.set_tags(call.who, call.bucket, call.key, {}, call.version_id())
    return Response(204, version_field(version.version_id))


async def get_bucket_tagging(call: Call) -> Response:
    """S3 GetBucketTagging. A bucket without tags has no set of them."""
    tags = await call.core.buckets.tags(call.who, call.bucket)
    if not tags:
        raise refuse("NoSuchTagSet", BucketName=call.bucket)
    return xml(tagging(tags))


async def put_bucket_tagging(call: Call) -> Response:
    """S3 PutBucketTagging."""
    await call.core.buckets.set_tags(call.who, call.bucket, await call.document(TagsDocument()))
    return Response(204)


async def delete_bucket_tagging(call: Call) -> Response:
    """S3 DeleteBucketTagging."""
    await call.core.buckets.set_tags(call.who, call.bucket, {})
    return Response(204)
