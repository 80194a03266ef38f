"""What is answered for the parts of S3 that are not here: to each its own proper code.

A client that asks whether a bucket has a policy must hear that it has none, not that the server
is broken; a client that tries to set one must hear that it cannot, not that it was done.
"""

from __future__ import annotations

from typing import Final

from entrepot.doors.s3.refusal import Refusal, refuse

NONE_SET: Final = {
    ("bucket", "cors"): "NoSuchCORSConfiguration",
    ("bucket", "encryption"): "ServerSideEncryptionConfigurationNotFoundError",
    ("bucket", "lifecycle"): "NoSuchLifecycleConfiguration",
    ("bucket", "object-lock"): "ObjectLockConfigurationNotFoundError",
    ("bucket", "ownershipControls"): "OwnershipControlsNotFoundError",
    ("bucket", "policy"): "NoSuchBucketPolicy",
    ("bucket", "policyStatus"): "NoSuchBucketPolicy",
    ("bucket", "publicAccessBlock"): "NoSuchPublicAccessBlockConfiguration",
    ("bucket", "replication"): "ReplicationConfigurationNotFoundError",
    ("bucket", "tagging"): "NoSuchTagSet",
    ("bucket", "website"): "NoSuchWebsiteConfiguration",
    ("object", "legal-hold"): "NoSuchObjectLockConfiguration",
    ("object", "retention"): "NoSuchObjectLockConfiguration",
}
"""What asking for a configuration answers where nobody can have set one."""


def absent(method: str, level: str, sub: str) -> Refusal:
    """The refusal for an operation that has no row in the table of routes."""
    code = NONE_SET.get((level, sub))
    if code is not None and method == "GET":
        return refuse(code)
    if sub:
        return refuse("NotImplemented", f"{method} of the sub-resource {sub} is not implemented here.")
    return refuse("MethodNotAllowed", f"{method} is not a method of a {level}.")
