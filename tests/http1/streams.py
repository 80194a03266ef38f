"""Streams of requests as clients and attackers send them, drawn from a seed."""

from __future__ import annotations

import random
from typing import Final

HEADS: Final = [
    b"GET /a?x=%20 HTTP/1.1\r\nhost: a\r\n",
    b"HEAD /b HTTP/1.1\r\nHost:a \r\n",
    b"POST /c HTTP/1.1\r\nhost: a\r\nx:\r\ny: \t\r\nz: b  c \t\r\n",
    b"PUT /d HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\n",
    b"PUT /e HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n",
    b"PUT /f HTTP/1.1\r\nhost: a:80\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAM\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: a\r\n",
    b"DELETE /g HTTP/1.0\r\n",
    b"GET /h HTTP/1.1\r\nhost: [::1]:9000\r\nconnection: close\r\n",
]
LINES: Final = [
    b"Transfer-Encoding: chunked", b"transfer-encoding : chunked", b"Transfer-Encoding: xchunked",
    b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked\r\n folded",
    b"Content-Length: 5", b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length: 0x5", b"content-length:",
    b"Content-Length: 05", b"Content-Length: 99999999999999999999", b"Host: b", b"host: a b", b"Host: a/b", b"Host:",
    b" x: folded", b"x", b"x y: z", b"x: \0", b"x: \x01", b"x: \xff", b"x: a\rb", b": z", b"Connection: close, upgrade",
    b"Upgrade: websocket", b"Expect: something else", b"x: " + b"l" * 20_000,
]  # fmt: skip
MISCHIEF: Final = [
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"0", b"f", b";", b",", b"x: y\r\n", b"0\r\n\r\n", b"\r\n\r\n",
    b"\xff", b"HTTP/1.1", b"HTP/1.1", b"HTTPS/1.1", b"RTSP/1.0", b"ICE/1.0", b"HTTP/1.2", b"HTTP/2.0", b"",
]  # fmt: skip
LAST: Final = b"GET /last HTTP/1.1\r\nhost: a\r\n\r\n"
"""Ends every stream: what is read of it shows whether all before it ended where it should."""
BODIES: Final = [b"hello", b"GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n", b"\0\xff\r\n" * 9, b"b" * 300]


def stream(seed: int) -> bytes:
    """One to four requests; in two thirds of all streams something in them is not as it should be."""
    choice = random.Random(seed)
    data = b"".join(_message(choice) for _ in range(choice.randint(1, 4)))
    for _ in range(choice.choice((0, 0, 1, 1, 2))):
        at = choice.randrange(len(data) + 1)
        data = data[:at] + choice.choice(MISCHIEF) + data[at + choice.choice((0, 0, 1, 8)) :]
    return data + LAST


def _message(choice: random.Random) -> bytes:
    start = choice.choice(HEADS)
    if choice.random() < 0.25:
        start += choice.choice(LINES) + b"\r\n"
    body = choice.choice(BODIES)
    kind = choice.random()
    if kind < 0.4:
        return start + b"\r\n"
    if kind < 0.7:
        return start + b"Content-Length: %d\r\n\r\n" % len(body) + body
    cut = choice.randrange(1, len(body))
    extension = choice.choice((b"", b"", b";a=b", b';a="b;c"', b" ", b";"))
    chunks = [b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece in (body[:cut], body[cut:])]
    trailer = choice.choice((b"", b"", b"x-late: yes\r\nhost: b\r\n", b"content-length: 9\r\n", b"upgrade: x\r\n"))
    return start + b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\n" + trailer + b"\r\n"
