"""The checksums of S3: which ones a request announces, which combinations there are, their text.

Words of S3 are CRC32 … SHA256 and COMPOSITE or FULL_OBJECT; names are those of
:mod:`entrepot.digests`. Requests that contradict themselves are refused as InvalidRequest, and so is a
value that no checksum of its kind could have; of the whole of an upload that is BadDigest, as it is
certain not to match.
Sources: "Checking object integrity" and PutObject, CreateMultipartUpload, CompleteMultipartUpload
of the Amazon S3 documentation.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Final

from entrepot.digests import COMBINABLE, SIZES
from entrepot.doors.s3.refusal import refuse
from entrepot.model import Checksums
from entrepot.wire.http import Headers

NAMES: Final = {"CRC32": "crc32", "CRC32C": "crc32c", "CRC64NVME": "crc64nvme", "SHA1": "sha1", "SHA256": "sha256"}
"""S3's word for an algorithm → its name here."""

WORDS: Final = {name: word for word, name in NAMES.items()}
ELEMENTS: Final = {name: f"Checksum{word}" for name, word in WORDS.items()}
"""Name → the XML element of its value."""

DEFAULT_CHECKSUM: Final = "crc64nvme"
"""Kept when the client announces none, as S3 does."""

_PREFIX: Final = "x-amz-checksum-"
_FIELDS: Final = {name: f"{_PREFIX}{name}".encode() for name in WORDS}
_SETTINGS: Final = frozenset({"mode", "algorithm", "type"})

# Algorithms that S3 took up later. They are known by name so that the refusal can say so.
_NEWER: Final = frozenset({"md5", "sha512", "xxhash64", "xxhash3", "xxhash128"})
_LIST: Final = ", ".join(NAMES)

# Only a CRC of a whole follows from those of its parts; CRC64NVME is never anything else.
_WHOLE_ONLY: Final = frozenset({"crc64nvme"})


@dataclass(frozen=True, slots=True)
class Announced:
    """A checksum that the body of a request must have; ``value`` is None when a trailer tells."""

    name: str
    value: bytes | None


@dataclass(frozen=True, slots=True)
class AnnouncedCompletion:
    """What CompleteMultipartUpload says of the whole: a checksum, of how many parts when it is a
    composite one, its type, and the size; None for what it does not say.
    """

    checksum: Announced | None = None
    parts: int | None = None
    composite: bool | None = None
    size: int | None = None


def parse_algorithm(word: str, header: str = "x-amz-checksum-algorithm") -> str:
    """The name of an algorithm from S3's word in any case. Raises the refusal InvalidRequest."""
    name = NAMES.get(word.upper())
    if name is None:
        raise _unsupported(word, header)
    return name


def encode_checksum(value: bytes, parts: int = 0) -> str:
    """Base64, and the number of parts behind it when it is a composite one."""
    text = b64encode(value).decode("ascii")
    return f"{text}-{parts}" if parts else text


def decode_checksum(name: str, text: str, code: str = "InvalidRequest") -> bytes:
    """The value in base64. Raises the refusal ``code`` when it is not one of that algorithm."""
    value = _decode(text.strip(), SIZES[name])
    if value is None:
        raise refuse(code, f"Value for {_PREFIX}{name} header is invalid.")
    return value


def _decode(text: str, size: int) -> bytes | None:
    """So many bytes from their base64, of which each value has one text; None for another."""
    try:
        value = b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if len(value) == size and b64encode(value).decode() == text else None


def parse_announced(headers: Headers) -> Announced | None:
    """The checksum that a request announces for its body, in a header or for its trailer.

    Raises the refusal InvalidRequest for more than one, for an algorithm that is not there, and
    for an x-amz-sdk-checksum-algorithm that names another one or stands alone.
    """
    sent = _sent(headers)
    trailing = _trailing(headers)
    wanted = headers.get("x-amz-sdk-checksum-algorithm")
    if len(sent) + len(trailing) > 1:
        raise refuse("InvalidRequest", "A request may carry one x-amz-checksum- header or trailer, not several.")
    if wanted is not None:
        wanted = parse_algorithm(wanted, "x-amz-sdk-checksum-algorithm")
    if not sent and not trailing:
        if wanted is not None:
            raise refuse(
                "InvalidRequest",
                "x-amz-sdk-checksum-algorithm is there, but no x-amz-checksum- header or trailer.",
            )
        return None
    name = sent[0][0] if sent else trailing[0]
    if wanted is not None and wanted != name:
        raise refuse("InvalidRequest", f"x-amz-sdk-checksum-algorithm does not fit {_PREFIX}{name}.")
    return Announced(name, decode_checksum(name, sent[0][1]) if sent else None)


def _sent(headers: Headers) -> list[tuple[str, str]]:
    """Name and value of every checksum among the headers."""
    found = []
    for raw_name, raw_value in headers.raw:
        if raw_name.startswith(b"x-amz-checksum-"):
            name = raw_name[len(_PREFIX) :].decode("latin-1")
            if name not in _SETTINGS:
                found.append((_known(name), raw_value.decode("latin-1")))
    return found


def _trailing(headers: Headers) -> list[str]:
    if "x-amz-trailer" not in headers:
        return []
    fields = [field.strip().lower() for line in headers.all("x-amz-trailer") for field in line.split(",")]
    return [_known(field[len(_PREFIX) :]) for field in fields if field.startswith(_PREFIX)]


def _known(name: str) -> str:
    if name not in WORDS:
        raise _unsupported(name, f"{_PREFIX}{name}")
    return name


def _unsupported(word: str, header: str) -> Exception:
    if word.lower() in _NEWER:
        return refuse("InvalidRequest", f"The checksum algorithm of {header} is not supported here; use {_LIST}.")
    return refuse("InvalidRequest", f"{header} does not name a checksum algorithm; use {_LIST}.")


def parse_upload_checksum(headers: Headers) -> tuple[str, bool]:
    """Algorithm and whether it is composite, as CreateMultipartUpload asks; ('', False) for none.

    SHA-1 and SHA-256 are always COMPOSITE, CRC64NVME is always FULL_OBJECT; CRC32 and CRC32C are
    COMPOSITE unless told otherwise. Raises the refusal InvalidRequest for another combination.
    """
    word = headers.get("x-amz-checksum-algorithm")
    kind = headers.get("x-amz-checksum-type")
    if word is None:
        if kind is not None:
            raise refuse("InvalidRequest", "x-amz-checksum-type needs an x-amz-checksum-algorithm beside it.")
        return "", False
    name = parse_algorithm(word)
    composite = name not in _WHOLE_ONLY if kind is None else _parse_type(kind)
    if name in _WHOLE_ONLY if composite else name not in COMBINABLE:
        raise refuse("InvalidRequest", f"The checksum type {type_word(composite=composite)} does not go with {word}.")
    return name, composite


def parse_completion(headers: Headers) -> AnnouncedCompletion:
    """What the headers of CompleteMultipartUpload say. Raises the refusals InvalidRequest and
    BadDigest.
    """
    sent = _sent(headers)
    if len(sent) > 1:
        raise refuse("InvalidRequest", "A request may carry one x-amz-checksum- header, not several.")
    kind = headers.get("x-amz-checksum-type")
    composite = None if kind is None else _parse_type(kind)
    checksum, parts = None, None
    if sent:
        name, text = sent[0]
        value, dash, count = text.strip().partition("-")
        checksum = Announced(name, decode_checksum(name, value, "BadDigest"))
        parts = _number(count, f"{_PREFIX}{name}") if dash else None
    size = headers.get("x-amz-mp-object-size")
    if parts is not None and composite is None:
        composite = True
    return AnnouncedCompletion(
        checksum, parts, composite, None if size is None else _number(size, "x-amz-mp-object-size")
    )


def _parse_type(word: str) -> bool:
    if word.upper() not in ("COMPOSITE", "FULL_OBJECT"):
        raise refuse("InvalidRequest", "x-amz-checksum-type must be COMPOSITE or FULL_OBJECT.")
    return word.upper() == "COMPOSITE"


def _number(text: str, header: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise refuse("InvalidRequest", f"{header} does not hold a number where it should.")
    return int(text)


def type_word(*, composite: bool) -> str:
    """S3's word for a checksum type."""
    return "COMPOSITE" if composite else "FULL_OBJECT"


def checksum_fields(checksums: Checksums) -> list[tuple[bytes, bytes]]:
    """The header fields that tell an object's checksums."""
    if not checksums.values:
        return []
    parts = checksums.parts if checksums.composite else 0
    fields = [
        (_FIELDS[name], encode_checksum(value, parts).encode("ascii"))
        for name, value in checksums.values.items()
        if name in _FIELDS
    ]
    if fields:
        fields.append((b"x-amz-checksum-type", type_word(composite=checksums.composite).encode("ascii")))
    return fields


def wants_checksums(headers: Headers) -> bool:
    """Whether a GET or HEAD asks for checksums (x-amz-checksum-mode)."""
    mode = headers.get("x-amz-checksum-mode")
    return mode is not None and mode.upper() == "ENABLED"


def parse_content_md5(headers: Headers) -> bytes | None:
    """The MD5 in Content-MD5. Raises the refusal InvalidDigest when it is not 16 bytes of base64."""
    text = headers.get("content-md5")
    if text is None:
        return None
    value = _decode(text.strip(), SIZES["md5"])
    if value is None:
        raise refuse("InvalidDigest", "The value of Content-MD5 is not the base64 of 16 bytes.")
    return value
