"""What names and descriptions can be, whatever the door: every write passes here before anything is done.

The bounds are those of S3, so that what one door stores every other one can show.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html and bucketnamingrules.html
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from entrepot.errors import ArgumentInvalid, KeyTooLong, NameInvalid, TooLarge
from entrepot.model import Meta

MOST_KEY: Final = 1024
"""Bytes of a key in UTF-8."""

MOST_METADATA: Final = 2048
"""Bytes of UTF-8 of all names and values of an object's free metadata together."""

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_FIELD: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def check_bucket_name(name: str) -> None:
    """The rules for new buckets, so that a name also works as a host. Raises NameInvalid."""
    hint = "3 to 63 lower-case letters, digits, dots and hyphens, beginning and ending with a letter or digit"
    if not _BUCKET.fullmatch(name) or ".." in name or ".-" in name or "-." in name:
        raise NameInvalid("bucket", name, hint)
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return
    raise NameInvalid("bucket", name, "a bucket's name must not look like an address")


def check_key(key: str) -> None:
    """A key is text of 1 to 1,024 bytes of UTF-8, whatever characters these are. Raises NameInvalid, KeyTooLong."""
    if key.isascii():
        size = len(key)
    else:
        try:
            size = len(key.encode())
        except UnicodeEncodeError:
            raise NameInvalid("key", "…", "a key that is not UTF-8 cannot be") from None
    if size > MOST_KEY:
        raise KeyTooLong(key, size, MOST_KEY)
    if not size:
        raise NameInvalid("key", key, "a key has at least one character")


def check_meta(meta: Meta) -> None:
    """Raises ArgumentInvalid for free metadata that cannot be a header's, TooLarge for more than there may be."""
    if not meta.user:
        return
    size = 0
    for name, value in meta.user.items():
        if not _FIELD.fullmatch(name):
            raise ArgumentInvalid("metadata", name, "a name must be made of the characters of a header name")
        if "\0" in value:
            raise ArgumentInvalid("metadata", name, "a value does not hold NUL")
        size += len(name) + len(value.encode())
    if size > MOST_METADATA:
        raise TooLarge("metadata", size, MOST_METADATA)
