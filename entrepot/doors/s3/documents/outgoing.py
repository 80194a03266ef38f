"""The XML documents that answers carry, save the lists (lists.py).

Names, order and shape of the elements are those of the responses in the Amazon S3 API reference.
Etags come in bare; times are microseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from entrepot.doors.s3.bodies.checksums import ELEMENTS, encode_checksum, type_word
from entrepot.model import Bucket, Checksums, Part, Versioning
from entrepot.wire.dates import iso_date
from entrepot.wire.xml import PROLOG, escape, escape_readable

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
_STATUS: Final = {Versioning.OFF: None, Versioning.ON: "Enabled", Versioning.SUSPENDED: "Suspended"}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who S3 says a thing belongs to."""

    id: str
    display_name: str


@dataclass(frozen=True, slots=True)
class DeletedEntry:
    """What became of one entry of DeleteObjects. ``marker`` tells that a delete marker was made,
    or that the version removed was one; ``marker_version_id`` is the id of that marker.
    """

    key: str
    version_id: str | None = None
    marker: bool = False
    marker_version_id: str | None = None


@dataclass(frozen=True, slots=True)
class KeptEntry:
    key: str
    version_id: str | None
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class AttributeParts:
    """A page of the parts of an object; ``next_marker`` is None on the last one."""

    total: int
    parts: Sequence[Part]
    marker: int
    next_marker: int | None
    limit: int


@dataclass(frozen=True, slots=True)
class Attributes:
    """What GetObjectAttributes was asked for; None for what it was not, or for what is not there."""

    etag: str | None = None
    checksums: Checksums | None = None
    parts: AttributeParts | None = None
    storage_class: str | None = None
    size: int | None = None


def document(root: str, *content: str) -> bytes:
    """A document in S3's namespace; the content is XML already."""
    return f'{PROLOG}<{root} xmlns="{NAMESPACE}">{"".join(content)}</{root}>'.encode()


def element(name: str, text: str | int | bool | None) -> str:  # noqa: FBT001 - a value, not a switch
    """An element with escaped text, or nothing at all for None."""
    if text is None:
        return ""
    if isinstance(text, bool):
        return f"<{name}>true</{name}>" if text else f"<{name}>false</{name}>"
    return f"<{name}>{text if isinstance(text, int) else escape(text)}</{name}>"


def etag_element(etag: str) -> str:
    return f"<ETag>&quot;{escape(etag)}&quot;</ETag>"


def owner_element(owner: Owner, name: str = "Owner") -> str:
    return f"<{name}>{element('ID', owner.id)}{element('DisplayName', owner.display_name)}</{name}>"


def checksum_elements(checksums: Checksums, *, typed: bool = True) -> str:
    """The Checksum… elements of an object or part; ``typed`` adds the ChecksumType."""
    if not checksums.values:
        return ""
    parts = checksums.parts if checksums.composite else 0
    found = [
        f"<{ELEMENTS[name]}>{encode_checksum(value, parts)}</{ELEMENTS[name]}>"
        for name, value in checksums.values.items()
        if name in ELEMENTS
    ]
    if found and typed:
        found.append(element("ChecksumType", type_word(composite=checksums.composite)))
    return "".join(found)


def list_buckets(
    buckets: Sequence[Bucket],
    owner: Owner,
    *,
    region: str | None = None,
    prefix: str | None = None,
    next_token: str | None = None,
) -> bytes:
    """ListBuckets. ``region`` is told of each bucket when the request was for a page."""
    rows = [
        f"<Bucket>{element('Name', bucket.name)}<CreationDate>{iso_date(bucket.created_at)}</CreationDate>"
        f"{element('BucketRegion', region)}</Bucket>"
        for bucket in buckets
    ]
    return document(
        "ListAllMyBucketsResult",
        owner_element(owner),
        "<Buckets>",
        *rows,
        "</Buckets>",
        element("Prefix", prefix),
        element("ContinuationToken", next_token),
    )


def bucket_location(region: str) -> bytes:
    """GetBucketLocation: the oldest region has an empty name there."""
    return document("LocationConstraint", escape("" if region == "us-east-1" else region))


def bucket_versioning(state: Versioning) -> bytes:
    """GetBucketVersioning: no Status for a bucket that never had versions."""
    return document("VersioningConfiguration", element("Status", _STATUS[state]))


def copy_object(etag: str, modified: int, checksums: Checksums) -> bytes:
    """CopyObject."""
    return document("CopyObjectResult", _last_modified(modified), etag_element(etag), checksum_elements(checksums))


def copy_part(etag: str, modified: int, checksums: Checksums) -> bytes:
    """UploadPartCopy."""
    return document(
        "CopyPartResult",
        _last_modified(modified),
        etag_element(etag),
        checksum_elements(checksums, typed=False),
    )


def delete_objects(outcomes: Sequence[DeletedEntry | KeptEntry], *, quiet: bool) -> bytes:
    """DeleteObjects; when quiet, of the failures alone."""
    return document(
        "DeleteResult",
        *[
            _not_deleted(outcome) if isinstance(outcome, KeptEntry) else _deleted(outcome)
            for outcome in outcomes
            if not quiet or isinstance(outcome, KeptEntry)
        ],
    )


def _deleted(outcome: DeletedEntry) -> str:
    marker = "<DeleteMarker>true</DeleteMarker>" if outcome.marker else ""
    return (
        f"<Deleted>{element('Key', outcome.key)}{element('VersionId', outcome.version_id)}{marker}"
        f"{element('DeleteMarkerVersionId', outcome.marker_version_id)}</Deleted>"
    )


def _not_deleted(outcome: KeptEntry) -> str:
    return (
        f"<Error>{element('Key', outcome.key)}{element('VersionId', outcome.version_id)}"
        f"{element('Code', outcome.code)}<Message>{escape_readable(outcome.message)}</Message></Error>"
    )


def create_upload(bucket: str, key: str, upload_id: str) -> bytes:
    """CreateMultipartUpload."""
    return document(
        "InitiateMultipartUploadResult",
        element("Bucket", bucket),
        element("Key", key),
        element("UploadId", upload_id),
    )


def complete_upload(location: str, bucket: str, key: str, etag: str, checksums: Checksums) -> bytes:
    """CompleteMultipartUpload. ``location`` is the URL of the object."""
    return document(
        "CompleteMultipartUploadResult",
        element("Location", location),
        element("Bucket", bucket),
        element("Key", key),
        etag_element(etag),
        checksum_elements(checksums),
    )


def object_attributes(attributes: Attributes) -> bytes:
    """GetObjectAttributes; its ETag is the one without quotes."""
    checksums = checksum_elements(attributes.checksums) if attributes.checksums is not None else ""
    return document(
        "GetObjectAttributesResponse",
        element("ETag", attributes.etag),
        f"<Checksum>{checksums}</Checksum>" if checksums else "",
        "" if attributes.parts is None else _attribute_parts(attributes.parts),
        element("StorageClass", attributes.storage_class),
        element("ObjectSize", attributes.size),
    )


def _attribute_parts(page: AttributeParts) -> str:
    rows = "".join(
        f"<Part>{element('PartNumber', part.number)}{element('Size', part.size)}"
        f"{checksum_elements(part.checksums, typed=False)}</Part>"
        for part in page.parts
    )
    last = page.parts[-1].number if page.parts else page.marker
    return (
        f"<ObjectParts>{element('PartsCount', page.total)}{element('PartNumberMarker', page.marker)}"
        f"{element('NextPartNumberMarker', last if page.next_marker is None else page.next_marker)}"
        f"{element('MaxParts', page.limit)}{element('IsTruncated', page.next_marker is not None)}{rows}</ObjectParts>"
    )


def error(code: str, message: str, resource: str, request_id: str, fields: Mapping[str, str] | None = None) -> bytes:
    """The document of a refusal. It has no namespace, and it can be parsed whatever it tells of."""
    extra = "".join(f"<{name}>{escape_readable(value)}</{name}>" for name, value in (fields or {}).items())
    return (
        f"{PROLOG}<Error><Code>{escape(code)}</Code><Message>{escape_readable(message)}</Message>{extra}"
        f"<Resource>{escape_readable(resource)}</Resource><RequestId>{escape_readable(request_id)}</RequestId>"
        f"<HostId>{escape_readable(request_id)}</HostId></Error>"
    ).encode()


def _last_modified(modified: int) -> str:
    return f"<LastModified>{iso_date(modified)}</LastModified>"


def posted(location: str, bucket: str, key: str, etag: str) -> bytes:
    """What a form is answered that asks for 201. It is in no namespace."""
    content = f"{element('Location', location)}{element('Bucket', bucket)}{element('Key', key)}{etag_element(etag)}"
    return f"{PROLOG}<PostResponse>{content}</PostResponse>".encode()
