"""Heads as llhttp reads them, and what is refused of what it lets pass."""

from __future__ import annotations

from typing import Protocol

import httptools

from entrepot.wire.http import Headers, Objection


class Refused(ValueError):
    """A head that is not served: the status and the line that tell the client why."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.objection = Objection(status, text)


class RequestReader(Protocol):
    """Whom the parser tells of what it finds; more methods of httptools' are found by their names."""

    def without_offer(self, rest: bytes) -> bytes:
        """The head that was parsed last, as it would be without the field Upgrade, and the rest behind it."""


class Parser:
    """A parser that goes on behind the offer of another protocol, where the library stops and leaves out the
    body. An offer may be passed over (RFC 9110 §7.8): the request is parsed again without it, from the start, as the
    library may have seen the end of the connection in the first attempt. ``head`` tells of the present head.
    """

    def __init__(self, reader: RequestReader) -> None:
        self.head = httptools.HttpRequestParser(reader)
        self._reader = reader

    def feed_data(self, data: bytes) -> None:
        """Raises Refused."""
        while True:
            try:
                self.head.feed_data(data)
                return
            except httptools.HttpParserUpgrade as offer:
                data = self._reader.without_offer(data[offer.args[0] :])
                self.head = httptools.HttpRequestParser(self._reader)
            except httptools.HttpParserCallbackError as error:
                if isinstance(error.__context__, Refused):
                    raise error.__context__ from None
                raise
            except httptools.HttpParserError as error:
                raise Refused(400, "this is not HTTP/1.1") from error


def check_version(version: str, headers: Headers) -> None:
    """Raises Refused for what is not HTTP/1.1 with a host (RFC 9112 §3.2), nor HTTP/1.0 without a transfer
    coding: that has none (RFC 9112 §6.1), so what stands between may frame it otherwise.
    """
    if version == "1.1":
        if headers.raw_get(b"host") is None:
            raise Refused(400, "a request names its host")
    elif version != "1.0" or headers.raw_get(b"transfer-encoding") is not None:
        raise Refused(400, f"HTTP/{version} is not understood here")


def split_target(target: bytes, fields: list[tuple[bytes, bytes]], method: str) -> tuple[bytes, bytes]:
    """Raw path and query of a request's target, in origin-form or absolute-form (RFC 9112 §3.2); the ``*`` of OPTIONS
    is a path of its own.

    Raises Refused for other forms, for bytes that are not ASCII, and for a target of another host
    than the field says.
    """
    if not target.isascii():
        raise Refused(400, "the target of a request is made of ASCII characters")
    if target[:1] != b"/" and not (target == b"*" and method == "OPTIONS"):
        target = _origin_form(target, fields)
    path, _, query = target.partition(b"?")
    return path, query


def _origin_form(target: bytes, fields: list[tuple[bytes, bytes]]) -> bytes:
    scheme, _, rest = target.partition(b"://")
    host, _, path = rest.partition(b"/")
    if scheme.lower() not in (b"http", b"https") or not host or b"?" in host:
        raise Refused(400, "the target of a request begins with a slash")
    if any(name == b"host" and value.lower() != host.lower() for name, value in fields):
        raise Refused(400, "the target and Host name different hosts")
    return b"/" + path
