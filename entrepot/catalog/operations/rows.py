"""Rows and values: how the catalog's columns hold what ``model`` describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from entrepot.catalog.database import Row, Value
from entrepot.model import (
    NO_CHECKSUMS,
    STORAGE_CLASS,
    BlobId,
    Bucket,
    Bytes,
    Checksums,
    Listed,
    Meta,
    Version,
    Versioning,
)

_pack: Final = msgspec.msgpack.Encoder().encode
_json: Final = msgspec.json.Encoder().encode
_from_json: Final = msgspec.json.Decoder(dict[str, str]).decode
_NO_TEXT: Final[Mapping[str, str]] = {}


class _PackedChecksums(msgspec.Struct, array_like=True):
    values: dict[str, bytes]
    composite: bool
    parts: int


_unpack_checksums: Final = msgspec.msgpack.Decoder(_PackedChecksums).decode


def write_texts(values: Mapping[str, str] | None) -> str | None:
    """Texts by name as a JSON object, which SQL can ask on every engine; None for no text."""
    return _json(values if type(values) is dict else dict(values)).decode() if values else None


def read_texts(written: str | None) -> Mapping[str, str]:
    return _from_json(written) if written is not None else _NO_TEXT


def pack_checksums(checksums: Checksums) -> bytes | None:
    if not checksums.values:
        return None
    return _pack(_PackedChecksums(dict(checksums.values), checksums.composite, checksums.parts))


def unpack_checksums(packed: bytes | None) -> Checksums:
    if packed is None:
        return NO_CHECKSUMS
    found = _unpack_checksums(packed)
    return Checksums(found.values, found.composite, found.parts)


VERSIONING: Final = tuple(Versioning)
"""By number, as it stands in a row."""

BUCKET_COLUMNS: Final = "b.id, b.name, b.owner, b.store, b.versioning, b.public_read, b.created_at, b.events"


def bucket_from(row: Row) -> Bucket:
    return Bucket(row[0], row[1], row[2], row[3], VERSIONING[row[4]], bool(row[5]), row[6], bool(row[7]))


VERSION_COLUMNS: Final = (
    "v.id, v.bucket, v.key, v.version_id, v.live, v.marker, v.size, v.etag, v.hash, v.inline_id, v.blob, "
    "v.manifest, v.media_type, v.headers, v.metadata, v.checksums, v.parts, v.owner, v.created_at, v.archived_at, "
    "v.tags, v.store, v.inline_digest"
)


def version_from(row: Row, data: bytes | None = None) -> Version:
    return Version(
        row[0], row[1], row[2].decode(), row[3], bool(row[4]), bool(row[5]), row[7], row[18], row[17],
        Bytes(
            row[6], row[8], row[9], data, None if row[10] is None else BlobId(row[10]), row[11], (), 0, row[21], row[22]
        ),
        Meta(row[12], read_texts(row[13]), read_texts(row[14])), unpack_checksums(row[15]), row[16], row[19], row[20],
    )  # fmt: skip


ID_OF_VERSION: Final = (
    "coalesce((SELECT l.id FROM versions l WHERE l.bucket = :bucket AND l.key = :key AND l.live = 1 "
    "AND l.version_id = :version_id), (SELECT h.id FROM versions h WHERE h.bucket = :bucket AND h.key = :key "
    "AND h.live = 0 AND h.version_id = :version_id))"
)
"""The row of a version by its version id, NULL if there is none: of each half of the table an index finds it, as
``live`` is said in words that the indexes know.
"""

LISTED_COLUMNS: Final = (
    "v.id, v.key, v.version_id, v.live, v.marker, v.etag, v.size, v.created_at, v.owner, v.checksums, v.headers"
)


def listed_from(row: Row, *, latest: bool) -> Listed:
    checksums = unpack_checksums(row[9])
    return Listed(
        row[1].decode(), row[2], latest, bool(row[4]), row[5], row[6], row[7], row[8],
        tuple(checksums.values), checksums.composite, _storage_class(row[10]),
    )  # fmt: skip


def _storage_class(headers: str | None) -> str:
    return read_texts(headers)[STORAGE_CLASS] if headers is not None and f'"{STORAGE_CLASS}"' in headers else ""


def meta_values(meta: Meta) -> dict[str, Value]:
    """The parameters ``media_type``, ``headers`` and ``metadata``."""
    return {
        "media_type": meta.media_type, "headers": write_texts(meta.headers), "metadata": write_texts(meta.user),
    }  # fmt: skip


def key_end(prefix: bytes) -> bytes | None:
    r"""The first key behind every key with this prefix, or None when there is none.

    >>> key_end(b"a/"), key_end(b"a\xff"), key_end(b"\xff")
    (b'a0', b'b', None)
    """
    stem = prefix.rstrip(b"\xff")
    return stem[:-1] + bytes([stem[-1] + 1]) if stem else None


LAST_KEY: Final = b"\xff" * 8
"""Greater than every key, as no UTF-8 text begins with this byte."""
