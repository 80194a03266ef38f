"""One stream, three readings: ours, h11's, Node's. Where all read a request, it is the same one with the same body;
where they do not, the reason is on a short list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pytest

from tests.http1.readings import Node, Reading, h11s, node, ours
from tests.http1.streams import stream

Reasons = Mapping[str, bytes]
"""Why two readings differ, and a pattern that the stream holds then, or the line "==method target" of the first request
that only one of them has read."""

SEEDS: Final = 5000
CUT_SEEDS: Final = 120

BOTH: Final[Reasons] = {
    "a request has one host, of the characters of one": rb"(?i)\nhost\s*:(?![ \t]*(?:a|a:80|\[::1\]:9000)[ \t]*\r\n)",
    "a second host is refused, whatever it is": rb"(?i)\nhost\s*:[^\r]*\r\n(?:[^\r]+\r\n)*?host\s*:",
    "no coding but chunked is undone, so none is accepted": rb"(?i)\ntransfer-encoding:(?!\s*chunked\r\n)",
    "a body of HTTP/1.0 in chunks may be framed otherwise by what stands between": rb"HTTP/1\.0\r\n(?:[^\r]+\r\n)*?"
    rb"(?i:transfer-encoding):",
    "a length beside chunks is refused": rb"(?i)\n(?:content-length|transfer-encoding):[^\r]*\r\n(?:[^\r]+\r\n)*?"
    rb"(?:content-length|transfer-encoding):",
    "a target has one of the forms of RFC 9112 §3.2": rb"\n==[A-Z]+ (?!/|\*$)",
}
"""What is refused here and nowhere else: the stricter reading cannot be led astray by what stands between."""

STRICTER_THAN_H11: Final[Reasons] = {
    **BOTH,
    "llhttp takes no length in a trailer": rb"0\r\n(?:[^\r]+\r\n)*?(?i:content-length):",
    "a line ends with CR and LF, not with LF alone": rb"(?:[^\r]|^)\n",
    "a line that goes on on the next one (RFC 9112 §5.2)": rb"\r\n[ \t]",
    "no space stands behind the size of a chunk": rb"\n[0-9a-f]+[ \t]+\r\n",
    "a length is one number": rb"(?i)\ncontent-length:\s*\d+,",
    "a head is too large, if it came at once or not": rb"l{16000}",
    "llhttp knows the methods that there are": rb"\n==(?!(?:GET|HEAD|POST|PUT|OPTIONS|DELETE) )",
    "a version is 1.0 or 1.1": rb"HTTP/(?!1\.[01])\d\.\d\r\n",
    "a value has no control characters": rb"[\0-\x08]",
    "an extension of a chunk has the form of RFC 9112 §7.1.1": rb"\n[0-9a-f]+;(?!a=b\r\n|a=\"b;c\"\r\n)",
}
STRICTER_THAN_NODE: Final[Reasons] = {
    **BOTH,
    "a request says its version: HTTP/0.9 was without": rb"[A-Z]+ [^ \r\n]*\r\n",
    "one space stands before the version": rb"  HTTP/1",
    "llhttp knows RTSP and ICE as well": rb" (?:RTSP|ICE)/1\.\d\r\n",
    "Node serves on behind a request without a host": rb"(?i)HTTP/1\.1\r\n(?:(?!host:)[^\r]+\r\n)*\r\n",
}
LOOSER_THAN_H11: Final[Reasons] = {}
LOOSER_THAN_NODE: Final[Reasons] = {
    "Node reads nothing behind an offer that it does not take": rb"\nupgrade:",
}


@pytest.fixture(scope="module")
def nodes() -> Iterator[Node]:
    with node() as started:
        yield started


def explain(data: bytes, mine: Reading, other: Reading, stricter: Reasons, looser: Reasons) -> bool:
    """Whether a difference has its reason on a list. What both read must be the same, without exception."""
    ours, theirs = mine.messages, other.messages
    common = min(len(ours), len(theirs))
    assert ours[:common] == theirs[:common], data
    if len(ours) == len(theirs):  # one may wait for the end of a line that the other has refused
        return True
    reasons = stricter if len(ours) < len(theirs) else looser
    method, target, _ = max(ours, theirs, key=len)[common]
    said = b"%b\n==%b %b" % (data, method.encode(), target.encode())
    return any(re.search(pattern, said) for pattern in reasons.values())


def compare(read: Callable[[Sequence[bytes]], Reading], stricter: Reasons, looser: Reasons) -> None:
    for seed in range(SEEDS):
        data = stream(seed)
        mine, other = ours([data]), read([data])
        assert explain(data, mine, other, stricter, looser), f"seed {seed}: {data!r}\nours {mine}\nthem {other}"


def test_h11_reads_the_same_requests() -> None:
    compare(h11s, STRICTER_THAN_H11, LOOSER_THAN_H11)


def test_node_reads_the_same_requests(nodes: Node) -> None:
    compare(nodes, STRICTER_THAN_NODE, LOOSER_THAN_NODE)


def test_no_cut_changes_what_is_read() -> None:
    for seed in range(CUT_SEEDS):
        data = stream(seed)[:1500]
        whole = ours([data])
        for at in range(1, len(data)):
            assert ours([data[:at], data[at:]]) == whole, f"seed {seed} at {at}: {data!r}"
        assert ours([data[at : at + 1] for at in range(len(data))]) == whole, f"seed {seed}: {data!r}"
