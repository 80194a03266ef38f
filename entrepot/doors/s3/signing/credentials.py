"""What both places of a signature have in them: the credential, the list of signed headers, and what is refused."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from entrepot.doors.s3.refusal import Refusal, refuse

ALGORITHM: Final = b"AWS4-HMAC-SHA256"

ONE_PROOF: Final = (
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or "
    "the Authorization header should be specified"
)
"""What S3 says to a request that is signed in two places."""

_DAY: Final = re.compile(rb"[0-9]{8}")


def scope(credential: bytes, code: str) -> tuple[str, str, str, str]:
    """Access key, day, region and service of ``KEY/YYYYMMDD/REGION/SERVICE/aws4_request``.

    Raises the refusal ``code``.
    """
    return (_remembered_scope if len(credential) <= _REMEMBERED_BYTES else _scope)(credential, code)


def _scope(credential: bytes, code: str) -> tuple[str, str, str, str]:
    parts = credential.rsplit(b"/", 4)
    if len(parts) != 5 or not all(parts) or parts[4] != b"aws4_request" or not credential.isascii():
        raise refuse(code, "The Credential must be <access key>/YYYYMMDD/<region>/<service>/aws4_request.")
    if not _DAY.fullmatch(parts[1]):
        raise refuse(code, f"The date in the Credential is not YYYYMMDD: {shown(parts[1])!r}.")
    access_key, day, region, service, _ = credential.decode("ascii").rsplit("/", 4)
    return access_key, day, region, service


def signed_names(signed: bytes, code: str) -> frozenset[bytes]:
    """The names in a list of signed headers. Raises the refusal ``code`` for one that is not well formed."""
    names = (_remembered_names if len(signed) <= _REMEMBERED_BYTES else _names)(signed)
    if names is None:
        raise refuse(code, "SignedHeaders must name headers in lower case, sorted, each once, host among them.")
    return names


def _names(signed: bytes) -> frozenset[bytes] | None:
    names = signed.split(b";")
    wanted = frozenset(names)
    if signed != signed.lower() or names != sorted(wanted) or b"host" not in wanted or b"" in wanted:
        return None
    return wanted


# Of what anybody may send nothing long is kept.
_REMEMBERED_BYTES: Final = 256
_remembered_scope = lru_cache(maxsize=1024)(_scope)
_remembered_names = lru_cache(maxsize=256)(_names)


def shown(raw: bytes) -> str:
    """The beginning of what a client sent, fit for an answer."""
    return raw[:256].decode("ascii", "backslashreplace")


def no_version_2() -> Refusal:
    return refuse(
        "InvalidRequest",
        "Signature Version 2 is taken in the query of a presigned link and in a form at most.",
        sentence="The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
    )


def no_ecdsa() -> Refusal:
    return refuse("NotImplemented", "AWS4-ECDSA-P256-SHA256 is not implemented: sign with AWS4-HMAC-SHA256.")
