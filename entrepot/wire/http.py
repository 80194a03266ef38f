"""The few HTTP values that doors speak, whoever reads the wire below them: ``http1``, or an ASGI server.

A door is a ``Handler``: it takes a :class:`Request` and returns a :class:`Response`. Both are
plain values; headers stay bytes until somebody asks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

Buffer = bytes | bytearray | memoryview
Body = Buffer | AsyncIterator[Buffer]
Handler = Callable[["Request"], Awaitable["Response"]]


class Headers:
    """Header fields by lower-case name, in order of arrival. Values are decoded as Latin-1.

    >>> Headers([(b"host", b"a"), (b"x-y", b"1"), (b"x-y", b"2")]).all("x-y")
    ['1', '2']
    """

    __slots__ = ("_first", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self.raw = raw if isinstance(raw, list) else list(raw)
        self._first = dict(self.raw[::-1])  # of a name that stands there twice the first one is kept

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value of a field, or ``default``."""
        value = self._first.get(name.encode("ascii"))
        return default if value is None else value.decode("latin-1")

    def raw_get(self, name: bytes) -> bytes | None:
        """The first value as it came."""
        return self._first.get(name)

    @property
    def repeated(self) -> bool:
        """Whether a name stands there twice."""
        return len(self._first) != len(self.raw)

    def lacks(self, names: frozenset[bytes]) -> bool:
        """Whether there is no field of any of these names."""
        return names.isdisjoint(self._first)

    def all(self, name: str) -> list[str]:
        """Every value of a field in order."""
        wanted = name.encode("ascii")
        return [value.decode("latin-1") for key, value in self.raw if key == wanted]

    def __contains__(self, name: str) -> bool:
        return name.encode("ascii") in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for name, value in self.raw:
            yield name.decode("latin-1"), value.decode("latin-1")


class Objection(NamedTuple):
    """What is wrong with a request before any door has looked at it: a status of RFC 9110, and a line that says why."""

    status: int
    text: str


class Informing(Protocol):
    """A server that can answer before it answers."""

    def inform(self, request: Request, status: int, fields: Sequence[tuple[bytes, bytes]]) -> None: ...


class Request:
    """One request as it came over the wire.

    ``raw_path`` is the percent-encoded path of the target without the query, ``raw_query`` what
    follows the first ``?``; signatures are computed over both, so nothing normalises them. Below a
    mount point ``mount`` is its part of the path, which clients sign and doors do not want.
    ``body`` yields chunks as they arrive and raises :class:`~entrepot.errors.BodyIncomplete` when
    the client goes away before the end; reading it is what answers ``Expect: 100-continue``.
    """

    __slots__ = (
        "_names",
        "body",
        "client",
        "headers",
        "id",
        "method",
        "mount",
        "note",
        "objection",
        "parameters",
        "proven",
        "raw_path",
        "raw_query",
        "scheme",
        "server",
    )

    def __init__(
        self,
        method: str,
        raw_path: bytes,
        raw_query: bytes,
        headers: Headers,
        body: AsyncIterator[bytes],
        *,
        scheme: str = "http",
        client: str = "",
        mount: bytes = b"",
    ) -> None:
        self.method = method
        self.raw_path = raw_path
        self.raw_query = raw_query
        self.parameters = raw_query
        """The query as far as it is about what is asked for; a door may leave out what proves who asks."""
        self.headers = headers
        self.body = body
        self.scheme = scheme
        self.client = client
        self.mount = mount
        self.id = ""
        self.proven = False
        """Whether the client has proven who they are, as a door finds out. A server that is crowded keeps such ones."""
        self.objection: Objection | None = None
        """What the server below has against the request; then no door is asked but for its words."""
        self.server: Informing | None = None
        self.note: dict[str, object] = {}
        """What the access log tells about this request: operation, bucket, key, principal."""
        self._names: Mapping[str, bytes] | None = None

    def inform(self, status: int, fields: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send an interim answer (1xx, RFC 9110 §15.2) ahead of the answer. Nothing is sent where the server cannot,
        where the client would not understand, and once the answer has begun.
        """
        if self.server is not None:
            self.server.inform(self, status, fields)

    @property
    def secure(self) -> bool:
        """Whether it came encrypted."""
        return self.scheme == "https"

    @property
    def path(self) -> bytes:
        """The raw path below the mount point."""
        return self.raw_path[len(self.mount) :] or b"/" if self.mount else self.raw_path

    @property
    def names(self) -> Mapping[str, bytes]:
        """Parameters by decoded name with the first value of each as it came. Most are never asked
        for (a presigned query has many), so no value is decoded. Raises UnicodeDecodeError for a name
        that is not UTF-8.
        """
        if self._names is None:
            said = self.parameters
            short = len(said) <= _REMEMBERED_BYTES and said.count(b"&") < _REMEMBERED_PARAMETERS
            self._names = (_remembered_names if short else _parse_names)(said) if said else {}
        return self._names

    def param(self, name: str) -> str | None:
        """The first value of a query parameter, or None; a ``+`` is a space, and without ``=`` it is ''.

        Raises UnicodeDecodeError.
        """
        value = self.names.get(name)
        return None if value is None else _text(value)


def _parse_names(raw_query: bytes) -> Mapping[str, bytes]:
    names: dict[str, bytes] = {}
    for pair in raw_query.split(b"&"):
        raw, _, value = pair.partition(b"=")
        name = _text(raw) if b"%" in raw or b"+" in raw else raw.decode()
        if name not in names:
            names[name] = value
    return names


# A presigned query is long, and comes again and again. Of what anybody may send nothing longer is kept, and nothing
# that comes to many names.
_REMEMBERED_BYTES: Final = 1024
_REMEMBERED_PARAMETERS: Final = 24
_remembered_names = lru_cache(maxsize=2048)(_parse_names)


def _text(raw: bytes) -> str:
    if b"+" in raw:
        raw = raw.replace(b"+", b" ")
    return (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")


def plain_refusal(request: Request, objection: Objection) -> Response:
    """A refusal in plain text, for those who have no other words for it."""
    body = objection.text.encode() + b"\n"
    return Response(objection.status, [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))], body)


class Response:
    """Status, header fields and a body that is bytes or an async iterator of bytes. A streamed
    body is closed, if it can be, when the client goes away.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]] | None = None, body: Body = b"") -> None:
        self.status = status
        self.headers = headers if headers is not None else []
        self.body = body
