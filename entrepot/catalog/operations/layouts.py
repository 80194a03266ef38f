"""Operations on layouts: the parts that a version was completed from.

A layout is what clients may ask of the parts afterwards, their numbers, sizes and checksums. The
bytes of a version do not depend on it: they may have been cut anew since.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from entrepot.catalog.database import Row, Sql, Transaction, one, run
from entrepot.model import NO_CHECKSUMS, Bytes, Checksums, Part

_KEEP: Final = Sql("INSERT INTO layouts (version, packed) VALUES (:version, :packed)")
_FIND: Final = Sql("SELECT packed FROM layouts WHERE version = :version")
_DROP: Final = Sql("DELETE FROM layouts WHERE version = :version")

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(list[tuple[int, int, dict[str, bytes]]]).decode


def keep_layout(version: int, parts: Sequence[Part]) -> Transaction[None]:
    """Record the parts of a version that is being written, in order."""
    packed = _pack([(part.number, part.size, dict(part.checksums.values)) for part in parts])
    yield run(_KEEP, version=version, packed=packed)


def find_layout(version: int) -> Transaction[list[Part]]:
    """The parts of a version in order; none when it was not made of parts. They have neither etags
    nor bytes of their own.
    """
    row: Row | None = yield one(_FIND, version=version)
    if row is None:
        return []
    return [
        Part(number, "", 0, Bytes(size, b""), Checksums(values) if values else NO_CHECKSUMS)
        for number, size, values in _unpack(row[0])
    ]


def drop_layout(version: int) -> Transaction[None]:
    """The version is gone."""
    yield run(_DROP, version=version)
