"""What commands say: results on standard output, trouble on standard error."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TextIO

from entrepot.errors import (
    ArgumentInvalid,
    BlobCorrupt,
    BlobMissing,
    BucketMissing,
    BucketNotEmpty,
    Busy,
    EntrepotError,
    JobMissing,
    KeyMissing,
    StoreFull,
    Superseded,
    Unavailable,
)

STDIO: Final = "\0"
"""Stands for ``-``, standard input or output, once the command line is read; no argument holds it."""


class Voice:
    """Whoever should read a line can let us wait, and the event loop with us. ``busy`` says that one is being
    written; once ``hushed``, as the process is told to end, none is any more.
    """

    __slots__ = ("busy", "hushed")

    def __init__(self) -> None:
        self.busy = self.hushed = False

    def print(self, text: str, file: TextIO, *, flush: bool = False) -> None:
        if self.hushed:
            return
        self.busy = True
        try:
            print(text, file=file, flush=flush)
        finally:
            self.busy = False


VOICE: Final = Voice()


class Misused(Exception):
    """A command line that cannot be meant; the text says how to write it."""


LONGEST: Final = 80
"""Characters of a value that are told back."""

UNITS: Final = ("KiB", "MiB", "GiB", "TiB", "PiB")

MENDING: Final = "entrepot check --deep tells what is missing, and putting the same bytes again mends it"

ADVICE: Final[dict[type[EntrepotError], str]] = {
    BucketMissing: "entrepot ls shows those that there are, entrepot bucket create NAME makes one",
    BlobMissing: MENDING,
    BlobCorrupt: MENDING,
    BucketNotEmpty: "entrepot rm --recursive --versions empties it",
    JobMissing: "entrepot jobs list shows those that there are",
    KeyMissing: "entrepot key list shows those that there are",
    StoreFull: "entrepot rm what is not needed, then entrepot collect --grace 0 frees it at once",
    Busy: "try again",
    Superseded: "try again",
    Unavailable: "entrepot doctor looks for the cause",
}
"""What to do about an error, by the nearest class, where its own text does not say."""


def say(text: str = "") -> None:
    """One line of result."""
    with printing():
        VOICE.print(shown(text), sys.stdout)


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """Around what writes to standard output, which has a name in an OSError then."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever reads has enough: no trouble to be told
    except OSError as error:
        raise OSError(error.errno, error.strerror, "standard output") from error


def give_up_output() -> None:
    """Whoever read our output has read enough, or it takes no more: nothing is tried again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """One line of trouble."""
    with contextlib.suppress(OSError):  # there is nowhere else to tell it
        VOICE.print(f"entrepot: {shown(text)}", sys.stderr, flush=True)


def advice(error: EntrepotError) -> str:
    """An error as a person reads it: what is wrong, and what to do about it."""
    for kind in type(error).__mro__:
        if kind in ADVICE:
            return f"{error}; {ADVICE[kind]}"
    if isinstance(error, ArgumentInvalid):
        return str(error) + _told_back(error)
    return str(error) or type(error).__name__


def _told_back(error: ArgumentInvalid) -> str:
    """The value that is refused, where the text does not have it; secrets are not in the error at all."""
    value = error.value
    if (
        value in (None, "", "…")
        or isinstance(value, Path)
        or re.search(rf"(?<![\w:.]){re.escape(str(value))}(?!\w)", str(error))
    ):
        return ""
    text = repr(value)
    return f"; it is {text if len(text) <= LONGEST else text[:LONGEST] + '…'}"


def fault(error: OSError) -> str:
    """What the operating system refused, and for which file."""
    text = error.strerror or str(error)
    return f"{error.filename}: {text}" if error.filename else text


def check_text(name: str, text: str) -> str:
    """An argument that goes into the catalog, as it is. Raises ArgumentInvalid for bytes that are no text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentInvalid(name, "…", "is not UTF-8") from None
    return text


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
