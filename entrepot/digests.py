"""Digests by name: the ones that name content, and the ones that clients announce.

Everything here is computation over bytes; base64, hex and header names belong to the doors.
Updates over large buffers release the interpreter lock, so several digests of one body run on
several cores when each is fed from its own thread.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from typing import Final, Protocol

from awscrt import checksums as awscrt
from blake3 import blake3
from isal import isal_zlib

from entrepot.errors import ArgumentInvalid
from entrepot.model import Buffer

SIZES: Final = {
    "md5": 16,
    "sha1": 20,
    "sha256": 32,
    "sha512": 64,
    "blake3": 32,
    "crc32": 4,
    "crc32c": 4,
    "crc64nvme": 8,
}
"""Length in bytes of each digest that :func:`new_digest` knows."""

COMBINABLE: Final = frozenset({"crc32", "crc32c", "crc64nvme"})
"""Digests of which the one of a whole follows from those of its pieces."""


class Digest(Protocol):
    """A digest under way. Not safe to update from two threads at once."""

    @property
    def name(self) -> str: ...

    def update(self, data: Buffer, /) -> object: ...

    def digest(self) -> bytes:
        """The value over what came so far, big-endian for a CRC; may go on after."""
        ...

    def hexdigest(self) -> str: ...


class _CRC:
    __slots__ = ("_compute", "_value", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self._compute = _CRCS[name]
        self._value = 0

    def update(self, data: Buffer, /) -> None:
        self._value = self._compute(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(SIZES[self.name], "big")

    def hexdigest(self) -> str:
        return self.digest().hex()


_CRCS: Final[dict[str, Callable[[Buffer, int], int]]] = {
    "crc32": isal_zlib.crc32, "crc32c": awscrt.crc32c, "crc64nvme": awscrt.crc64nvme,
}  # fmt: skip

_MAKERS: Final[dict[str, Callable[[], Digest]]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "blake3": blake3,
    **{name: functools.partial(_CRC, name) for name in _CRCS},
}

_COMBINERS: Final[dict[str, Callable[[int, int, int], int]]] = {
    "crc32": awscrt.combine_crc32,
    "crc32c": awscrt.combine_crc32c,
    "crc64nvme": awscrt.combine_crc64nvme,
}


def new_digest(name: str) -> Digest:
    """An empty digest of that name. Raises ArgumentInvalid for a name not in ``SIZES``."""
    maker = _MAKERS.get(name)
    if maker is None:
        raise ArgumentInvalid("digest", name, f"must be one of {', '.join(SIZES)}")
    return maker()


def digest_of(name: str, data: Buffer) -> bytes:
    """The digest of bytes that are all there."""
    crc = _CRCS.get(name)
    if crc is not None:
        return crc(data, 0).to_bytes(SIZES[name], "big")
    digest = new_digest(name)
    digest.update(data)
    return digest.digest()


def combine(name: str, pieces: Iterable[tuple[bytes, int]]) -> bytes:
    """The digest of a whole from (digest, size in bytes) of its pieces in order.

    Reads none of the bytes and costs the same for a piece of any size. Raises ArgumentInvalid
    for a name outside ``COMBINABLE`` and for a digest of the wrong length.
    """
    combiner = _COMBINERS.get(name)
    if combiner is None:
        raise ArgumentInvalid("digest", name, f"can not be combined; {', '.join(sorted(COMBINABLE))} can")
    width = SIZES[name]
    value = 0
    for digest, size in pieces:
        if len(digest) != width:
            raise ArgumentInvalid(name, digest.hex(), f"must be {width} bytes")
        value = combiner(value, int.from_bytes(digest, "big"), size)
    return value.to_bytes(width, "big")


def composite(name: str, digests: Iterable[bytes]) -> bytes:
    """The digest of the concatenated digests of the pieces: what S3 makes of parts."""
    return digest_of(name, b"".join(digests))
