"""The policy of a form: who signed it, up to when it is good, and what the form may hold.

Pure: no clock and no look-ups. As with a request, :func:`parse_proof` reads who signed what, by their own word, and
:func:`check_proof` proves it; only then is the policy itself read. All raise
:class:`~entrepot.doors.s3.refusal.Refusal`.
Sources: "Creating a POST policy" (Signature Version 4) and "Browser-based uploads using POST (AWS Signature Version
2)" of the Amazon S3 documentation.
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.doors.s3.signing import timestamps
from entrepot.doors.s3.signing.credentials import ALGORITHM, scope
from entrepot.doors.s3.signing.signature import SKEW, mismatch, sign, signing_key

_VERSION_2: Final = ("awsaccesskeyid", "signature")
_VERSION_4: Final = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")

PROOF: Final = frozenset({"policy", *_VERSION_2, *_VERSION_4})
"""Fields that the policy need not name."""

# What a checksum says can only make an upload fail.
_FREE: Final = ("x-ignore-", "x-amz-checksum-")

_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z")

LARGEST: Final = 5 * 1024**3
"""Bytes of the file where the policy says nothing."""


@dataclass(frozen=True, slots=True)
class Proof:
    """What a form says of its signature. Nothing in it is proven before :func:`check_proof`."""

    access_key: str
    policy: bytes
    """As it was sent, which is what was signed."""
    signature: bytes
    credential: tuple[str, str, str] | None
    """Day, region and service of Version 4, None in Version 2."""
    time: int = 0
    """When it was signed, in epoch seconds; 0 in Version 2, which does not say."""


@dataclass(frozen=True, slots=True)
class Clause:
    field: str
    value: str
    prefix: bool

    def holds(self, value: str) -> bool:
        return value.startswith(self.value) if self.prefix else value == self.value

    def __str__(self) -> str:
        return json.dumps(["starts-with" if self.prefix else "eq", f"${self.field}", self.value])


@dataclass(frozen=True, slots=True)
class Policy:
    """``expiration`` is in epoch seconds; the file has ``least`` to ``most`` bytes."""

    expiration: float
    conditions: tuple[Clause, ...]
    least: int
    most: int

    def check(self, fields: Mapping[str, str], bucket: str, now: float) -> None:
        """Hold a form for a bucket against the policy; ``now`` is in epoch seconds. Raises the refusal AccessDenied."""
        if now > self.expiration:
            raise _denied("Policy expired.")
        values = {**fields, "bucket": bucket}
        for condition in self.conditions:
            if not condition.holds(values.get(condition.field, "")):
                raise _denied(f"Policy Condition failed: {str(condition)[:1024]}")
        named = {condition.field for condition in self.conditions}
        extra = sorted(name for name in values.keys() - named - PROOF if not name.startswith(_FREE))
        if extra:
            raise _denied(f"Extra input fields: {', '.join(extra)[:1024]}")


def parse_proof(fields: Mapping[str, str]) -> Proof | None:
    """What a form says of its signature; None for one that is not signed. Raises the refusals InvalidArgument for a
    field that is missing or malformed, InvalidRequest for one that is signed twice.
    """
    first, later = (any(name in fields for name in names) for names in (_VERSION_2, _VERSION_4))
    if not first and not later and "policy" not in fields:
        return None
    if first and later:
        raise refuse("InvalidRequest", "A form is signed with Version 2 or Version 4, not with both.")
    for name in ("policy", *(_VERSION_4 if later else _VERSION_2)):
        if not fields.get(name):
            raise _argument(name, "", f"Bucket POST must contain a field named '{name}'.")
    policy = fields["policy"].encode()
    if first:
        return Proof(fields["awsaccesskeyid"], policy, fields["signature"].encode(), None)
    if fields["x-amz-algorithm"].encode() != ALGORITHM:
        raise _argument("x-amz-algorithm", fields["x-amz-algorithm"], "Only AWS4-HMAC-SHA256 is supported.")
    access_key, *credential = scope(fields["x-amz-credential"].encode(), "InvalidArgument")
    stamp = fields["x-amz-date"]
    try:
        time = timestamps.parse_basic(stamp.encode())
    except ValueError:
        raise _argument("x-amz-date", stamp, "x-amz-date must be of the form YYYYMMDD'T'HHMMSS'Z'.") from None
    day, region, service = credential
    if stamp[:8] != day:
        raise _argument("x-amz-date", stamp, "The date of the credential is not that of x-amz-date.")
    return Proof(access_key, policy, fields["x-amz-signature"].encode(), (day, region, service), time)


def check_proof(said: Proof, secret: str, now: float, region: str) -> None:
    """Prove it with the secret of its access key; ``now`` is in epoch seconds, ``region`` what a credential must be
    for. Raises Refusal.
    """
    if said.credential is None:
        right = b64encode(hmac.digest(secret.encode(), said.policy, "sha1"))
    else:
        if said.credential[1:] != (region, "s3"):
            raise refuse("InvalidArgument", f"The credential must be for s3 in {region}.", Region=region)
        if said.time > now + SKEW:
            raise _denied("Policy is not valid yet.")
        right = sign(signing_key(secret, *said.credential), said.policy)
    if not hmac.compare_digest(right, said.signature):
        raise mismatch(said.access_key, said.signature, said.policy)


def parse_policy(encoded: bytes) -> Policy:
    """The policy in its base64. Raises the refusal InvalidPolicyDocument."""
    try:
        document = json.loads(b64decode(encoded))
    except (ValueError, RecursionError):
        raise _invalid("Invalid JSON.") from None
    if not isinstance(document, dict):
        raise _invalid("It is not an object.")
    conditions: list[Clause] = []
    least, most = 0, LARGEST
    for each in _list(document.get("conditions")):
        if isinstance(each, list) and each and _word(each[0]) == "content-length-range":
            low, high = _range(each)
            least, most = max(least, low), min(most, high)
        else:
            conditions.extend(_conditions(each))
    return Policy(_expiration(document.get("expiration")), tuple(conditions), least, most)


def _list(found: object) -> list[object]:
    if not isinstance(found, list):
        raise _invalid("It has no list of conditions.")
    return found


def _conditions(each: object) -> list[Clause]:
    match each:
        case dict() if each and all(isinstance(value, str) for value in each.values()):
            return [Clause(name.lower(), value, prefix=False) for name, value in each.items()]
        case [str() as operator, str() as name, str() as value] if name.startswith("$") and (
            operator.lower() in ("eq", "starts-with")
        ):
            return [Clause(name[1:].lower(), value, prefix=operator.lower() == "starts-with")]
    raise _invalid(f"Invalid condition: {json.dumps(each)[:256]}")


def _range(each: list[object]) -> tuple[int, int]:
    match each:
        case [_, int() as low, int() as high] if low >= 0 and high >= 0:
            return low, high
    raise _invalid("A content-length-range has a least and a greatest number of bytes.")


def _word(found: object) -> str:
    return found.lower() if isinstance(found, str) else ""


def _expiration(found: object) -> float:
    """Epoch seconds of ``2007-12-01T12:00:00.000Z``."""
    try:
        if isinstance(found, str) and _TIME.fullmatch(found):
            return datetime.fromisoformat(found).timestamp()
    except ValueError:
        pass
    raise _invalid("Its expiration is not a time in ISO 8601, such as 2007-12-01T12:00:00.000Z.")


def _invalid(why: str) -> Refusal:
    return refuse("InvalidPolicyDocument", sentence=f"Invalid Policy: {why}")


def _denied(why: str) -> Refusal:
    return refuse("AccessDenied", sentence=f"Invalid according to Policy: {why}")


def _argument(name: str, value: str, why: str) -> Refusal:
    return refuse("InvalidArgument", sentence=why, ArgumentName=name, ArgumentValue=value[:256])
