"""XML that doors write and read: strict escapes, and one bounded parser for what comes in."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

from lxml import etree

from entrepot.errors import ArgumentInvalid, TooLarge
from entrepot.model import Buffer

PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_FORBIDDEN: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
_SPECIAL = re.compile(f'[&<>"\r{_FORBIDDEN}]')
_UNREADABLE = re.compile(f"[{_FORBIDDEN}]")
_RESERVED = re.compile(r"[^A-Za-z0-9_.~/-]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_QUOTED: Final = [quote(bytes((byte,)), safe="/") for byte in range(256)]
_UTF8_BOM: Final = b"\xef\xbb\xbf"


def escape(text: str) -> str:
    """Text for an element or attribute; a parser gives it back unchanged, carriage returns too.

    The characters that XML 1.0 cannot hold become numeric references: a parser that follows it
    refuses such a document instead of reading another text than was meant.
    """
    if not _SPECIAL.search(text):
        return text
    for character, entity in _ENTITIES.items():  # "&" first; a call for each occurrence would be felt in long lists
        text = text.replace(character, entity)
    return _UNREADABLE.sub(_reference, text)


def escape_readable(text: str) -> str:
    """The same for text that only people read: what XML 1.0 cannot hold becomes U+FFFD, so that
    the document as a whole can always be parsed.
    """
    return escape(_UNREADABLE.sub("\ufffd", text))


def escape_url(text: str) -> str:
    """Percent-encoded UTF-8, in which any text can travel; ``/`` stays and a space is ``%20``."""
    return "".join(map(_QUOTED.__getitem__, text.encode())) if _RESERVED.search(text) else text


def _reference(match: re.Match[str]) -> str:
    return f"&#x{ord(match[0]):X};"


def parse_document(body: Buffer, limit: int) -> etree._Element:
    """The root element of a document in UTF-8 of at most ``limit`` bytes, without comments.

    A document type is refused whatever it says, so there are no entities but the five of XML
    itself and nothing is ever fetched; elements nest at most 256 deep. Raises TooLarge and
    ArgumentInvalid.
    """
    if len(body) > limit:
        raise TooLarge("the document", len(body), limit)
    data = bytes(body).removeprefix(_UTF8_BOM)
    if b"<!DOCTYPE" in data:
        raise ArgumentInvalid("document", None, "a document type is not allowed")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        raise ArgumentInvalid("document", None, "must be UTF-8") from None
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ArgumentInvalid("document", None, f"is not well formed: {error.msg}") from None


def local_name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def leaf_text(element: etree._Element) -> str:
    """The text of an element as it is. Raises ArgumentInvalid when it holds elements."""
    if len(element):
        raise ArgumentInvalid(local_name(element), None, "must hold text alone")
    return element.text or ""
