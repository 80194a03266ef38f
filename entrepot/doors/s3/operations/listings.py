"""The operations of S3 that list what a bucket holds."""

from __future__ import annotations

from typing import Final

from entrepot.core import Listing, Query
from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents import lists as documents
from entrepot.doors.s3.documents.outgoing import Owner
from entrepot.doors.s3.paging import decode_token, encode_token, parse_encoding, parse_limit
from entrepot.doors.s3.refusal import refuse
from entrepot.wire.http import Response

PAGE: Final = 1000
"""Keys in one answer at most."""


class Asked:
    """The parameters that every list has."""

    __slots__ = ("delimiter", "limit", "prefix", "url")

    def __init__(self, call: Call) -> None:
        param = call.param
        self.prefix = param("prefix") or ""
        self.delimiter = param("delimiter") or ""
        self.limit = parse_limit(param("max-keys"), "max-keys", most=PAGE, default=PAGE)
        self.url = parse_encoding(param("encoding-type"))

    def query(self, after: str, version: str | None = None, behind: str = "") -> Query:
        """What to look for behind ``after``. The bucket is found by name."""
        return Query(0, self.prefix, self.delimiter, after, self.limit, version, behind)

    def page(self, call: Call, found: Listing) -> documents.ObjectPage:
        """What was found, to be written down."""
        return documents.ObjectPage(
            call.bucket, found.items, found.prefixes, self.prefix, self.delimiter or None, self.limit, found.more,
            self.url,
        )  # fmt: skip


async def owners_of(call: Call, found: Listing) -> dict[str, Owner]:
    """Everybody who owns something on a page, by account."""
    accounts = {row.owner for row in found.items}
    return {account: Owner(account, await call.core.keys.display_name(account)) for account in accounts}


async def list_objects(call: Call) -> Response:
    """S3 ListObjects, version 1."""
    asked = Asked(call)
    marker = call.param("marker") or ""
    found = await call.core.objects.list(call.who, call.bucket, asked.query(marker))
    owners = await owners_of(call, found)
    next_marker = found.last if found.more and asked.delimiter else None
    return xml(documents.list_objects(
        asked.page(call, found), owners.__getitem__, marker=marker, next_marker=next_marker
    ))  # fmt: skip


async def list_objects_v2(call: Call) -> Response:
    """S3 ListObjectsV2. An empty continuation token begins at the beginning. ``start-after`` within a common prefix
    does not hide it, as a ``marker`` of version 1 does.
    """
    param = call.param
    if param("list-type") != "2":
        raise refuse("InvalidArgument", "The only list-type is 2.", ArgumentName="list-type")
    asked = Asked(call)
    token, start_after = param("continuation-token"), param("start-after")
    after = decode_token(token) if token else ""
    found = await call.core.objects.list(call.who, call.bucket, asked.query(after, behind=start_after or ""))
    wants_owner = (param("fetch-owner") or "").lower() == "true"
    owners = await owners_of(call, found) if wants_owner else None
    return xml(documents.list_objects_v2(
        asked.page(call, found), token=token, next_token=encode_token(found.last) if found.more else None,
        start_after=start_after, owner_of=owners.__getitem__ if owners is not None else None,
    ))  # fmt: skip


async def list_object_versions(call: Call) -> Response:
    """S3 ListObjectVersions."""
    asked = Asked(call)
    key = call.param("key-marker") or ""
    version = call.param("version-id-marker") or ""
    if version and not key:
        raise refuse(
            "InvalidArgument", sentence="A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker", ArgumentValue=version,
        )  # fmt: skip
    found = await call.core.objects.list_versions(call.who, call.bucket, asked.query(key, version or None))
    owners = await owners_of(call, found)
    at = documents.VersionPage(key, version, found.last if found.more else None, found.last_version)
    return xml(documents.list_versions(asked.page(call, found), at, owners.__getitem__))
