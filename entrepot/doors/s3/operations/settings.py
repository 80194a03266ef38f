"""Settings that a bucket or object has by nature here: they can be asked for, not changed."""

from __future__ import annotations

from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents import settings as documents
from entrepot.doors.s3.operations.buckets import known_bucket
from entrepot.wire.http import Response


async def get_bucket_request_payment(call: Call) -> Response:
    """S3 GetBucketRequestPayment."""
    await known_bucket(call)
    return xml(documents.request_payment())


async def get_bucket_accelerate(call: Call) -> Response:
    """S3 GetBucketAccelerateConfiguration."""
    await known_bucket(call)
    return xml(documents.accelerate())


async def get_bucket_logging(call: Call) -> Response:
    """S3 GetBucketLogging."""
    await known_bucket(call)
    return xml(documents.logging_status())


async def get_bucket_notification(call: Call) -> Response:
    """S3 GetBucketNotificationConfiguration."""
    await known_bucket(call)
    return xml(documents.notification())


async def get_bucket_policy_status(call: Call) -> Response:
    """S3 GetBucketPolicyStatus: whether everybody may read."""
    found = await known_bucket(call)
    return xml(documents.policy_status(public=found.public_read))
