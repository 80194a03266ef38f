"""The form that a browser posts (multipart/form-data, RFC 7578): its fields, and the file behind them.

A streaming parser without I/O. Fields stand in front of the file; what stands behind it is passed over. The grammar
is that of ``python-multipart``; the bounds are those of S3's "POST Object" (Amazon S3 API reference).
"""

from __future__ import annotations

import logging
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from entrepot.doors.s3.refusal import Refusal, refuse
from entrepot.model import Buffer
from entrepot.wire.http import Headers

MOST_BEFORE: Final = 20 * 1024
"""Bytes in front of the content of the file."""

FILE: Final = "file"

# The parser writes a line for every form that it cannot read, and strangers send as many as they like.
_SILENT: Final = logging.getLogger(__name__)
_SILENT.setLevel(logging.CRITICAL + 1)


def boundary_of(headers: Headers) -> bytes:
    """The boundary of a form. Raises the refusals PreconditionFailed for another body, and MalformedPOSTRequest."""
    kind, options = parse_options_header(headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise refuse("PreconditionFailed", Condition="Bucket POST must be of the enclosure-type multipart/form-data")
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:  # RFC 2046 §5.1.1
        raise _malformed("The boundary of a form has 1 to 70 characters.")
    return boundary


class Form:
    """One form under way. Each field stands in ``fields`` once, by its name in lower case."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.filename = ""
        self.opened = False
        """Whether the content of the file has begun: there are no more fields."""
        self.ended = False
        """Whether it has ended."""
        self._fed = 0
        self._name = ""
        self._header = b""
        self._value = b""
        self._disposition: bytes | None = None
        self._content: list[bytes] = []
        self._parser = MultipartParser(boundary, {
            "on_part_begin": self._begin, "on_part_data": self._data, "on_part_end": self._end,
            "on_header_field": self._header_name, "on_header_value": self._header_value,
            "on_header_end": self._header_end, "on_headers_finished": self._open,
        })  # fmt: skip
        self._parser.logger = _SILENT

    def feed(self, data: Buffer) -> list[bytes]:
        """Read on; returns what came of the content of the file. Raises the refusals MalformedPOSTRequest and
        MaxPostPreDataLengthExceededError; then it is over.
        """
        data = bytes(data)
        if not self.opened:
            room = MOST_BEFORE - self._fed
            self._fed += len(data)
            self._parse(data[:room])
            data = data[room:]
            if data and not self.opened:
                raise refuse("MaxPostPreDataLengthExceededError", MaxPostPreDataLengthBytes=str(MOST_BEFORE))
        if data and not self.ended:
            self._parse(data)
        content, self._content = self._content, []
        return content

    def finish(self) -> None:
        """The body has ended. Raises the refusals InvalidArgument without a file, and MalformedPOSTRequest for one
        that broke off.
        """
        if self.ended:
            return
        if self.opened or not self._fed:
            raise _malformed("It ended before its last boundary.")
        raise refuse(
            "InvalidArgument", sentence="POST requires exactly one file upload per request.",
            ArgumentName=FILE, ArgumentValue="0",
        )  # fmt: skip

    def _parse(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError as error:
            if self.ended:
                return  # what stands behind the file is nothing to us
            raise _malformed("It is not a form.") from error

    # --- What the parser calls; nothing more matters once the file has ended

    def _begin(self) -> None:
        self._disposition = None
        self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        if self._header.lower() == b"content-disposition" and not self.ended:
            if self._disposition is not None:
                raise _malformed("A field has one Content-Disposition.")
            self._disposition = self._value
        self._header = self._value = b""

    def _open(self) -> None:
        if self.ended:
            return
        kind, options = parse_options_header((self._disposition or b"").decode("latin-1"))
        if kind != b"form-data" or not options.get(b"name"):
            raise _malformed("Each field is form-data and has a name.")
        self._name = _text(options[b"name"]).lower()
        if self._name in self.fields:
            raise _malformed(f"The field {self._name[:256]} is there more than once.")
        self.opened = self._name == FILE
        if self.opened:
            self.filename = _text(options.get(b"filename", b""))

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self.ended:
            return
        if self.opened:
            self._content.append(data[start:end])
        else:
            self._value += data[start:end]

    def _end(self) -> None:
        if self.opened:
            self.ended = True
        else:
            self.fields[self._name] = _text(self._value)


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        raise _malformed("Names and values of fields are UTF-8.") from None


def _malformed(why: str) -> Refusal:
    return refuse("MalformedPOSTRequest", why)
