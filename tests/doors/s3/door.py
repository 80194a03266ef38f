"""The whole server in this process: requests signed by botocore, sent over ASGI, nothing listening.

    with Door(tmp_path) as door:
        door.ask("PUT", "/bucket")
        assert door.ask("GET", "/bucket", "list-type=2").words("Key") == []
        door.ask("GET", "/bucket", keys=None).refused(403, "AccessDenied")

Paths and queries go over the wire as they are given: percent-encode what needs it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from lxml import etree

from entrepot import app
from entrepot.config import Config, Log
from entrepot.config.settings import Schedules
from entrepot.core import Core
from entrepot.model import Right

HOST = "store.test"


@dataclass(frozen=True, slots=True)
class Keys:
    access: str
    secret: str


ROOT = Keys("ROOTKEYOFTHISDOOR", "the root key's secret")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def xml(self) -> etree._Element:
        return etree.fromstring(self.body)

    def words(self, path: str) -> list[str]:
        """The texts of every element at the end of a path of names ("Contents/Key"), in order."""
        steps = "/".join(f"*[local-name()='{name}']" for name in path.split("/"))
        found: Any = self.xml.xpath(f".//{steps}")
        return [element.text or "" for element in found]

    def word(self, path: str) -> str | None:
        """The text of the one element of a path, None when there is none."""
        found = self.words(path)
        assert len(found) < 2, found
        return found[0] if found else None

    def ok(self, status: int = 200) -> Self:
        assert self.status == status, (self.status, self.body[:1000])
        return self

    def refused(self, status: int, code: str) -> Self:
        """Fails unless this is the refusal of that code. HEAD has no body to tell it in."""
        found = self.word("Code") if self.body else code
        assert (self.status, found) == (status, code), (self.status, self.body[:1000])
        return self


@dataclass
class Call:
    """One request; ``keys`` is None for the anonymous public. ``body`` may come in pieces."""

    method: str
    path: str
    query: str = ""
    body: bytes | list[bytes] = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    keys: Keys | None = ROOT
    length: bool = True

    @property
    def pieces(self) -> list[bytes]:
        return self.body if isinstance(self.body, list) else [self.body]

    def signed(self, region: str = "us-east-1") -> list[tuple[bytes, bytes]]:
        """The header fields, signed over everything. A Content-Length goes along unless ``length`` is off."""
        body = b"".join(self.pieces)
        url = f"http://{HOST}{self.path}" + (f"?{self.query}" if self.query else "")
        request = AWSRequest(self.method, url, dict(self.headers), body)
        if self.keys is not None:
            if "x-amz-content-sha256" not in request.headers:
                request.headers["x-amz-content-sha256"] = hashlib.sha256(body).hexdigest()
            request.context["payload_signing_enabled"] = True
            S3SigV4Auth(Credentials(self.keys.access, self.keys.secret), "s3", region).add_auth(request)
        fields = {name.lower(): str(value) for name, value in request.headers.items()} | {"host": HOST}
        if self.length:
            fields.setdefault("content-length", str(len(body)))
        return [(name.encode(), value.encode()) for name, value in fields.items()]


class Door:
    """A server over a data directory of its own, in an event loop of its own."""

    root = ROOT

    def __init__(self, data: Path, **settings: Any) -> None:
        settings.setdefault("log", Log(access=False))
        # The loop stands still between two requests, and with it a job that has the catalog's turn.
        settings.setdefault("schedules", Schedules(enabled=False))
        self.config = Config(data=data, access_key=ROOT.access, secret_key=ROOT.secret, workers=1, **settings)
        self._runner = asyncio.Runner()
        self._application: Any = None

    def __enter__(self) -> Self:
        self._application = app.application(self.config)
        self._runner.run(self._application.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.run(self._application.close())
        self._runner.close()

    def ask(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes | list[bytes] = b"",
        *,
        headers: Mapping[str, str] | None = None,
        keys: Keys | None = ROOT,
        length: bool = True,
    ) -> Answer:
        """Send one request and return its answer."""
        return self._runner.run(self.send(Call(method, path, query, body, headers or {}, keys, length)))

    def ask_at_once(self, calls: Iterable[Call]) -> list[Answer]:
        """Send requests at the same time; their answers in the same order."""

        async def every() -> list[Answer]:
            return list(await asyncio.gather(*(self.send(call) for call in calls)))

        return self._runner.run(every())

    async def send(self, call: Call) -> Answer:
        pieces = call.pieces
        left = list(enumerate(pieces, 1))
        scope = {
            "type": "http",
            "method": call.method,
            "path": call.path,
            "raw_path": call.path.encode("latin-1"),
            "query_string": call.query.encode("latin-1"),
            "headers": call.signed(self.config.region),
            "scheme": "http",
            "root_path": "",
            "client": ("127.0.0.1", 1),
        }
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            if not left:
                await asyncio.Event().wait()  # the client stays until the answer is there
            number, piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": number < len(pieces)}

        async def note(message: Mapping[str, Any]) -> None:
            sent.append(message)

        await self._application(scope, receive, note)
        headers = {name.decode().lower(): value.decode("latin-1") for name, value in sent[0]["headers"]}
        body = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], headers, body)

    def new_keys(self, account: str, *, grants: Mapping[str, frozenset[Right]] | None = None) -> Keys:
        """A key of an account, with rights beyond its own if told so."""

        async def create() -> tuple[str, str]:
            core: Core
            async with app.open_core(self.config) as core:
                return await core.keys.create(account, grants=grants, display_name=f"{account} by name")

        return Keys(*self._runner.run(create()))


def path_of(bucket: str, key: str) -> str:
    """A path in which every byte of the key but its slashes and the unreserved ones is encoded."""
    return f"/{bucket}/{quote(key, safe='/~')}"
