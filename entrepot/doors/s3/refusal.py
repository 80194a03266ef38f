"""What the S3 door answers when it will not do what was asked: one table of S3's error codes.

Codes, statuses and sentences are those of the list "Error responses" in the Amazon S3 API reference, and where S3
itself answers with another sentence, that one: clients compare them. What we have to say goes behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

_BAD, _DENIED, _MISSING, _CONFLICT, _FAILED = 400, 403, 404, 409, 412

TABLE: Mapping[str, tuple[int, str]] = {
    # Identity and signature.
    "AccessDenied": (_DENIED, "Access Denied"),
    "AccessForbidden": (_DENIED, "CORSResponse: CORS is not enabled for this bucket."),
    "AuthorizationHeaderMalformed": (_BAD, "The authorization header that you provided is not valid."),
    "AuthorizationQueryParametersError": (_BAD, "The authorization query parameters that you provided are not valid."),
    "ExpiredToken": (_BAD, "The provided token has expired."),
    "InvalidAccessKeyId": (_DENIED, "The AWS Access Key Id you provided does not exist in our records."),
    "InvalidSecurity": (_DENIED, "The provided security credentials are not valid."),
    "InvalidToken": (_BAD, "The provided token is malformed or otherwise invalid."),
    "MissingSecurityHeader": (_BAD, "Your request is missing a required header."),
    "RequestExpired": (_BAD, "Request has expired."),
    "RequestTimeTooSkewed": (_DENIED, "The difference between the request time and the current time is too large."),
    "SignatureDoesNotMatch": (
        _DENIED,
        (
            "The request signature we calculated does not match the signature you provided. Check your key and "
            "signing method."
        ),
    ),
    "XAmzContentSHA256Mismatch": (_BAD, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    # Things that are not there.
    "NoSuchBucket": (_MISSING, "The specified bucket does not exist"),
    "NoSuchKey": (_MISSING, "The specified key does not exist."),
    "NoSuchVersion": (_MISSING, "The specified version does not exist."),
    "NoSuchUpload": (
        _MISSING,
        (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
            "aborted or completed."
        ),
    ),
    "NoSuchBucketPolicy": (_MISSING, "The bucket policy does not exist"),
    "NoSuchCORSConfiguration": (_MISSING, "The CORS configuration does not exist"),
    "NoSuchConfiguration": (_MISSING, "The specified configuration does not exist."),
    "NoSuchLifecycleConfiguration": (_MISSING, "The lifecycle configuration does not exist"),
    "NoSuchObjectLockConfiguration": (_MISSING, "The specified object does not have a ObjectLock configuration"),
    "NoSuchPublicAccessBlockConfiguration": (_MISSING, "The public access block configuration was not found"),
    "NoSuchTagSet": (_MISSING, "The TagSet does not exist"),
    "NoSuchTagSetError": (_MISSING, "The TagSet does not exist"),
    "NoSuchWebsiteConfiguration": (_MISSING, "The specified bucket does not have a website configuration"),
    "ObjectLockConfigurationNotFoundError": (_MISSING, "Object Lock configuration does not exist for this bucket"),
    "OwnershipControlsNotFoundError": (_MISSING, "The bucket ownership controls were not found"),
    "ReplicationConfigurationNotFoundError": (_MISSING, "The replication configuration was not found"),
    "ServerSideEncryptionConfigurationNotFoundError": (
        _MISSING,
        "The server side encryption configuration was not found",
    ),
    # The present state forbids it.
    "BucketAlreadyExists": (
        _CONFLICT,
        (
            "The requested bucket name is not available. The bucket namespace is shared by all users of the "
            "system. Please select a different name and try again."
        ),
    ),
    "BucketAlreadyOwnedByYou": (
        _CONFLICT,
        "Your previous request to create the named bucket succeeded and you already own it.",
    ),
    "BucketNotEmpty": (_CONFLICT, "The bucket you tried to delete is not empty"),
    "ConditionalRequestConflict": (
        _CONFLICT,
        "The conditional request cannot succeed due to a conflicting operation against this resource.",
    ),
    "InvalidBucketState": (_CONFLICT, "The request is not valid with the current state of the bucket."),
    "InvalidObjectState": (_DENIED, "The action is not valid for the current state of the object."),
    "OperationAborted": (
        _CONFLICT,
        "A conflicting conditional operation is currently in progress against this resource. Please try again.",
    ),
    "PreconditionFailed": (_FAILED, "At least one of the pre-conditions you specified did not hold"),
    "NotModified": (304, "Not Modified"),
    # The request cannot be right, whatever the state.
    "BadDigest": (_BAD, "The Content-MD5 you specified did not match what we received."),
    "BadRequest": (_BAD, "Bad Request"),
    "EntityTooLarge": (_BAD, "Your proposed upload exceeds the maximum allowed size"),
    "EntityTooSmall": (_BAD, "Your proposed upload is smaller than the minimum allowed size"),
    "IllegalLocationConstraintException": (
        _BAD,
        (
            "The unspecified location constraint is incompatible for the region specific endpoint this request "
            "was sent to."
        ),
    ),
    "IllegalVersioningConfigurationException": (
        _BAD,
        "The versioning configuration specified in the request is invalid.",
    ),
    "IncompleteBody": (_BAD, "You did not provide the number of bytes specified by the Content-Length HTTP header"),
    "InvalidArgument": (_BAD, "Invalid Argument"),
    "InvalidBucketAclWithObjectOwnership": (
        _BAD,
        "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
    ),
    "InvalidBucketName": (_BAD, "The specified bucket is not valid."),
    "InvalidDigest": (_BAD, "The Content-MD5 you specified is not valid."),
    "InvalidEncryptionAlgorithmError": (
        _BAD,
        "The encryption request you specified is not valid. The valid value is AES256.",
    ),
    "InvalidLocationConstraint": (_BAD, "The specified location-constraint is not valid"),
    "InvalidPart": (
        _BAD,
        (
            "One or more of the specified parts could not be found.  The part may not have been uploaded, or the "
            "specified entity tag may not match the part's entity tag."
        ),
    ),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable"),
    "InvalidPartOrder": (_BAD, "The list of parts was not in ascending order. Parts must be ordered by part number."),
    "InvalidPolicyDocument": (
        _BAD,
        "The content of the form does not meet the conditions specified in the policy document.",
    ),
    "InvalidRange": (416, "The requested range is not satisfiable"),
    "InvalidRequest": (_BAD, "Invalid Request"),
    "InvalidStorageClass": (_BAD, "The storage class you specified is not valid"),
    "InvalidTag": (_BAD, "The tag provided was not a valid tag."),
    "InvalidTargetBucketForLogging": (
        _BAD,
        (
            "The target bucket for logging does not exist, is not owned by you, or does not have the appropriate "
            "grants for the log-delivery group."
        ),
    ),
    "InvalidURI": (_BAD, "Couldn't parse the specified URI."),
    "KeyTooLongError": (_BAD, "Your key is too long"),
    "MalformedACLError": (
        _BAD,
        "The XML you provided was not well-formed or did not validate against our published schema",
    ),
    "MalformedPOSTRequest": (_BAD, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedPolicy": (_BAD, "Policies must be valid JSON and the first byte must be '{'"),
    "MalformedTrailerError": (
        _BAD,
        "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    ),
    "MalformedXML": (_BAD, "The XML you provided was not well-formed or did not validate against our published schema"),
    "MaxMessageLengthExceeded": (_BAD, "Your request was too big."),
    "MaxPostPreDataLengthExceededError": (_BAD, "Your POST request fields preceding the upload file were too large."),
    "MetadataTooLarge": (_BAD, "Your metadata headers exceed the maximum allowed metadata size"),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingAttachment": (_BAD, "A SOAP attachment was expected, but none was found."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": (_BAD, "Request Body is empty"),
    "NotAcceptable": (406, "Not Acceptable"),
    "RequestHeaderSectionTooLarge": (_BAD, "Your request header section exceeds the maximum allowed size."),
    "RequestTimeout": (
        _BAD,
        (
            "Your socket connection to the server was not read from or written to within the timeout period. "
            "Idle connections will be closed."
        ),
    ),
    "TooManyBuckets": (_BAD, "You have attempted to create more buckets than allowed"),
    "UnexpectedContent": (_BAD, "This request does not support content"),
    "UnresolvableGrantByEmailAddress": (_BAD, "The e-mail address you provided does not match any account on record"),
    "UserKeyMustBeSpecified": (
        _BAD,
        "The bucket POST must contain the specified field name. If it is specified, check the order of the fields.",
    ),
    # Not here, or not now.
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "NotImplemented": (501, "A header you provided implies functionality that is not implemented"),
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "SlowDown": (503, "Please reduce your request rate."),
}
"""S3 error code → HTTP status and the sentence that S3 says."""


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


def refuse(code: str, explanation: str | None = None, /, *, sentence: str | None = None, **fields: str) -> Refusal:
    """The refusal of a code of :data:`TABLE`; raises KeyError for a code that is not there.

    ``sentence`` is what S3 says in this very case, where it says more than the code does; ``explanation`` is ours and
    tells the reader what to change.

    >>> refuse("NoSuchBucket", BucketName="photos")
    Refusal('NoSuchBucket: The specified bucket does not exist')
    >>> refuse("AccessDenied", "The bucket is another account's.")
    Refusal("AccessDenied: Access Denied. The bucket is another account's.")
    """
    status, usual = TABLE[code]
    said = usual if sentence is None else sentence
    if explanation is not None:
        said = f"{said}{'' if said.endswith('.') else '.'} {explanation}"
    return Refusal(code, status, said, fields)
