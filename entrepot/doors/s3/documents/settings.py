"""The XML documents of the settings that a bucket can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from entrepot.doors.s3.documents.outgoing import Owner, document, element, owner_element

ALL_USERS: Final = "http://acs.amazonaws.com/groups/global/AllUsers"
"""The group of everybody, whether anybody knows them or not."""

GROUPS: Final = frozenset({
    ALL_USERS, "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
    "http://acs.amazonaws.com/groups/s3/LogDelivery",
})  # fmt: skip
"""The groups that S3 has."""

_INSTANCE: Final = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def access_control_policy(owner: Owner, *, public_read: bool) -> bytes:
    """GetBucketAcl and GetObjectAcl. The group stands first: it is what a reader looks for."""
    person = f"{element('ID', owner.id)}{element('DisplayName', owner.display_name)}"
    grants = [_grant("Group", element("URI", ALL_USERS), "READ")] if public_read else []
    grants.append(_grant("CanonicalUser", person, "FULL_CONTROL"))
    return document("AccessControlPolicy", owner_element(owner), "<AccessControlList>", *grants, "</AccessControlList>")


def _grant(kind: str, grantee: str, permission: str) -> str:
    return (
        f'<Grant><Grantee {_INSTANCE} xsi:type="{kind}">{grantee}</Grantee>'
        f"<Permission>{permission}</Permission></Grant>"
    )


def request_payment() -> bytes:
    """GetBucketRequestPayment."""
    return document("RequestPaymentConfiguration", element("Payer", "BucketOwner"))


def accelerate() -> bytes:
    """GetBucketAccelerateConfiguration of a bucket that never had one."""
    return document("AccelerateConfiguration")


def logging_status() -> bytes:
    """GetBucketLogging of a bucket without logging."""
    return document("BucketLoggingStatus")


def notification() -> bytes:
    """GetBucketNotificationConfiguration of a bucket that notifies nobody."""
    return document("NotificationConfiguration")


def policy_status(*, public: bool) -> bytes:
    """GetBucketPolicyStatus."""
    return document("PolicyStatus", element("IsPublic", public))


def tagging(tags: Mapping[str, str]) -> bytes:
    """GetObjectTagging and GetBucketTagging."""
    rows = [f"<Tag>{element('Key', name)}{element('Value', value)}</Tag>" for name, value in tags.items()]
    return document("Tagging", "<TagSet>", *rows, "</TagSet>")
