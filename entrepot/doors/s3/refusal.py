"""What the S3 door answers when it will not do what was asked: one table of S3's error codes.

Codes and statuses are those of the list "Error responses" in the Amazon S3 API reference; the
texts are ours and tell the reader what to change.
"""

from __future__ import annotations

from collections.abc import Mapping

_BAD, _DENIED, _MISSING, _CONFLICT, _FAILED = 400, 403, 404, 409, 412

TABLE: Mapping[str, tuple[int, str]] = {
    # Identity and signature.
    "AccessDenied": (_DENIED, "Access denied."),
    "AccessForbidden": (_DENIED, "No rule allows this request from another origin."),
    "AuthorizationHeaderMalformed": (_BAD, "The Authorization header is not a valid AWS4-HMAC-SHA256 one."),
    "AuthorizationQueryParametersError": (_BAD, "The X-Amz-* parameters of the query do not form a valid signature."),
    "ExpiredToken": (_BAD, "The session token has expired."),
    "InvalidAccessKeyId": (_DENIED, "There is no such access key."),
    "InvalidSecurity": (_DENIED, "The security credentials are not valid."),
    "InvalidToken": (_BAD, "The session token is malformed or not valid."),
    "MissingSecurityHeader": (_BAD, "A header that the signature requires is missing."),
    "RequestExpired": (_BAD, "The request has expired."),
    "RequestTimeTooSkewed": (_DENIED, "The clock of the client is more than 15 minutes off the clock of the server."),
    "SignatureDoesNotMatch": (
        _DENIED,
        "The signature is not the one computed here: check the secret key and how the request was signed.",
    ),
    "XAmzContentSHA256Mismatch": (_BAD, "The SHA-256 of the body is not the one in x-amz-content-sha256."),
    # Things that are not there.
    "NoSuchBucket": (_MISSING, "There is no such bucket."),
    "NoSuchKey": (_MISSING, "There is no object of this key."),
    "NoSuchVersion": (_MISSING, "There is no such version of this object."),
    "NoSuchUpload": (_MISSING, "There is no such multipart upload: it was completed, aborted or never begun."),
    "NoSuchBucketPolicy": (_MISSING, "The bucket has no policy."),
    "NoSuchCORSConfiguration": (_MISSING, "The bucket has no CORS configuration."),
    "NoSuchConfiguration": (_MISSING, "The bucket has no configuration of this name."),
    "NoSuchLifecycleConfiguration": (_MISSING, "The bucket has no lifecycle configuration."),
    "NoSuchObjectLockConfiguration": (_MISSING, "The object has no lock configuration."),
    "NoSuchPublicAccessBlockConfiguration": (_MISSING, "The bucket has no public access block configuration."),
    "NoSuchTagSet": (_MISSING, "There are no tags."),
    "NoSuchTagSetError": (_MISSING, "There are no tags."),
    "NoSuchWebsiteConfiguration": (_MISSING, "The bucket has no website configuration."),
    "ObjectLockConfigurationNotFoundError": (_MISSING, "The bucket has no object lock configuration."),
    "OwnershipControlsNotFoundError": (_MISSING, "The bucket has no ownership controls."),
    "ReplicationConfigurationNotFoundError": (_MISSING, "The bucket has no replication configuration."),
    "ServerSideEncryptionConfigurationNotFoundError": (_MISSING, "The bucket has no encryption configuration."),
    # The present state forbids it.
    "BucketAlreadyExists": (_CONFLICT, "The bucket name is taken; choose another one."),
    "BucketAlreadyOwnedByYou": (_CONFLICT, "The bucket exists already and is yours."),
    "BucketNotEmpty": (_CONFLICT, "The bucket still holds objects or versions."),
    "ConditionalRequestConflict": (_CONFLICT, "Another request changed the object at the same time; try again."),
    "InvalidBucketState": (_CONFLICT, "The bucket is in a state that does not allow this."),
    "InvalidObjectState": (_DENIED, "The object is in a state that does not allow this."),
    "OperationAborted": (_CONFLICT, "Another operation on the same resource is in progress; try again."),
    "PreconditionFailed": (_FAILED, "A condition of the request does not hold."),
    "NotModified": (304, "The object was not modified."),
    # The request cannot be right, whatever the state.
    "BadDigest": (_BAD, "The body does not have the checksum that was announced."),
    "BadRequest": (_BAD, "The request is not valid."),
    "EntityTooLarge": (_BAD, "The body is larger than allowed."),
    "EntityTooSmall": (_BAD, "The body, or a part that is not the last one, is smaller than allowed."),
    "IllegalLocationConstraintException": (_BAD, "The location constraint does not fit the region of this server."),
    "IllegalVersioningConfigurationException": (_BAD, "The versioning configuration is not valid."),
    "IncompleteBody": (_BAD, "The body does not have the number of bytes that was announced."),
    "InvalidArgument": (_BAD, "An argument is not valid."),
    "InvalidBucketName": (_BAD, "The bucket name is not valid."),
    "InvalidDigest": (_BAD, "The checksum in the request is not well formed."),
    "InvalidEncryptionAlgorithmError": (_BAD, "The encryption algorithm is not supported."),
    "InvalidLocationConstraint": (_BAD, "The location constraint is not valid."),
    "InvalidPart": (_BAD, "A part was not uploaded, or its ETag or checksum is another one."),
    "InvalidPartNumber": (416, "There is no part of this number."),
    "InvalidPartOrder": (_BAD, "The parts are not in ascending order of their numbers."),
    "InvalidPolicyDocument": (_BAD, "The policy document is not valid."),
    "InvalidRange": (416, "The range cannot be satisfied."),
    "InvalidRequest": (_BAD, "The request is not valid."),
    "InvalidStorageClass": (_BAD, "The storage class is not valid."),
    "InvalidTag": (_BAD, "A tag is not valid."),
    "InvalidTargetBucketForLogging": (_BAD, "The target bucket of the log cannot be used."),
    "InvalidURI": (_BAD, "The request target could not be read."),
    "KeyTooLongError": (_BAD, "The key is longer than 1024 bytes of UTF-8."),
    "MalformedACLError": (_BAD, "The access control list is not valid."),
    "MalformedPOSTRequest": (_BAD, "The body is not a well-formed multipart/form-data."),
    "MalformedPolicy": (_BAD, "The policy is not valid."),
    "MalformedTrailerError": (_BAD, "The trailer of the body is not the one that x-amz-trailer announced."),
    "MalformedXML": (_BAD, "The XML of the body is not well formed or not what this operation takes."),
    "MaxMessageLengthExceeded": (_BAD, "The request is too long."),
    "MaxPostPreDataLengthExceededError": (_BAD, "The form fields before the file are too large."),
    "MetadataTooLarge": (_BAD, "The metadata headers are larger than 2048 bytes."),
    "MethodNotAllowed": (405, "This method is not allowed on this resource."),
    "MissingAttachment": (_BAD, "A file was expected and there is none."),
    "MissingContentLength": (411, "The Content-Length header is required."),
    "MissingRequestBodyError": (_BAD, "The request has no body."),
    "NotAcceptable": (406, "No representation fits the Accept headers."),
    "RequestHeaderSectionTooLarge": (_BAD, "The header section is too large."),
    "RequestTimeout": (_BAD, "The connection was idle for too long."),
    "TooManyBuckets": (_BAD, "The account has as many buckets as it may have."),
    "UnexpectedContent": (_BAD, "This request takes no body."),
    "UnresolvableGrantByEmailAddress": (_BAD, "The e-mail address does not belong to an account."),
    "UserKeyMustBeSpecified": (_BAD, "The form has no key field."),
    # Not here, or not now.
    "InternalError": (500, "Something went wrong in the server; try again."),
    "NotImplemented": (501, "This is not implemented here."),
    "ServiceUnavailable": (503, "The server cannot take the request now; try again."),
    "SlowDown": (503, "Too many requests at once; slow down."),
}
"""S3 error code → HTTP status and the message that goes with it unless a better one is known."""


class Refusal(Exception):
    """A refused request, in the words of S3.

    ``fields`` become XML elements of the error document beside Code, Message, Resource and
    RequestId; ``headers`` are added to those of the answer. :func:`refuse` builds one, and headers
    may be set after.
    """

    def __init__(
        self,
        code: str,
        status: int,
        message: str,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.message = message
        self.fields: Mapping[str, str] = fields or {}
        self.headers: Mapping[str, str] = headers or {}


def refuse(code: str, message: str | None = None, /, **fields: str) -> Refusal:
    """The refusal of a code of :data:`TABLE`; raises KeyError for a code that is not there.

    >>> refuse("NoSuchBucket", BucketName="photos")
    Refusal('NoSuchBucket: There is no such bucket.')
    """
    status, default = TABLE[code]
    return Refusal(code, status, default if message is None else message, fields)
