"""From a request to the operation it asks for, and from what comes of it to an answer.

An operation is one row of a table: method, what it is about (the service, a bucket, an object),
the sub-resource in the query, and one function. Nothing else has to be edited to add one.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote_to_bytes

from entrepot.core import Core
from entrepot.core.access import Action
from entrepot.doors.s3.calls import Call, Operation
from entrepot.doors.s3.documents.outgoing import error as error_document
from entrepot.doors.s3.faults import refusal_of
from entrepot.doors.s3.operations import (
    acls,
    attributes,
    buckets,
    copies,
    deletions,
    forms,
    listings,
    multipart,
    objects,
    settings,
    tags,
)
from entrepot.doors.s3.operations.absent import absent, preflight
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing.presigned import split_signature
from entrepot.doors.s3.signing.proofs import Proofs
from entrepot.doors.s3.subresources import SUBRESOURCES
from entrepot.errors import EntrepotError
from entrepot.wire.http import Headers, Request, Response

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"

COPY = "copy"
"""An object that is written from another one, named in x-amz-copy-source."""

_EXPECTED_OWNER: Final = b"x-amz-expected-bucket-owner"

OPERATIONS: Final[dict[tuple[str, str, str], Operation]] = {
    ("GET", SERVICE, ""): Operation("ListBuckets", buckets.list_buckets, Action.BUCKET_LIST),
    ("PUT", BUCKET, ""): Operation("CreateBucket", buckets.create_bucket, Action.BUCKET_CREATE),
    ("HEAD", BUCKET, ""): Operation("HeadBucket", buckets.head_bucket, Action.OBJECT_LIST),
    ("DELETE", BUCKET, ""): Operation("DeleteBucket", buckets.delete_bucket, Action.BUCKET_DELETE),
    ("GET", BUCKET, "location"): Operation("GetBucketLocation", buckets.get_bucket_location, Action.BUCKET_READ),
    ("GET", BUCKET, "versioning"): Operation("GetBucketVersioning", buckets.get_bucket_versioning, Action.BUCKET_READ),
    ("PUT", BUCKET, "versioning"): Operation("PutBucketVersioning", buckets.put_bucket_versioning, Action.BUCKET_ADMIN),
    ("GET", BUCKET, "acl"): Operation("GetBucketAcl", acls.get_bucket_acl, Action.BUCKET_READ),
    ("PUT", BUCKET, "acl"): Operation("PutBucketAcl", acls.put_bucket_acl, Action.BUCKET_ADMIN),
    ("GET", BUCKET, "tagging"): Operation("GetBucketTagging", tags.get_bucket_tagging, Action.BUCKET_READ),
    ("PUT", BUCKET, "tagging"): Operation("PutBucketTagging", tags.put_bucket_tagging, Action.BUCKET_ADMIN),
    ("DELETE", BUCKET, "tagging"): Operation("DeleteBucketTagging", tags.delete_bucket_tagging, Action.BUCKET_ADMIN),
    ("GET", BUCKET, "accelerate"): Operation(
        "GetBucketAccelerateConfiguration", settings.get_bucket_accelerate, Action.BUCKET_READ
    ),
    ("GET", BUCKET, "logging"): Operation("GetBucketLogging", settings.get_bucket_logging, Action.BUCKET_READ),
    ("GET", BUCKET, "notification"): Operation(
        "GetBucketNotificationConfiguration", settings.get_bucket_notification, Action.BUCKET_READ
    ),
    ("GET", BUCKET, "policyStatus"): Operation(
        "GetBucketPolicyStatus", settings.get_bucket_policy_status, Action.BUCKET_READ
    ),
    ("GET", BUCKET, "requestPayment"): Operation(
        "GetBucketRequestPayment", settings.get_bucket_request_payment, Action.BUCKET_READ
    ),
    ("GET", BUCKET, ""): Operation("ListObjects", listings.list_objects, Action.OBJECT_LIST),
    ("GET", BUCKET, "list-type"): Operation("ListObjectsV2", listings.list_objects_v2, Action.OBJECT_LIST),
    ("GET", BUCKET, "versions"): Operation("ListObjectVersions", listings.list_object_versions, Action.VERSION_LIST),
    ("POST", BUCKET, ""): Operation("PostObject", forms.post_object, Action.OBJECT_WRITE),
    ("POST", BUCKET, "delete"): Operation(
        "DeleteObjects", deletions.delete_objects, Action.OBJECT_DELETE, Action.VERSION_DELETE
    ),
    ("GET", OBJECT, "acl"): Operation("GetObjectAcl", acls.get_object_acl, Action.OBJECT_ACL_READ),
    ("PUT", OBJECT, "acl"): Operation("PutObjectAcl", acls.put_object_acl, Action.OBJECT_ACL_WRITE),
    ("GET", OBJECT, "tagging"): Operation("GetObjectTagging", tags.get_object_tagging, Action.OBJECT_TAG_READ),
    ("PUT", OBJECT, "tagging"): Operation("PutObjectTagging", tags.put_object_tagging, Action.OBJECT_TAG_WRITE),
    ("DELETE", OBJECT, "tagging"): Operation(
        "DeleteObjectTagging", tags.delete_object_tagging, Action.OBJECT_TAG_WRITE
    ),
    ("PUT", OBJECT, ""): Operation("PutObject", objects.put_object, Action.OBJECT_WRITE),
    ("GET", OBJECT, ""): Operation("GetObject", objects.get_object, Action.OBJECT_READ, Action.VERSION_READ),
    ("HEAD", OBJECT, ""): Operation("HeadObject", objects.head_object, Action.OBJECT_READ, Action.VERSION_READ),
    ("DELETE", OBJECT, ""): Operation(
        "DeleteObject", objects.delete_object, Action.OBJECT_DELETE, Action.VERSION_DELETE
    ),
    ("PUT", COPY, ""): Operation(
        "CopyObject", copies.copy_object, Action.OBJECT_WRITE, Action.OBJECT_READ, Action.VERSION_READ
    ),
    ("GET", OBJECT, "attributes"): Operation(
        "GetObjectAttributes", attributes.get_object_attributes, Action.OBJECT_READ, Action.VERSION_READ
    ),
    ("POST", OBJECT, "uploads"): Operation("CreateMultipartUpload", multipart.create_upload, Action.UPLOAD_CREATE),
    ("PUT", OBJECT, "uploadId"): Operation("UploadPart", multipart.upload_part, Action.UPLOAD_APPEND),
    ("PUT", COPY, "uploadId"): Operation(
        "UploadPartCopy", multipart.copy_part, Action.UPLOAD_APPEND, Action.OBJECT_READ, Action.VERSION_READ
    ),
    ("POST", OBJECT, "uploadId"): Operation("CompleteMultipartUpload", multipart.complete_upload, Action.OBJECT_WRITE),
    ("DELETE", OBJECT, "uploadId"): Operation("AbortMultipartUpload", multipart.abort_upload, Action.UPLOAD_ABORT),
    ("GET", OBJECT, "uploadId"): Operation("ListParts", multipart.list_parts, Action.UPLOAD_LIST),
    ("GET", BUCKET, "uploads"): Operation("ListMultipartUploads", multipart.list_uploads, Action.UPLOAD_LIST),
}


class Router:
    """The S3 door as a handler."""

    def __init__(self, core: Core, region: str, domains: tuple[str, ...], *, version_2: bool) -> None:
        self._core = core
        self._region = region
        self._proofs = Proofs(core, region, version_2=version_2)
        self._domains = tuple(f".{domain.lower()}" for domain in domains)

    async def __call__(self, request: Request) -> Response:
        try:
            response = await self._answer(request)
        except Refusal as refusal:
            return self._refused(request, refusal)
        except EntrepotError as error:
            request.note["error"] = str(error)
            return self._refused(request, refusal_of(error))
        response.headers.append((b"x-amz-request-id", request.id.encode()))
        if "key" not in request.note and "bucket" in request.note:
            response.headers.append((b"x-amz-bucket-region", self._region.encode()))
        return response

    def _refused(self, request: Request, refusal: Refusal) -> Response:
        """The answer to a refused request. From the region SDKs learn how to ask again."""
        response = render(request, refusal)
        response.headers.append((b"x-amz-request-id", request.id.encode()))
        if "bucket" in request.note and refusal.code != "NoSuchBucket":
            response.headers.append((b"x-amz-bucket-region", self._region.encode()))
        return response

    async def _answer(self, request: Request) -> Response:
        if request.raw_query:
            request.parameters, _ = split_signature(request.raw_query)
        host_bucket = self._host_bucket(request) if self._domains else ""
        bucket, key = (host_bucket, _decoded(request.path[1:])) if host_bucket else _path_resource(request)
        operation = find_operation(request, bucket, key)
        note = request.note
        note["door"] = "s3"
        note["operation"] = operation.name
        if bucket:
            note["bucket"] = bucket
        if key:
            note["key"] = key
        who, verified = await self._proofs.prove(request, host_bucket)
        # An address that was signed by somebody may be anybody's.
        request.proven = verified is not None and request.headers.raw_get(b"authorization") is not None
        if verified is not None and verified.fields:
            request.headers = Headers([*request.headers.raw, *verified.fields])
            operation = find_operation(request, bucket, key)
            note["operation"] = operation.name
        call = Call(self._core, request, who.asking(request), verified, bucket, key, self._proofs, operation.action)
        if request.headers.raw_get(_EXPECTED_OWNER) is not None:
            await call.check_owner(_EXPECTED_OWNER, bucket)
        return await operation.run(call)

    def _host_bucket(self, request: Request) -> str:
        """The bucket that the host names (virtual-host style); empty for none."""
        host = (request.headers.get("host") or "").rpartition("@")[2].lower()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        return next((name[: -len(domain)] for domain in self._domains if name.endswith(domain)), "")


def _path_resource(request: Request) -> tuple[str, str]:
    """Bucket and key, decoded, from the path."""
    bucket, _, key = request.path[1:].partition(b"/")
    return _decoded(bucket), _decoded(key)


def _decoded(raw: bytes) -> str:
    try:
        return (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")
    except UnicodeDecodeError:
        raise refuse("InvalidURI", "The path is not UTF-8 once percent-decoded.") from None


def find_operation(request: Request, bucket: str, key: str) -> Operation:
    """The row of the table for a request. Raises Refusal for a query that is no text."""
    level = OBJECT if key else BUCKET if bucket else SERVICE
    if key and request.method == "PUT" and request.headers.raw_get(b"x-amz-copy-source") is not None:
        level = COPY
    sub = find_subresource(request) if request.raw_query else ""
    found = OPERATIONS.get((request.method, level, sub))
    if found is None:
        if request.method == "OPTIONS":
            raise preflight(request.headers)
        return absent(request.method, level, sub)
    return found


def find_subresource(request: Request) -> str:
    """The first parameter that names a sub-resource. Raises Refusal for what is not UTF-8."""
    try:
        names = request.names
    except UnicodeDecodeError:
        raise refuse("InvalidURI", "The query is not UTF-8 once percent-decoded.") from None
    if SUBRESOURCES.isdisjoint(names):
        return ""
    return next(name for name in names if name in SUBRESOURCES)


def render(request: Request, refusal: Refusal) -> Response:
    """A refusal as an answer; without a body where HTTP has none."""
    headers = [(name.encode(), value.encode("latin-1", "replace")) for name, value in refusal.headers.items()]
    request.note["code"] = refusal.code
    if request.method == "HEAD" or refusal.status == 304:
        return Response(refusal.status, headers)
    resource = request.raw_path.decode("latin-1")
    body = error_document(refusal.code, refusal.message, resource, request.id, refusal.fields)
    headers.append((b"content-type", b"application/xml"))
    headers.append((b"content-length", b"%d" % len(body)))
    return Response(refusal.status, headers, body)
