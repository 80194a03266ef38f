"""The XML documents that requests carry. Each is read strictly: an element that is not known here could be a
condition or a setting, so it is refused instead of passed over. Namespaces are free.

Reading one raises the refusal MalformedXML for what S3's grammar does not have, MaxMessageLengthExceeded for a
document over its bound, NotImplemented for settings that S3 has and this door has not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Generic, TypeVar

from entrepot.doors.s3.bodies.checksums import ELEMENTS, decode_checksum
from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.errors import ArgumentInvalid, ElementUnknown, TooLarge
from entrepot.model import ALWAYS, Buffer, Precondition, Versioning
from entrepot.wire.conditions import delete_condition
from entrepot.wire.documents import Fields, Group, Reading, Shape, Text, Value, memory_of

T = TypeVar("T")

DELETE_ENTRIES: Final = 1000
COMPLETE_PARTS: Final = 10_000

# 1,000 keys of 1,024 bytes where each byte is escaped, and 10,000 parts with a checksum each.
DELETE_BYTES: Final = 8 << 20
COMPLETE_BYTES: Final = 8 << 20
SETTING_BYTES: Final = 64 << 10

_CHECKSUMS: Final = {element: name for name, element in ELEMENTS.items()}


class Document(ABC, Generic[T]):
    """One document on its way in: fed as it arrives, ``kept`` in about so many bytes of memory."""

    name: ClassVar[str]
    shape: ClassVar[Shape]
    limit: ClassVar[int] = SETTING_BYTES

    def __init__(self) -> None:
        self._reading = Reading(self.name, self.shape, self.limit)
        self.empty = True
        self.kept = 0

    def feed(self, data: Buffer) -> None:
        """Raises Refusal."""
        self.empty = self.empty and not data
        try:
            ended = self._reading.feed(data)
        except (ArgumentInvalid, TooLarge) as error:
            raise self._refusal(error) from error
        for name, value in ended:
            self.kept += memory_of(value)
            self.take(name, value)

    def finish(self) -> T:
        """What the document comes to. Raises Refusal."""
        try:
            ended = self._reading.finish()
        except ArgumentInvalid as error:
            raise self._refusal(error) from error
        for name, value in ended:
            self.take(name, value)
        return self.result()

    def _refusal(self, error: ArgumentInvalid | TooLarge) -> Refusal:
        if isinstance(error, TooLarge):
            return refuse("MaxMessageLengthExceeded", f"The body may have {self.limit} bytes.")
        if isinstance(error, ElementUnknown):
            return self.unknown(str(error.value), error.parent)
        return refuse("MalformedXML", f"The body is refused: {error.hint}.")

    def unknown(self, name: str, parent: str) -> Refusal:
        """The refusal of an element that the shape does not have."""
        return refuse("MalformedXML", f"The body is refused: {parent} has no element {name}.")

    @abstractmethod
    def take(self, name: str, value: Value) -> None:
        """Take an element that has ended. Raises Refusal."""

    @abstractmethod
    def result(self) -> T:
        """What has been taken, when all has come. Raises Refusal."""


def _fields(*names: str) -> Fields:
    return Fields(dict.fromkeys(names, Text()))


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


class DeleteDocument(Document[Delete]):
    """The body of DeleteObjects."""

    name = "Delete"
    shape = Group({"Object": _fields("Key", "VersionId", "ETag", "LastModifiedTime", "Size"), "Quiet": Text()})
    limit = DELETE_BYTES

    def __init__(self) -> None:
        super().__init__()
        self._entries: list[DeleteEntry] = []
        self._quiet = False

    def take(self, name: str, value: Value) -> None:
        if isinstance(value, dict):
            if len(self._entries) == DELETE_ENTRIES:
                raise refuse("MalformedXML", f"More than {DELETE_ENTRIES} objects in one request.")
            self._entries.append(_delete_entry(value))
        elif value is not None:
            self._quiet = _boolean(name, value)

    def result(self) -> Delete:
        if not self._entries:
            raise refuse("MalformedXML", "There is no Object to delete.")
        return Delete(tuple(self._entries), self._quiet)


def _delete_entry(words: Mapping[str, str]) -> DeleteEntry:
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


class CompleteDocument(Document[tuple[CompletedPart, ...]]):
    """The body of CompleteMultipartUpload: the parts in the order in which the client names them."""

    name = "CompleteMultipartUpload"
    shape = Group({"Part": _fields("PartNumber", "ETag", *_CHECKSUMS)})
    limit = COMPLETE_BYTES

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[CompletedPart] = []

    def take(self, name: str, value: Value) -> None:
        if isinstance(value, dict):
            if len(self._parts) == COMPLETE_PARTS:
                raise refuse("MalformedXML", f"More than {COMPLETE_PARTS} parts.")
            self._parts.append(_completed_part(value))

    def result(self) -> tuple[CompletedPart, ...]:
        if not self._parts:
            raise refuse("MalformedXML", "There is no Part to complete the upload with.")
        return tuple(self._parts)


def _completed_part(words: dict[str, str]) -> CompletedPart:
    number = words.pop("PartNumber", "").strip()
    etag = words.pop("ETag", "").strip().strip('"')
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise refuse("MalformedXML", "A Part has no PartNumber that is a number.")
    if not etag:
        raise refuse("MalformedXML", "A Part has no ETag.")
    checksums = {_CHECKSUMS[word]: decode_checksum(_CHECKSUMS[word], text) for word, text in words.items()}
    return CompletedPart(int(number), etag, checksums)


class CreateBucketDocument(Document[str | None]):
    """The LocationConstraint of CreateBucket; None when the body is empty or names none."""

    name = "CreateBucketConfiguration"
    shape = Group({"LocationConstraint": Text()})

    def __init__(self) -> None:
        super().__init__()
        self._location = ""

    def unknown(self, name: str, parent: str) -> Refusal:
        if name in ("Location", "Bucket", "Tags"):
            return refuse("NotImplemented", f"{name} of a new bucket is not implemented here.")
        return super().unknown(name, parent)

    def take(self, name: str, value: Value) -> None:
        if isinstance(value, str):
            self._location = value.strip()

    def finish(self) -> str | None:
        return None if self.empty else super().finish()

    def result(self) -> str | None:
        return self._location or None


class VersioningDocument(Document[Versioning]):
    """The state that PutBucketVersioning asks for: ON or SUSPENDED.

    Deletion guarded by a second factor is not there: asking for it is refused, asking for it to be off is not. Raises
    the refusal IllegalVersioningConfigurationException without a Status.
    """

    name = "VersioningConfiguration"
    shape = _fields("Status", "MfaDelete")

    def __init__(self) -> None:
        super().__init__()
        self._words: dict[str, str] = {}

    def take(self, name: str, value: Value) -> None:
        if isinstance(value, dict):
            self._words = value

    def result(self) -> Versioning:
        guarded = self._words.get("MfaDelete", "Disabled").strip()
        if guarded not in ("Enabled", "Disabled"):
            raise refuse("MalformedXML", "MfaDelete must be Enabled or Disabled.")
        if guarded == "Enabled":
            raise refuse("NotImplemented", "MfaDelete is not implemented here.")
        status = self._words.get("Status")
        if status is None:
            raise refuse("IllegalVersioningConfigurationException", "The configuration has no Status.")
        state = {"Enabled": Versioning.ON, "Suspended": Versioning.SUSPENDED}.get(status.strip())
        if state is None:
            raise refuse("MalformedXML", "Status must be Enabled or Suspended.")
        return state


class NoDocument(Document[None]):
    """The body of a request that says all in its head: there is none."""

    name = "none"
    shape = Group({})

    def feed(self, data: Buffer) -> None:
        if data:
            raise refuse("UnexpectedContent", "What is asked for stands in the header or in the body, not in both.")

    def finish(self) -> None:
        return None

    def take(self, name: str, value: Value) -> None:
        raise NotImplementedError("the shape has no element, so nothing is ever read")

    def result(self) -> None:
        return None


def _boolean(name: str, text: str) -> bool:
    word = text.strip().lower()
    if word not in ("true", "false"):
        raise refuse("MalformedXML", f"{name} must be true or false.")
    return word == "true"
