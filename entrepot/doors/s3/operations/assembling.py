"""How S3 makes an object of parts: which parts fit, the etag of the whole, and its checksum.

Sources: CompleteMultipartUpload and "Checking object integrity" of the Amazon S3 documentation.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from entrepot.core.uploads import Assembly
from entrepot.digests import COMBINABLE, combine, composite
from entrepot.doors.s3.bodies.checksums import DEFAULT_CHECKSUM, WORDS, AnnouncedCompletion, type_word
from entrepot.doors.s3.documents.incoming import CompletedPart
from entrepot.errors import (
    ArgumentInvalid,
    DigestMismatch,
    PartInvalid,
    PartMissing,
    PartOrder,
    TooLarge,
    TooSmall,
)
from entrepot.model import Checksums, Part, Upload

LEAST_PART: Final = 5 * 1024**2
"""Bytes of every part but the last."""

OBJECT_LIMIT: Final = 5 * 1024**4
"""Bytes of an object."""


@dataclass(frozen=True, slots=True)
class Assembling:
    """A CompleteMultipartUpload: the parts that it names, and what it says of the whole."""

    named: Sequence[CompletedPart]
    said: AnnouncedCompletion

    def assemble(self, upload: Upload, parts: Sequence[Part]) -> Assembly:
        """Raises PartOrder, PartMissing, PartInvalid, TooSmall, TooLarge, DigestMismatch, ArgumentInvalid."""
        chosen = self._choose(upload, parts)
        checksums = whole_checksums(upload, chosen)
        self._check_whole(checksums, sum(part.size for part in chosen))
        # A copy of an object of one part can have the etag of one put in one piece, if somebody has kept its MD5.
        kept = [replace(part, checksums=with_md5(part)) for part in chosen]
        return Assembly(kept, multipart_etag([part.etag for part in chosen]), checksums)

    def is_same(self, upload: Upload, parts: Sequence[Part]) -> bool:
        """Whether numbers, etags and checksums are those that the upload was completed with."""
        there = {part.number: part.checksums.values for part in parts}
        return (
            [part.number for part in self.named] == [part.number for part in parts]
            and multipart_etag([part.etag for part in self.named]) == upload.etag
            and all(part.checksums.items() <= there[part.number].items() for part in self.named)
        )

    def _choose(self, upload: Upload, parts: Sequence[Part]) -> list[Part]:
        there = {part.number: part for part in parts}
        chosen: list[Part] = []
        for named in self.named:
            if chosen and named.number <= chosen[-1].number:
                raise PartOrder(named.number, "parts must be named once each, in ascending order")
            part = there.get(named.number)
            if part is None or named.etag != part.etag:
                raise PartMissing(named.number, "it was not uploaded, or its etag is another")
            for name, value in named.checksums.items():
                if part.checksums.values.get(name) != value:
                    raise PartInvalid(named.number, f"its {name} is another")
            if upload.algorithm and upload.composite and upload.algorithm not in named.checksums:
                hint = f"the {WORDS[upload.algorithm]} of each part has to be named; that of {named.number} is not"
                raise ArgumentInvalid("checksum", "", hint)
            chosen.append(part)
        for part in chosen[:-1]:
            if part.size < LEAST_PART:
                raise TooSmall(f"part {part.number}", part.size, LEAST_PART)
        return chosen

    def _check_whole(self, made: Checksums, size: int) -> None:
        said = self.said
        if said.size is not None and said.size != size:
            raise ArgumentInvalid("size", said.size, f"the parts come to {size} bytes")
        if size > OBJECT_LIMIT:
            raise TooLarge("object", size, OBJECT_LIMIT)
        if said.composite is not None and said.composite is not made.composite:
            kinds = [type_word(composite=each) for each in (said.composite, made.composite)]
            raise DigestMismatch("checksum type", *kinds)
        # One of another algorithm than the upload's says nothing that could be held against it.
        if said.checksum is None or said.checksum.value is None or said.checksum.name not in made.values:
            return
        computed = made.values[said.checksum.name]
        if computed != said.checksum.value:
            raise DigestMismatch(said.checksum.name, said.checksum.value.hex(), computed.hex())


def multipart_etag(etags: Sequence[str]) -> str:
    """The MD5 over the MD5s of the parts, and their number; '' where an etag is no MD5."""
    try:
        md5s = b"".join(bytes.fromhex(etag) for etag in etags)
    except ValueError:
        return ""
    return f"{hashlib.md5(md5s, usedforsecurity=False).hexdigest()}-{len(etags)}"


def with_md5(part: Part) -> Checksums:
    """The checksums of a part with the MD5 that its etag is among them."""
    return Checksums({**part.checksums.values, "md5": bytes.fromhex(part.etag)})


def whole_checksums(upload: Upload, parts: Sequence[Part]) -> Checksums:
    """The checksum of the whole from those of its parts."""
    name = upload.algorithm or DEFAULT_CHECKSUM
    values = [part.checksums.values[name] for part in parts]
    if (upload.algorithm and upload.composite) or name not in COMBINABLE:
        return Checksums({name: composite(name, values)}, composite=True, parts=len(parts))
    whole = combine(name, zip(values, (part.size for part in parts), strict=True))
    return Checksums({name: whole}, parts=len(parts))
