"""Who may do what: one decision, deny by default."""

from __future__ import annotations

from entrepot.errors import Denied
from entrepot.model import Bucket, Principal, Right


def check(principal: Principal, right: Right, bucket: Bucket) -> None:
    """Decide whether a principal has a right in a bucket. Raises Denied.

    The root key has every right everywhere, an account every right in the buckets it owns, a key
    what its grants say, and everybody may read a public bucket. Nothing else is allowed.
    """
    if not allowed(principal, right, bucket):
        raise Denied


def allowed(principal: Principal, right: Right, bucket: Bucket) -> bool:
    """The decision as a value."""
    if principal.root or (principal.account and principal.account == bucket.owner):
        return True
    if right is Right.READ and bucket.public_read:
        return True
    for name in (bucket.name, "*"):
        rights = principal.grants.get(name)
        if rights is not None and (right in rights or Right.ADMIN in rights):
            return True
    return False


def check_account(principal: Principal) -> None:
    """Some acts (listing and creating buckets) need somebody known. Raises Denied."""
    if principal.anonymous:
        raise Denied
