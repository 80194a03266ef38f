"""The XML documents that requests carry. Each is read strictly: an element that is not known here
could be a condition or a setting, so it is refused instead of passed over. Namespaces are free.

Raises the refusal MalformedXML for what S3's grammar does not have, MaxMessageLengthExceeded for
a document over its bound, NotImplemented for settings that S3 has and this door has not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from entrepot.doors.s3.bodies.checksums import ELEMENTS, decode_checksum
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.errors import ArgumentInvalid, TooLarge
from entrepot.model import ALWAYS, Buffer, Precondition, Versioning
from entrepot.wire.conditions import delete_condition
from entrepot.wire.xml import leaf_text, local_name, parse_document

DELETE_ENTRIES: Final = 1000
COMPLETE_PARTS: Final = 10_000

# 1,000 keys of 1,024 bytes where each byte is escaped, and 10,000 parts with a checksum each.
DELETE_BYTES: Final = 8 << 20
COMPLETE_BYTES: Final = 8 << 20
SETTING_BYTES: Final = 64 << 10

_CHECKSUMS: Final = {element: name for name, element in ELEMENTS.items()}


@dataclass(frozen=True, slots=True)
class DeleteEntry:
    key: str
    version_id: str | None = None
    condition: Precondition = ALWAYS


@dataclass(frozen=True, slots=True)
class Delete:
    """A DeleteObjects request of 1 to 1,000 entries; ``quiet`` asks to tell failures alone."""

    entries: tuple[DeleteEntry, ...]
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class CompletedPart:
    """A part as its client names it: bare etag, and raw checksums by algorithm name."""

    number: int
    etag: str
    checksums: Mapping[str, bytes] = field(default_factory=dict)


def parse_delete(body: Buffer) -> Delete:
    """The body of DeleteObjects."""
    entries: list[DeleteEntry] = []
    quiet = False
    for element in _root(body, "Delete", DELETE_BYTES):
        name = local_name(element)
        if name == "Object":
            if len(entries) == DELETE_ENTRIES:
                raise refuse("MalformedXML", f"More than {DELETE_ENTRIES} objects in one request.")
            entries.append(_delete_entry(element))
        elif name == "Quiet":
            quiet = _boolean(element)
        else:
            raise _unknown(name, "Delete")
    if not entries:
        raise refuse("MalformedXML", "There is no Object to delete.")
    return Delete(tuple(entries), quiet)


def _delete_entry(element: etree._Element) -> DeleteEntry:
    words = _words(element, _DELETE_WORDS)
    key = words.get("Key")
    if not key:
        raise refuse("MalformedXML", "An Object has no Key.")
    version_id = words.get("VersionId")
    if len(words) == 1 + (version_id is not None):
        return DeleteEntry(key, version_id or None)
    try:
        condition = delete_condition(words.get("ETag"), words.get("LastModifiedTime"), words.get("Size"))
    except ArgumentInvalid as error:
        raise refuse("MalformedXML", f"An Object is not valid: {error}.") from error
    return DeleteEntry(key, version_id or None, condition)


_DELETE_WORDS: Final = frozenset({"Key", "VersionId", "ETag", "LastModifiedTime", "Size"})


def parse_complete(body: Buffer) -> tuple[CompletedPart, ...]:
    """The body of CompleteMultipartUpload, in the order in which the client names the parts."""
    parts: list[CompletedPart] = []
    for element in _root(body, "CompleteMultipartUpload", COMPLETE_BYTES):
        if local_name(element) != "Part":
            raise _unknown(local_name(element), "CompleteMultipartUpload")
        if len(parts) == COMPLETE_PARTS:
            raise refuse("MalformedXML", f"More than {COMPLETE_PARTS} parts.")
        parts.append(_completed_part(element))
    if not parts:
        raise refuse("MalformedXML", "There is no Part to complete the upload with.")
    return tuple(parts)


def _completed_part(element: etree._Element) -> CompletedPart:
    words = _words(element, _PART_WORDS)
    number = words.pop("PartNumber", "").strip()
    etag = words.pop("ETag", "").strip().strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise refuse("MalformedXML", "A Part has no PartNumber that is a number.")
    if not etag:
        raise refuse("MalformedXML", "A Part has no ETag.")
    checksums = {_CHECKSUMS[word]: decode_checksum(_CHECKSUMS[word], text) for word, text in words.items()}
    return CompletedPart(int(number), etag, checksums)


_PART_WORDS: Final = frozenset({"PartNumber", "ETag", *_CHECKSUMS})


def parse_create_bucket(body: Buffer) -> str | None:
    """The LocationConstraint of CreateBucket; None when the body is empty or names none."""
    if not len(body):
        return None
    location = None
    for element in _root(body, "CreateBucketConfiguration", SETTING_BYTES):
        name = local_name(element)
        if name == "LocationConstraint":
            location = _text(element).strip()
        elif name in ("Location", "Bucket", "Tags"):
            raise refuse("NotImplemented", f"{name} of a new bucket is not implemented here.")
        else:
            raise _unknown(name, "CreateBucketConfiguration")
    return location or None


def parse_versioning(body: Buffer) -> Versioning:
    """The state that PutBucketVersioning asks for: ON or SUSPENDED.

    Deletion guarded by a second factor is not there: asking for it is refused, asking for it to
    be off is not. Raises the refusal IllegalVersioningConfigurationException without a Status.
    """
    words = _words(_root(body, "VersioningConfiguration", SETTING_BYTES), frozenset({"Status", "MfaDelete"}))
    guarded = words.get("MfaDelete", "Disabled").strip()
    if guarded not in ("Enabled", "Disabled"):
        raise refuse("MalformedXML", "MfaDelete must be Enabled or Disabled.")
    if guarded == "Enabled":
        raise refuse("NotImplemented", "MfaDelete is not implemented here.")
    status = words.get("Status")
    if status is None:
        raise refuse("IllegalVersioningConfigurationException", "The configuration has no Status.")
    state = {"Enabled": Versioning.ON, "Suspended": Versioning.SUSPENDED}.get(status.strip())
    if state is None:
        raise refuse("MalformedXML", "Status must be Enabled or Suspended.")
    return state


def _root(body: Buffer, name: str, limit: int) -> etree._Element:
    try:
        root = parse_document(body, limit)
    except TooLarge as error:
        raise refuse("MaxMessageLengthExceeded", f"The body may have {limit} bytes.") from error
    except ArgumentInvalid as error:
        raise refuse("MalformedXML", f"The body is refused: {error.hint}.") from error
    if local_name(root) != name:
        raise refuse("MalformedXML", f"The body must be a {name} document.")
    return root


def _words(element: etree._Element, known: frozenset[str]) -> dict[str, str]:
    """The text of each child by name; each child at most once, none unknown."""
    words: dict[str, str] = {}
    for child in element:
        name = local_name(child)
        if name not in known:
            raise _unknown(name, local_name(element))
        if name in words:
            raise refuse("MalformedXML", f"{local_name(element)} has more than one {name}.")
        words[name] = _text(child)
    return words


def _text(element: etree._Element) -> str:
    try:
        return leaf_text(element)
    except ArgumentInvalid as error:
        raise refuse("MalformedXML", f"{error}.") from error


def _boolean(element: etree._Element) -> bool:
    word = _text(element).strip().lower()
    if word not in ("true", "false"):
        raise refuse("MalformedXML", f"{local_name(element)} must be true or false.")
    return word == "true"


def _unknown(name: str, parent: str) -> Refusal:
    return refuse("MalformedXML", f"{parent} has no element {name}.")
