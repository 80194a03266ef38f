"""XML that doors write: strict escapes. What comes in is read by ``documents``."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote

PROLOG: Final = '<?xml version="1.0" encoding="UTF-8"?>\n'

_FORBIDDEN: Final = "\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff"
_SPECIAL = re.compile(f'[&<>"\r{_FORBIDDEN}]')
_UNREADABLE = re.compile(f"[{_FORBIDDEN}]")
_RESERVED = re.compile(r"[^A-Za-z0-9_.~/-]")
_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;"}
_QUOTED: Final = [quote(bytes((byte,)), safe="/") for byte in range(256)]


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
