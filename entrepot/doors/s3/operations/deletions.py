"""S3 DeleteObjects: many keys in one request, each with a fate of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from entrepot.doors.s3.answers import xml
from entrepot.doors.s3.calls import Call
from entrepot.doors.s3.documents import outgoing as documents
from entrepot.doors.s3.documents.incoming import DeleteDocument, DeleteEntry
from entrepot.doors.s3.documents.outgoing import DeletedEntry, KeptEntry
from entrepot.doors.s3.faults import refusal_of
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.errors import EntrepotError
from entrepot.wire.http import Headers, Response

AT_ONCE: Final = 64
"""Entries that are deleted in one go, without a pause of the event loop: some milliseconds."""


async def delete_objects(call: Call) -> Response:
    """S3 DeleteObjects.

    Some entries at a time are deleted at once, so that one commit makes them durable, and others have their
    turn between; each is decided by itself. When the caller is cancelled, some may be gone.
    """
    if not _digested(call.request.headers):
        raise refuse("InvalidRequest", "DeleteObjects needs a Content-MD5 or an x-amz-checksum-… header.")
    asked = await call.document(DeleteDocument())
    outcomes: list[DeletedEntry | KeptEntry] = []
    for start in range(0, len(asked.entries), AT_ONCE):
        some = asked.entries[start : start + AT_ONCE]
        outcomes += await asyncio.gather(*(_delete(call, entry) for entry in some))
    return xml(documents.delete_objects(outcomes, quiet=asked.quiet))


def _digested(headers: Headers) -> bool:
    """Whether a request says what its body comes to."""
    return any(
        name in (b"content-md5", b"x-amz-trailer") or name.startswith(b"x-amz-checksum-") for name, _ in headers.raw
    )


async def _delete(call: Call, entry: DeleteEntry) -> DeletedEntry | KeptEntry:
    try:
        done = await call.core.objects.delete(call.who, call.bucket, entry.key, entry.version_id, entry.condition)
    except Refusal as refusal:
        return KeptEntry(entry.key, entry.version_id, refusal.code, refusal.message)
    except EntrepotError as error:
        told = refusal_of(error)
        return KeptEntry(entry.key, entry.version_id, told.code, told.message)
    return DeletedEntry(entry.key, entry.version_id, done.marker, done.version_id if done.marker else None)
