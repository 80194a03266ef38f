"""The border where our errors become S3's: one table, from the leaves of the tree to refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from entrepot import errors
from entrepot.core.tags import OF_OBJECT
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.errors import EntrepotError
from entrepot.wire.conditions import quote_etag
from entrepot.wire.dates import http_date
from entrepot.wire.http import Objection

_OBJECTIONS: Final = {431: "RequestHeaderSectionTooLarge", 503: "ServiceUnavailable"}


def _told_by(error: EntrepotError) -> str:
    """What an error says, as a sentence."""
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def refusal_of_objection(objection: Objection) -> Refusal:
    """S3's code for what is wrong with a request as HTTP."""
    return refuse(_OBJECTIONS.get(objection.status, "BadRequest"), f"{objection.text[:1].upper()}{objection.text[1:]}.")


def _code(code: str) -> Callable[[Any], Refusal]:
    return lambda _: refuse(code)


def _told(code: str) -> Callable[[Any], Refusal]:
    return lambda error: refuse(code, _told_by(error))


def _bucket_exists(error: errors.BucketExists) -> Refusal:
    return refuse("BucketAlreadyOwnedByYou" if error.own else "BucketAlreadyExists", BucketName=error.name)


def _argument(error: errors.ArgumentInvalid) -> Refusal:
    return refuse("InvalidArgument", _told_by(error), ArgumentName=error.name, ArgumentValue=str(error.value))


def _name(error: errors.NameInvalid) -> Refusal:
    if error.name == "bucket":
        return refuse("InvalidBucketName", _told_by(error), BucketName=str(error.value))
    return refuse("InvalidArgument", _told_by(error))


def _range(error: errors.RangeInvalid) -> Refusal:
    return refuse("InvalidRange", RangeRequested=error.asked, ActualObjectSize=str(error.size))


def _digest(error: errors.DigestMismatch) -> Refusal:
    sentence = None
    if error.algorithm != "md5":
        sentence = f"The {error.algorithm.upper()} you specified did not match the calculated checksum."
    return refuse("BadDigest", sentence=sentence, ExpectedDigest=error.expected, CalculatedDigest=error.computed)


def _too_large(error: errors.TooLarge) -> Refusal:
    if error.what == "metadata":
        return refuse("MetadataTooLarge", Size=str(error.size), MaxSizeAllowed=str(error.limit))
    if error.what == "document":
        return refuse("MaxMessageLengthExceeded", MaxMessageLengthBytes=str(error.limit))
    return refuse("EntityTooLarge", _told_by(error), ProposedSize=str(error.size), MaxSizeAllowed=str(error.limit))


def _too_small(error: errors.TooSmall) -> Refusal:
    return refuse("EntityTooSmall", _told_by(error), ProposedSize=str(error.size), MinSizeAllowed=str(error.limit))


def _part(error: errors.PartInvalid) -> Refusal:
    return refuse("InvalidPart", _told_by(error), PartNumber=str(error.number))


def _tags(error: errors.TagsTooMany) -> Refusal:
    kind = "Object" if error.limit == OF_OBJECT else "Bucket"
    return refuse("BadRequest", sentence=f"{kind} tags cannot be greater than {error.limit}")


def _precondition(error: errors.PreconditionFailed) -> Refusal:
    return refuse("PreconditionFailed", Condition=error.condition)


def _not_modified(error: errors.NotModified) -> Refusal:
    refusal = refuse("NotModified")
    refusal.headers = {
        "etag": quote_etag(error.etag).decode(), "last-modified": http_date(error.modified // 1_000_000).decode(),
    }  # fmt: skip
    return refusal


def _marker(error: errors.DeleteMarkerFound) -> Refusal:
    """A marker in the way of the object, or asked for by its own id as if it had bytes."""
    refusal = refuse("NoSuchKey", Key=str(error.name)) if error.current else refuse("MethodNotAllowed")
    refusal.headers = {
        "x-amz-delete-marker": "true",
        "x-amz-version-id": error.version_id,
        "last-modified": http_date(error.modified // 1_000_000).decode(),
    }
    return refusal


def _later(error: errors.Unavailable) -> Refusal:
    """Worth another try. S3 has no code for a full disk: like an engine that does not answer, it is a
    service that is not there for now, while a bound of this process asks clients to slow down. What is wrong with
    an engine is for the log: it names files and hosts of the operator's.
    """
    told = _told_by(error) if isinstance(error, errors.Busy | errors.StoreFull) else None
    refusal = refuse("SlowDown" if isinstance(error, errors.Busy) else "ServiceUnavailable", told)
    refusal.headers = {"retry-after": str(error.retry_after)}
    return refusal


TABLE: Final[dict[type[EntrepotError], Callable[[Any], Refusal]]] = {
    errors.BucketMissing: lambda error: refuse("NoSuchBucket", BucketName=str(error.name)),
    errors.ObjectMissing: lambda error: refuse("NoSuchKey", Key=str(error.name)),
    errors.DeleteMarkerFound: _marker,
    errors.VersionMissing: lambda error: refuse("NoSuchVersion", VersionId=str(error.name)),
    errors.UploadMissing: lambda error: refuse("NoSuchUpload", UploadId=str(error.name)),
    errors.KeyMissing: _code("InvalidAccessKeyId"),
    errors.BlobMissing: _code("InternalError"),
    errors.JobMissing: _code("InternalError"),
    errors.BucketExists: _bucket_exists,
    errors.BucketNotEmpty: _code("BucketNotEmpty"),
    errors.Superseded: _code("OperationAborted"),
    errors.LeaseLost: _code("OperationAborted"),
    errors.Conflict: _told("OperationAborted"),
    errors.NothingToMatch: lambda error: refuse("NoSuchKey", Key=str(error.name)),
    errors.PreconditionFailed: _precondition,
    errors.NotModified: _not_modified,
    errors.Denied: _code("AccessDenied"),
    errors.KeyTooLong: lambda error: refuse("KeyTooLongError", Size=str(error.size), MaxSizeAllowed=str(error.limit)),
    errors.NameInvalid: _name,
    errors.ArgumentInvalid: _argument,
    errors.ElementUnknown: _told("MalformedXML"),
    errors.ConfigInvalid: _argument,
    errors.TagInvalid: _told("InvalidTag"),
    errors.TagsTooMany: _tags,
    errors.RangeInvalid: _range,
    errors.DigestMismatch: _digest,
    errors.TooLarge: _too_large,
    errors.TooSmall: _too_small,
    errors.PartMissing: _part,
    errors.PartOrder: _code("InvalidPartOrder"),
    errors.PartInvalid: _part,
    errors.BodyStalled: _told("RequestTimeout"),
    errors.BodyIncomplete: _told("IncompleteBody"),
    errors.StoreFull: _later,
    errors.Busy: _later,
    errors.Unavailable: _later,
    errors.BlobCorrupt: _code("InternalError"),
    errors.Corrupt: _code("InternalError"),
    errors.Incompatible: _code("InternalError"),
}


def refusal_of(error: EntrepotError) -> Refusal:
    """S3's word for an error, by the nearest class of the tree that the table knows."""
    for kind in type(error).__mro__:
        mapped = TABLE.get(kind)
        if mapped is not None:
            return mapped(error)
    return refuse("InternalError")
