"""XML documents that come in, read while they arrive.

A document is read against its shape: what does not belong ends the reading where it begins, so what a stranger sends
is neither kept nor looked at further. Expat reads it, as its names go with the parser; libxml2 keeps every name that
it ever saw. A document type is refused whatever it says, so there are no entities but the five of XML itself, and
nothing is ever fetched. Namespaces are free, and attributes are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.parsers import expat

from entrepot.errors import ArgumentInvalid, ElementUnknown, TooLarge
from entrepot.model import Buffer

MOST_TEXT: Final = 4096
"""Characters of an element's text, unless its shape says otherwise."""

MOST_TOKEN: Final = 16 * 1024
"""Bytes of a tag or comment. A token that has not ended is read anew with each piece that arrives."""

SLICE: Final = 16 * 1024
"""Bytes that are parsed without a pause."""

ELEMENT_BYTES: Final = 200
"""What an element that is kept takes in memory besides its text."""


_BEHIND_NAMESPACE: Final = "\f"
"""Stands between a namespace and a name; neither can hold it."""


@dataclass(frozen=True, slots=True)
class Text:
    """An element that holds text alone."""

    most: int = MOST_TEXT


@dataclass(frozen=True, slots=True)
class Fields:
    """An element of text elements, each there once at most."""

    members: Mapping[str, Text]


@dataclass(frozen=True, slots=True)
class Group:
    """An element of others, in any order and number."""

    members: Mapping[str, Shape]


Shape = Text | Fields | Group

Value = str | dict[str, str] | None
"""What an element comes to: text, the texts of its fields by name, or, of a group, that it has ended. What stands in a
group comes before that.
"""


class Reading:
    """One document of at most ``limit`` bytes of UTF-8 under way, whose root is called ``name``."""

    def __init__(self, name: str, shape: Shape, limit: int) -> None:
        self._limit = limit
        self._fed = 0
        self._elements = elements = _Elements(Group({name: shape}))
        self._parser = parser = expat.ParserCreate("utf-8", _BEHIND_NAMESPACE)
        parser.buffer_text = True
        parser.StartElementHandler = elements.start
        parser.EndElementHandler = elements.end
        parser.CharacterDataHandler = elements.characters
        parser.StartDoctypeDeclHandler = _refuse_doctype

    def feed(self, data: Buffer) -> list[tuple[str, Value]]:
        """Read on; returns the elements that have ended, by name: those of groups, and not the fields within them.
        Raises TooLarge, ElementUnknown, ArgumentInvalid; then it is over.
        """
        self._fed += len(data)
        if self._fed > self._limit:
            raise TooLarge("document", self._fed, self._limit)
        data = bytes(data)
        if b"\0" in data:  # or UTF-16 would be read as well
            raise ArgumentInvalid("document", None, "is not UTF-8")
        ended = self._parse(data, last=False)
        if self._fed - max(self._parser.CurrentByteIndex, 0) > MOST_TOKEN + len(data):
            raise ArgumentInvalid("document", None, f"has a tag or comment of more than {MOST_TOKEN} bytes")
        return ended

    def finish(self) -> list[tuple[str, Value]]:
        """The rest. Raises ArgumentInvalid when the document has not ended."""
        return self._parse(b"", last=True)

    def _parse(self, data: bytes, *, last: bool) -> list[tuple[str, Value]]:
        try:
            self._parser.Parse(data, last)
        except expat.ExpatError as error:
            reason = expat.ErrorString(error.code)
            raise ArgumentInvalid("document", None, f"is not well formed: {reason}") from None
        ended, self._elements.ended = self._elements.ended, []
        return ended


class _Elements:
    """What the parser calls. It knows neither the parser nor who reads, so that all go with the last of them."""

    def __init__(self, root: Group) -> None:
        self._root = root
        self._open: list[tuple[str, Shape]] = []
        self._fields: dict[str, str] = {}
        self._text: list[str] = []
        self._room = 0
        self.ended: list[tuple[str, Value]] = []

    def start(self, tag: str, attributes: object) -> None:
        name = tag.rpartition(_BEHIND_NAMESPACE)[2]
        parent, shape = self._open[-1] if self._open else ("the document", self._root)
        if isinstance(shape, Text):
            raise ArgumentInvalid("document", name, f"{parent} must hold text alone")
        found = shape.members.get(name)
        if found is None:
            raise ElementUnknown(name, parent)
        if isinstance(found, Text):
            if name in self._fields:
                raise ArgumentInvalid("document", name, f"{parent} has more than one {name}")
            self._text = []
            self._room = found.most
        self._open.append((name, found))

    def characters(self, text: str) -> None:
        name, shape = self._open[-1]
        if isinstance(shape, Text):
            self._room -= len(text)
            if self._room < 0:
                raise ArgumentInvalid("document", name, f"{name} has more than {shape.most} characters")
            self._text.append(text)
        elif not text.isspace():
            raise ArgumentInvalid("document", name, f"{name} holds elements, not text")

    def end(self, tag: str) -> None:
        name, shape = self._open.pop()
        if isinstance(shape, Text):
            text = "".join(self._text)
            if isinstance(self._open[-1][1] if self._open else self._root, Fields):
                self._fields[name] = text
            else:
                self.ended.append((name, text))
        elif isinstance(shape, Fields):
            fields, self._fields = self._fields, {}
            self.ended.append((name, fields))
        else:
            self.ended.append((name, None))


def memory_of(value: Value) -> int:
    """About the bytes that an element takes that is kept."""
    if isinstance(value, dict):
        return sum(ELEMENT_BYTES + len(text) for text in value.values())
    return ELEMENT_BYTES + len(value or "")


def _refuse_doctype(*_: object) -> None:
    raise ArgumentInvalid("document", None, "a document type is not allowed")
