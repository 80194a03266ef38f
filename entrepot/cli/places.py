"""Telling objects from files on the command line."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from entrepot.cli.words import STDIO, Misused, check_text
from entrepot.core.names import check_key

SCHEME: Final = "ep:"


@dataclass(frozen=True, slots=True)
class Remote:
    """A key, a prefix or a whole bucket."""

    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket

    @property
    def folder(self) -> bool:
        """Whether it can only be meant as something that holds objects."""
        return not self.key or self.key.endswith("/")

    @property
    def prefix(self) -> str:
        """What keys below it begin with."""
        return self.key if self.folder else f"{self.key}/"

    def named(self, name: str) -> Remote:
        """The object of that name below a folder; an object is itself."""
        return Remote(self.bucket, self.key + name) if self.folder else self

    def below(self, path: str) -> Remote:
        """The object at a path below it, folder or not."""
        return Remote(self.bucket, self.prefix + path)


def parse_remote(text: str) -> Remote:
    """``bucket``, ``bucket/key`` or the same behind ``ep:``. Raises Misused, NameInvalid."""
    bucket, _, key = text.removeprefix(SCHEME).partition("/")
    if not bucket or text == STDIO or ":" in bucket:
        raise Misused(f"{text.replace(STDIO, '-')!r} is not of the form bucket/key")
    if key:
        check_key(key)
    return Remote(check_text("bucket", bucket), key)


def parse_object(text: str) -> Remote:
    """The same, where one object is meant. Raises Misused, NameInvalid."""
    remote = parse_remote(text)
    if not remote.key:
        raise Misused(f"{text!r} names a bucket, not an object: add /key, or --recursive for all that is in it")
    return remote


def is_remote(text: str) -> bool:
    """Whether an argument that may be either is an object."""
    return text.startswith(SCHEME)
