"""What commands say: results on standard output, trouble on standard error."""

from __future__ import annotations

import sys
from typing import Final

from entrepot.errors import (
    BucketMissing,
    BucketNotEmpty,
    Busy,
    EntrepotError,
    KeyMissing,
    StoreFull,
    Superseded,
    Unavailable,
)

STDIO: Final = "\0"
"""Stands for ``-``, standard input or output, once the command line is read; no argument holds it."""


class Misused(Exception):
    """A command line that cannot be meant; the text says how to write it."""


UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")

ADVICE: Final[dict[type[EntrepotError], str]] = {
    BucketMissing: "entrepot ls shows the buckets that there are",
    BucketNotEmpty: "entrepot rm --recursive --versions empties it",
    KeyMissing: "entrepot key list shows those that there are",
    StoreFull: "make room, or run entrepot collect",
    Busy: "try again",
    Superseded: "try again",
    Unavailable: "entrepot doctor looks for the cause",
}
"""What to do about an error, by the nearest class, where its own text does not say."""


def say(text: str = "") -> None:
    """One line of result."""
    print(shown(text))  # noqa: T201 - this is where results are printed


def complain(text: str) -> None:
    """One line of trouble."""
    print(f"entrepot: {shown(text)}", file=sys.stderr, flush=True)  # noqa: T201 - same for trouble


def advice(error: EntrepotError) -> str:
    """An error as a person reads it: what is wrong, and what to do about it."""
    for kind in type(error).__mro__:
        if kind in ADVICE:
            return f"{error}; {ADVICE[kind]}"
    return str(error) or type(error).__name__


def shown(text: str) -> str:
    r"""Text that cannot move a terminal's cursor nor break a line: control characters as ``\xNN``.

    >>> shown("a\x1b[2J\nb")
    'a\\x1b[2J\\x0ab'
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a file's name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def size_text(size: int) -> str:
    """Bytes for people.

    >>> size_text(1536), size_text(7)
    ('1.5 KiB', '7 B')
    """
    amount, unit = float(size), "B"
    for larger in UNITS:
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"
