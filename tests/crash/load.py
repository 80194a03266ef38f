"""Clients that put load on a server that may die at any moment, and remember what it promised.

A client owns its keys, so it knows which states each may be in: the one that was acknowledged last,
or that of the one request without an answer. `verify` looks which one it is, and from then on it is
that one.
"""

from __future__ import annotations

import http.client
import random
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.crash.signed import Answer, Client
from tests.server import Server

BUCKET = "/crash"
PART = 5 << 20
SILENCE = (OSError, http.client.HTTPException)
State = bytes | None


@dataclass
class Key:
    """What is known of one key. ``pending`` are the states of requests without an answer."""

    path: str
    acked: State = None
    pending: list[State] = field(default_factory=list)
    touched: bool = False
    completion: tuple[str, bytes, bytes] | None = None
    """Upload id, document and content of a completion without an answer."""


class Worker:
    """One client with its keys. ``faults`` are answers that a healthy server would not have given."""

    def __init__(self, server: Server, name: str, seed: str, shared: list[bytes]) -> None:
        self._server = server
        self.name = name
        self._random = random.Random(f"{seed}/{name}")
        self._shared = shared
        self.keys = [Key(f"{BUCKET}/{name}/{number}") for number in range(12)]
        self.faults: list[str] = []
        self.acked = 0
        self.changes = 0
        """Acknowledged requests that changed something."""
        self.unanswered = 0
        self.uploads_resumed = 0

    # -- load

    def run(self, stop: threading.Event) -> None:
        """Ask and ask until the server is gone or ``stop`` is set."""
        client = Client(self._server.endpoint, self._server.keys)
        acts: list[Callable[[Client, Key], None]] = [
            self._put, self._put, self._put, self._put_conditional, self._delete, self._copy, self._multipart
        ]  # fmt: skip
        weights = [8, 3, 3, 3, 3, 3, 1]
        try:
            while not stop.is_set():
                key = self._random.choice(self.keys)
                if key.pending:  # whoever has no answer yet does not ask something else
                    continue
                self._random.choices(acts, weights)[0](client, key)
        except SILENCE:
            pass
        finally:
            client.close()

    def _content(self) -> bytes:
        """Small ones mostly; some that others write too, some of several blobs."""
        kind = self._random.random()
        if kind < 0.25:
            return self._random.choice(self._shared)
        if kind < 0.7:
            return self._random.randbytes(self._random.randrange(16_384))
        if kind < 0.95:
            return self._random.randbytes(self._random.randrange(16_384, 300_000))
        return self._random.randbytes(self._random.randrange(4 << 20, 10 << 20))

    def _change(self, key: Key, state: State, ask: Callable[[], Answer], good: tuple[int, ...]) -> Answer:
        key.touched = True
        key.pending.append(state)
        self.unanswered += 1
        answer = ask()
        self.unanswered -= 1
        key.pending.remove(state)
        if answer.status in good:
            self.changes += answer.status == 200 or (answer.status == 204 and key.acked is not None)
            key.acked = state
            self.acked += 1
        else:
            self.faults.append(f"{key.path}: {answer.status} {answer.body[:300]!r}")
        return answer

    def _put(self, client: Client, key: Key) -> None:
        content = self._content()
        self._change(key, content, lambda: client.ask("PUT", key.path, content), (200,))

    def _put_conditional(self, client: Client, key: Key) -> None:
        """Create what is not there; what is there must refuse to be created."""
        content = self._content()
        headers = {"if-none-match": "*"}
        if key.acked is None:
            self._change(key, content, lambda: client.ask("PUT", key.path, content, headers), (200,))
        else:
            self._change(key, key.acked, lambda: client.ask("PUT", key.path, content, headers), (412,))

    def _delete(self, client: Client, key: Key) -> None:
        self._change(key, None, lambda: client.ask("DELETE", key.path), (204,))

    def _copy(self, client: Client, key: Key) -> None:
        sources = [other for other in self.keys if other.acked is not None and not other.pending]
        if not sources:
            return
        source = self._random.choice(sources)
        headers = {"x-amz-copy-source": source.path, "x-amz-metadata-directive": "REPLACE"}
        self._change(key, source.acked, lambda: client.ask("PUT", key.path, b"", headers), (200,))

    def _multipart(self, client: Client, key: Key) -> None:
        key.touched = True
        started = client.ask("POST", key.path, uploads="")
        found = re.search(rb"<UploadId>([^<]+)</UploadId>", started.body)
        if started.status != 200 or found is None:
            self.faults.append(f"{key.path}: {started.status} {started.body[:300]!r}")
            return
        upload = found[1].decode()
        parts = [self._random.randbytes(PART), self._random.randbytes(self._random.randrange(1, 100_000))]
        document = "<CompleteMultipartUpload>"
        for number, part in enumerate(parts, 1):
            answer = client.ask("PUT", key.path, part, partNumber=str(number), uploadId=upload)
            document += f"<Part><PartNumber>{number}</PartNumber><ETag>{answer.etag}</ETag></Part>"
        body = (document + "</CompleteMultipartUpload>").encode()
        key.completion = upload, body, b"".join(parts)
        self._change(key, key.completion[2], lambda: client.ask("POST", key.path, body, uploadId=upload), (200,))
        key.completion = None

    # -- truth

    def verify(self, *, everything: bool = False) -> list[str]:
        """Compare every touched key with what may be there; returns what is wrong."""
        client = Client(self._server.endpoint, self._server.keys)
        wrong: list[str] = []
        for key in self.keys:
            if key.touched or everything:
                wrong += self._verify(client, key)
                self._resume(client, key, wrong)
        client.close()
        return wrong

    def _verify(self, client: Client, key: Key) -> list[str]:
        answer = client.ask("GET", key.path)
        state: State = answer.body if answer.status == 200 else None
        may = [key.acked, *key.pending]
        key.pending.clear()
        key.touched = False
        if answer.status not in (200, 404) or state not in may:
            sizes = [None if each is None else len(each) for each in may]
            found = None if state is None else len(state)
            return [f"{key.path}: {answer.status}, {found} bytes; allowed are {sizes} bytes {answer.body[:200]!r}"]
        key.acked = state
        return []

    def _resume(self, client: Client, key: Key, wrong: list[str]) -> None:
        """A client that lost the answer to its completion asks again, and the upload is complete then."""
        if key.completion is None:
            return
        upload, body, content = key.completion
        key.completion = None
        answer = client.ask("POST", key.path, body, uploadId=upload)
        if answer.status != 200 or client.ask("GET", key.path).body != content:
            wrong.append(f"{key.path}: completing again gave {answer.status} {answer.body[:200]!r}")
        key.acked = content
        self.uploads_resumed += 1


def run_for(workers: list[Worker], seconds: float, end: Callable[[], None]) -> None:
    """Load from every worker at once, and ``end`` after so many seconds."""
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    end()
    stop.set()
    for thread in threads:
        thread.join()
