"""The XML documents of S3's lists. A page of 1,000 keys is the largest answer that is made often,
so rows are built from templates, with whatever repeats looked up once.

With encoding-type=url, keys and prefixes are percent-encoded, which is the only form in which
every key can be told; without it they are escaped for XML.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from entrepot.doors.s3.bodies.checksums import DEFAULT_CHECKSUM, WORDS, type_word
from entrepot.doors.s3.documents.outgoing import (
    Owner,
    checksum_elements,
    document,
    element,
    etag_element,
    owner_element,
)
from entrepot.doors.s3.storage import STANDARD, class_of
from entrepot.model import Listed, Part, Upload
from entrepot.wire.dates import iso_date
from entrepot.wire.xml import escape, escape_url

OwnerOf = Callable[[str], Owner]
"""From the account that owns a thing to how S3 names it."""


@dataclass(frozen=True, slots=True)
class ObjectPage:
    """A page of the objects or versions of a bucket. ``url`` is encoding-type=url; ``delimiter``
    is None when the request has none; ``limit`` is the max-keys in force.
    """

    bucket: str
    rows: Sequence[Listed] = ()
    prefixes: Sequence[str] = ()
    prefix: str = ""
    delimiter: str | None = None
    limit: int = 1000
    truncated: bool = False
    url: bool = False


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Where a page of versions begins and, when more follow, where the next one does."""

    key: str = ""
    version_id: str = ""
    next_key: str | None = None
    next_version_id: str | None = None


@dataclass(frozen=True, slots=True)
class PartPage:
    """A page of the parts of an upload; ``next_marker`` is None on the last one."""

    parts: Sequence[Part]
    marker: int = 0
    next_marker: int | None = None
    limit: int = 1000


@dataclass(frozen=True, slots=True)
class UploadListing:
    """A page of the uploads of a bucket; the next markers are None on the last one."""

    bucket: str
    uploads: Sequence[Upload] = ()
    prefixes: Sequence[str] = ()
    prefix: str = ""
    delimiter: str | None = None
    key_marker: str = ""
    upload_marker: str = ""
    next_key: str | None = None
    next_upload: str | None = None
    limit: int = 1000
    url: bool = False


def list_objects(page: ObjectPage, owner_of: OwnerOf, *, marker: str = "", next_marker: str | None = None) -> bytes:
    """ListObjects, version 1, which always tells the owner. ``next_marker`` belongs to a page with
    a delimiter; without one the last key is the marker of the next page.
    """
    encode = _encoder(url=page.url)
    return document(
        "ListBucketResult",
        element("Name", page.bucket),
        f"<Prefix>{encode(page.prefix)}</Prefix><Marker>{encode(marker)}</Marker>",
        "" if next_marker is None else f"<NextMarker>{encode(next_marker)}</NextMarker>",
        _bounds(page),
        *_contents(page, owner_of),
        *_common_prefixes(page.prefixes, encode),
    )


def list_objects_v2(
    page: ObjectPage,
    *,
    token: str | None = None,
    next_token: str | None = None,
    start_after: str | None = None,
    owner_of: OwnerOf | None = None,
) -> bytes:
    """ListObjects, version 2. ``owner_of`` is given when the request has fetch-owner; the key
    count includes the common prefixes.
    """
    encode = _encoder(url=page.url)
    return document(
        "ListBucketResult",
        element("Name", page.bucket),
        f"<Prefix>{encode(page.prefix)}</Prefix>",
        element("ContinuationToken", token),
        element("NextContinuationToken", next_token),
        "" if start_after is None else f"<StartAfter>{encode(start_after)}</StartAfter>",
        element("KeyCount", len(page.rows) + len(page.prefixes)),
        _bounds(page),
        *_contents(page, owner_of),
        *_common_prefixes(page.prefixes, encode),
    )


def list_versions(page: ObjectPage, at: VersionPage, owner_of: OwnerOf) -> bytes:
    """ListObjectVersions: versions and delete markers in one sequence."""
    encode = _encoder(url=page.url)
    following = "" if at.next_key is None else f"<NextKeyMarker>{encode(at.next_key)}</NextKeyMarker>"
    return document(
        "ListVersionsResult",
        element("Name", page.bucket),
        f"<Prefix>{encode(page.prefix)}</Prefix><KeyMarker>{encode(at.key)}</KeyMarker>",
        element("VersionIdMarker", at.version_id),
        following,
        element("NextVersionIdMarker", at.next_version_id),
        _bounds(page),
        *_version_rows(page, owner_of),
        *_common_prefixes(page.prefixes, encode),
    )


def list_parts(upload: Upload, bucket: str, page: PartPage, owner: Owner) -> bytes:
    """ListParts. Its key is never percent-encoded: the operation has no encoding-type."""
    return document(
        "ListPartsResult",
        element("Bucket", bucket),
        element("Key", upload.key),
        element("UploadId", upload.upload_id),
        owner_element(owner, "Initiator"),
        owner_element(owner),
        element("StorageClass", class_of(upload.meta.headers)),
        element("PartNumberMarker", page.marker),
        element("NextPartNumberMarker", _last_number(page)),
        element("MaxParts", page.limit),
        element("IsTruncated", page.next_marker is not None),
        _upload_checksum(upload),
        *[
            f"<Part><PartNumber>{part.number}</PartNumber><LastModified>{iso_date(part.created_at)}</LastModified>"
            f"{etag_element(part.etag)}<Size>{part.size}</Size>{checksum_elements(part.checksums, typed=False)}</Part>"
            for part in page.parts
        ],
    )


def list_uploads(page: UploadListing, owner_of: OwnerOf) -> bytes:
    """ListMultipartUploads."""
    encode = _encoder(url=page.url)
    following = "" if page.next_key is None else f"<NextKeyMarker>{encode(page.next_key)}</NextKeyMarker>"
    return document(
        "ListMultipartUploadsResult",
        element("Bucket", page.bucket),
        f"<KeyMarker>{encode(page.key_marker)}</KeyMarker>",
        element("UploadIdMarker", page.upload_marker),
        following,
        element("NextUploadIdMarker", page.next_upload),
        f"<Prefix>{encode(page.prefix)}</Prefix>",
        "" if page.delimiter is None else f"<Delimiter>{encode(page.delimiter)}</Delimiter>",
        element("MaxUploads", page.limit),
        "<EncodingType>url</EncodingType>" if page.url else "",
        element("IsTruncated", page.next_key is not None),
        *[_upload_row(upload, encode, owner_of(upload.owner)) for upload in page.uploads],
        *_common_prefixes(page.prefixes, encode),
    )


def _encoder(*, url: bool) -> Callable[[str], str]:
    return escape_url if url else escape


def _bounds(page: ObjectPage) -> str:
    encode = _encoder(url=page.url)
    delimiter = "" if page.delimiter is None else f"<Delimiter>{encode(page.delimiter)}</Delimiter>"
    encoding = "<EncodingType>url</EncodingType>" if page.url else ""
    return f"<MaxKeys>{page.limit}</MaxKeys>{delimiter}{encoding}{element('IsTruncated', page.truncated)}"


def _common_prefixes(prefixes: Sequence[str], encode: Callable[[str], str]) -> list[str]:
    return [f"<CommonPrefixes><Prefix>{encode(prefix)}</Prefix></CommonPrefixes>" for prefix in prefixes]


def _contents(page: ObjectPage, owner_of: OwnerOf | None) -> Iterator[str]:
    encode = _encoder(url=page.url)
    owners: dict[str, str] = {}
    checksums: dict[tuple[tuple[str, ...], bool], str] = {}
    owner = checksum = ""
    for row in page.rows:
        if owner_of is not None:
            owner = owners.get(row.owner) or owners.setdefault(row.owner, owner_element(owner_of(row.owner)))
        if row.checksums or checksum:
            kind = (row.checksums, row.composite)
            checksum = checksums.get(kind) or checksums.setdefault(kind, _checksum_kind(row))
        yield (
            f"<Contents><Key>{encode(row.key)}</Key><LastModified>{iso_date(row.created_at)}</LastModified>"
            f"<ETag>&quot;{row.etag}&quot;</ETag>{checksum}<Size>{row.size}</Size>{owner}"
            f"<StorageClass>{row.storage_class or STANDARD}</StorageClass></Contents>"
        )


def _version_rows(page: ObjectPage, owner_of: OwnerOf) -> Iterator[str]:
    encode = _encoder(url=page.url)
    owners: dict[str, str] = {}
    for row in page.rows:
        owner = owners.get(row.owner) or owners.setdefault(row.owner, owner_element(owner_of(row.owner)))
        head = (
            f"<Key>{encode(row.key)}</Key><VersionId>{row.version_id}</VersionId>"
            f"<IsLatest>{'true' if row.latest else 'false'}</IsLatest>"
            f"<LastModified>{iso_date(row.created_at)}</LastModified>"
        )
        if row.marker:
            yield f"<DeleteMarker>{head}{owner}</DeleteMarker>"
        else:
            checksum = _checksum_kind(row) if row.checksums else ""
            yield (
                f"<Version>{head}<ETag>&quot;{row.etag}&quot;</ETag>{checksum}<Size>{row.size}</Size>"
                f"{owner}<StorageClass>{row.storage_class or STANDARD}</StorageClass></Version>"
            )


def _checksum_kind(row: Listed) -> str:
    words = [WORDS[name] for name in row.checksums if name in WORDS]
    if not words:
        return ""
    algorithms = "".join(f"<ChecksumAlgorithm>{word}</ChecksumAlgorithm>" for word in words)
    return f"{algorithms}<ChecksumType>{type_word(composite=row.composite)}</ChecksumType>"


def _last_number(page: PartPage) -> int:
    if page.next_marker is not None:
        return page.next_marker
    return page.parts[-1].number if page.parts else page.marker


def _upload_row(upload: Upload, encode: Callable[[str], str], owner: Owner) -> str:
    return (
        f"<Upload><Key>{encode(upload.key)}</Key>{element('UploadId', upload.upload_id)}"
        f"{owner_element(owner, 'Initiator')}{owner_element(owner)}"
        f"{element('StorageClass', class_of(upload.meta.headers))}"
        f"<Initiated>{iso_date(upload.created_at)}</Initiated>{_upload_checksum(upload)}</Upload>"
    )


def _upload_checksum(upload: Upload) -> str:
    word = WORDS[upload.algorithm or DEFAULT_CHECKSUM]
    kind = type_word(composite=bool(upload.algorithm) and upload.composite)
    return f"<ChecksumAlgorithm>{word}</ChecksumAlgorithm><ChecksumType>{kind}</ChecksumType>"
