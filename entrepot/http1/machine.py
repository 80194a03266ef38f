"""One HTTP/1.1 connection without its I/O: bytes in, events out, as h11 is built.

What a connection has to decide from the bytes alone is decided here: where a request ends (RFC 9112 §6), how large
a head may be, how many may come at once, what is offered or expected and passed over, and when nothing more is read.
Who feeds a machine owns the socket, the clock and the order of the answers.

    IDLE ──first byte──► HEAD ──end of the head──► BODY ──end of the content──► IDLE
                           │                         │                           │
                           └── refused ──► DEAF ◄────┴── cut ── not kept ────────┘
"""

from __future__ import annotations

import enum
from typing import Final, Literal

from entrepot.http1.answers import CONTINUE, Answer
from entrepot.http1.bodies import NOTHING
from entrepot.http1.parser import Parser, Refused, check_version, split_target
from entrepot.wire.http import Headers, Request
from entrepot.wire.incoming import DRAIN_BYTES

PIPELINE: Final = 256
"""Requests that may come at once; more are refused."""

HELD_BYTES: Final = 256 * 1024
"""How much of a body may wait for its reader before the connection is read no further."""

CROWDED: Final = "there are too many connections"
"""What a client is told that came one too many, with 503."""

_LINE_ENDS: Final = {"1.1": b" HTTP/1.1\r\n", "1.0": b" HTTP/1.0\r\n"}


class Phase(enum.Enum):
    """Where in the stream of a client a connection is."""

    IDLE = "nothing of a next request has come"
    HEAD = "a head is under way"
    BODY = "the content of a request is under way"
    DEAF = "whatever else comes is passed over"


class Mark(enum.Enum):
    """What may be told of a content besides its bytes."""

    END = "it is whole"
    CUT = "no more of it will come"


IDLE, HEAD, BODY, DEAF = Phase
END: Final = Mark.END
CUT: Final = Mark.CUT


class Exchange:
    """A request and how it is to be answered. With ``content`` a body follows, to its END or CUT: it goes into
    ``body``, which is nothing until the owner of the machine brings what is to be fed.
    """

    __slots__ = ("answer", "body", "content", "request")

    def __init__(self, request: Request, answer: Answer) -> None:
        self.request = request
        self.answer = answer
        self.content = False
        self.body = NOTHING

    def invitation(self) -> bytes:
        """What tells a client that waits for it that it may send (RFC 9110 §10.1.1); nothing once some of the body was
        there without that.
        """
        self.answer.expects = False
        return b"" if self.body.received else self.answer.interim(CONTINUE)

    def can_be_overlooked(self) -> bool:
        """Whether the next request will be found behind what is left of a body that nobody wants. A client that got
        an answer instead of "100 Continue" may send the body or leave it out (RFC 9110 §10.1.1).
        """
        length = self.request.headers.raw_get(b"content-length") or b""
        left = int(length) - self.body.received if length.isdigit() else 0
        return not (self.answer.expects or self.body.broken or left > DRAIN_BYTES)


Event = Exchange | bytes | Literal[Mark.END, Mark.CUT]
"""A request, which may be one that is refused; a piece of the content behind it; a mark."""


class Machine:
    """Only requests for a path that begins with one of ``paths`` are taken. ``state`` says what is awaited; ``midway``
    that the client was in the middle of something when it was last listened to. ``unanswered`` counts requests that
    were told of, until :meth:`answered`. ``_framing`` counts what came since the last content or end of a head: parts
    of messages that the parser may keep. ``_raw`` is what the present head stands in, from ``_at`` on, with nothing
    but empty lines before it when it is ``_at_start``.
    """

    def __init__(
        self, header_bytes: int = 16_384, *, scheme: str = "http", client: str = "", paths: tuple[bytes, ...] = (b"",)
    ) -> None:
        self.state: Phase = IDLE
        self.midway = False
        self.unanswered = 0
        self._scheme = scheme
        self._client = client
        self._header_bytes = header_bytes
        self._paths = paths
        self._parser = Parser(self)
        self._events: list[Event] = []
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._last: Exchange | None = None
        self._framing = 0
        self._raw = b""
        self._at = 0
        self._at_start = True

    def receive(self, data: bytes) -> list[Event]:
        """What bytes of the client come to; nothing once the machine is deaf."""
        events = self._events = []
        if self.state is DEAF:
            return events
        if self._raw:
            self._raw += data
        else:
            self._raw = data
            self._at_start = self.state is not BODY
        self._framing += len(data)
        most = self._header_bytes
        try:
            # What the parser has been given of one head can be more than the head only by a body.
            if self._framing > most and self.state is not BODY and b"\r\n\r\n" not in data:
                data = self._end_head(data)
            self._parser.feed_data(data)
            # Neither content nor a head: a trailer, of which the parser keeps a field until it has it whole.
            if self._framing > most and self.state is BODY:
                raise Refused(431, "the trailer is too large")
        except Refused as refusal:
            if self.state is not DEAF:
                events.append(CUT if self._cut() else self.refuse(refusal))
        self._raw = self._raw[self._at :] if self.state is HEAD else b""
        self._at = 0
        return events

    def receive_end(self) -> list[Event]:
        """What it comes to that the client sends no more."""
        self._events = [CUT] if self._cut() else []
        return self._events

    def refuse(self, refusal: Refused) -> Exchange:
        """Take nothing more, and say why, once everything before has been answered."""
        self.state = DEAF
        self.unanswered += 1
        request = Request("", b"", b"", Headers([]), NOTHING, scheme=self._scheme, client=self._client)
        request.objection = refusal.objection
        return Exchange(request, Answer(keep=False))

    def stop(self) -> None:
        """Take nothing more; what has no answer yet gets none."""
        self.state = DEAF
        self.unanswered = 0

    def answered(self) -> None:
        """Take note that the oldest request has its answer."""
        if self.unanswered:
            self.unanswered -= 1

    def is_behind(self, held: int) -> bool:
        """Whether the client has to wait: for an answer before it is heard further, or for the reader of a body of
        which so many bytes are held.
        """
        return self.unanswered > 1 or held > HELD_BYTES

    # What the parser finds.

    def on_message_begin(self) -> None:
        if self.state is DEAF:
            raise Refused(400, "nothing more is read here")  # of which nobody is told: the parser is to stop
        self._target = b""
        self._fields = []
        self.state = HEAD
        self.midway = True

    def on_url(self, part: bytes) -> None:
        self._target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a field of the head. One of a chunked trailer, which the parser reports alike, is passed over:
        the request that it would change is under way. But the parser reads nothing behind a "close" in one.
        """
        if self.state is HEAD:
            self._fields.append((name.lower(), value.rstrip()))  # RFC 9112 §5: spaces behind are no part of it
        elif self._last is not None and name.lower() in (b"connection", b"proxy-connection"):
            self._last.answer.keep = False

    def on_headers_complete(self) -> None:
        """Raises Refused."""
        parser, fields = self._parser.head, self._fields
        version, raw_method = parser.get_http_version(), parser.get_method()
        headers = Headers(fields)
        check_version(version, headers)
        line = raw_method + b" " + self._target + _LINE_ENDS[version]
        if not self._raw.startswith(line, self._at):
            self._find_line(line)
        self._at += len(line)
        self._at_start = False
        method = raw_method.decode()
        if parser.should_upgrade():
            if method == "CONNECT":
                raise Refused(400, "this is no proxy")
            return
        if self.unanswered >= PIPELINE:
            raise Refused(503, "there are too many requests at once")
        path, query = split_target(self._target, fields, method)
        if not path.startswith(self._paths):
            raise Refused(503, CROWDED)
        modern = version == "1.1"
        expect = headers.raw_get(b"expect")
        answer = Answer(keep=modern and parser.should_keep_alive(), bodiless=method == "HEAD", chunks=modern)
        if modern and expect is not None and expect.lower() == b"100-continue":
            answer.expects = True
        request = Request(method, path, query, headers, NOTHING, scheme=self._scheme, client=self._client)
        self.state = BODY
        self._framing = 0
        self.unanswered += 1
        self._last = exchange = Exchange(request, answer)
        exchange.content = True
        self._events.append(exchange)

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        self._events.append(body)

    def on_message_complete(self) -> None:
        self._framing = 0
        last = self._last
        if last is None or self._parser.head.should_upgrade():
            return
        if self._events and self._events[-1] is last:
            last.content = False
        else:
            self._events.append(END)
        self.state = IDLE if last.answer.keep else DEAF
        self.midway = False

    def without_offer(self, rest: bytes) -> bytes:
        version = self._parser.head.get_http_version()
        lines = [self._parser.head.get_method() + b" " + self._target + b" HTTP/" + version.encode()]
        lines += [name + b": " + value for name, value in self._fields if name != b"upgrade"]
        self._raw, self._at = b"\r\n".join([*lines, b"", rest]), 0
        self._at_start = True
        return self._raw

    # What the machine makes of it.

    def _end_head(self, data: bytes) -> bytes:
        """What follows a head of which the end began in what came before. Raises Refused when it goes on."""
        self._parser.feed_data(data[:3])
        if self._framing:
            raise Refused(431, "the request line and the header fields are too large")
        self._framing = len(data) - 3
        return data[3:]

    def _find_line(self, line: bytes) -> None:
        """Raises Refused for a request line of RTSP or ICE, which the parser takes as well and does not tell, and for
        one with spaces more than it needs. Behind another request in the same bytes, of which the parser does not
        tell where it ended, the line is looked for.
        """
        at = self._raw.find(line, self._at)
        if at < 0 or (self._at_start and self._raw[:at].strip(b"\r\n")):
            raise Refused(400, "this is not HTTP/1.1")
        self._at = at

    def _cut(self) -> bool:
        """Fall deaf; whether a content that was under way ends with that."""
        in_body, self.state = self.state is BODY, DEAF
        if in_body and self._last is not None:
            self._last.answer.keep = False
        return in_body
