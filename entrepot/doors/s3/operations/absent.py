"""What is answered for the parts of S3 that are not here: to each its own proper code.

A client that asks whether a bucket has a policy must hear that it has none, not that the server
is broken; a client that tries to set one must hear that it cannot, not that it was done. Who asks
is checked first, and so is the bucket or object that it is about.
"""

from __future__ import annotations

from typing import Final

from entrepot.core.access import Action
from entrepot.doors.s3.calls import Call, Operation
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.model import Bucket, Versioning
from entrepot.wire.http import Headers, Response

NONE_SET: Final = {
    ("bucket", "cors"): "NoSuchCORSConfiguration",
    ("bucket", "encryption"): "ServerSideEncryptionConfigurationNotFoundError",
    ("bucket", "lifecycle"): "NoSuchLifecycleConfiguration",
    ("bucket", "object-lock"): "ObjectLockConfigurationNotFoundError",
    ("bucket", "ownershipControls"): "OwnershipControlsNotFoundError",
    ("bucket", "policy"): "NoSuchBucketPolicy",
    ("bucket", "publicAccessBlock"): "NoSuchPublicAccessBlockConfiguration",
    ("bucket", "replication"): "ReplicationConfigurationNotFoundError",
    ("bucket", "website"): "NoSuchWebsiteConfiguration",
}
"""What asking for a configuration answers where nobody can have set one."""

NUMBERED: Final = frozenset({"analytics", "intelligent-tiering", "inventory", "metrics"})
"""Settings of which a bucket can have many, each with an id."""

LOCKS: Final = frozenset({"legal-hold", "retention"})
"""What only an object in a bucket with object lock can have."""

_READS: Final = ("GET", "HEAD")

ABSENT: Final = "Absent"
"""What all of these are counted as: strangers choose among thousands, and counters are kept for ever."""

METHODS: Final = {
    "service": frozenset({"GET"}),
    "bucket": frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"}),
    "object": frozenset({"GET", "HEAD", "PUT", "POST", "DELETE"}),
}
"""The methods that S3 knows at each level."""


def absent(method: str, level: str, sub: str) -> Operation:
    """The operation of what has no row in the table of routes."""

    async def answer(call: Call) -> Response:
        call.request.note["asked"] = f"{method}.{level}.{sub}"
        if level == "bucket":
            return await _bucket(call, sub)
        if level == "service":
            raise _unknown(method, level, sub)
        return await _object(call, sub)

    reads, writes = (
        (Action.BUCKET_READ, Action.BUCKET_ADMIN) if level == "bucket" else (Action.OBJECT_READ, Action.OBJECT_WRITE)
    )
    return Operation(ABSENT, answer, reads if method in _READS else writes)


async def _bucket(call: Call, sub: str) -> Response:
    method = call.request.method
    found = await call.enter()
    code = NONE_SET.get(("bucket", sub))
    if method == "GET" and (code or (sub in NUMBERED and call.param("id"))):
        raise refuse(code or "NoSuchConfiguration")
    if method == "DELETE" and code and sub != "object-lock":
        return Response(204)  # it is as the client wants it
    if method == "PUT" and sub == "object-lock":
        raise _object_lock(found)
    raise _unknown(method, "bucket", sub)


def _object_lock(found: Bucket) -> Refusal:
    if found.versioning is not Versioning.ON:
        return refuse("InvalidBucketState", "Object lock needs a bucket that keeps versions.")
    return refuse("NotImplemented", "Object lock is not implemented here.")


async def _object(call: Call, sub: str) -> Response:
    method = call.request.method
    await call.enter()
    if sub in LOCKS and method in ("GET", "PUT"):
        await call.core.objects.open(call.who, call.bucket, call.key, call.version_id(), action=call.action)
        raise refuse("InvalidRequest", "The bucket has no object lock configuration.")
    raise _unknown(method, "object", sub)


def preflight(headers: Headers) -> Refusal:
    """What a browser is told that asks before it asks (CORS). It cannot sign, so nobody is known."""
    if "origin" not in headers:
        return refuse("BadRequest", sentence="Insufficient information. Origin request header needed.")
    return refuse("AccessForbidden")


def _unknown(method: str, level: str, sub: str) -> Refusal:
    if method not in METHODS[level]:
        return refuse("MethodNotAllowed", f"{method} is not a method of a {level}.")
    if sub:
        return refuse("NotImplemented", f"{method} of the sub-resource {sub} is not implemented here.")
    return refuse("NotImplemented", f"{method} of a {level} is not implemented here.")
