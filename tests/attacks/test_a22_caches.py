"""What is remembered of requests before anybody has proven who they are is bounded in bytes, not in entries alone."""

from __future__ import annotations

import gc
import secrets
import tracemalloc
from collections.abc import Callable
from typing import Final

import pytest

from entrepot.doors.s3.refusal import Refusal
from entrepot.doors.s3.signing import signature
from entrepot.wire.http import Request
from tests.doors.s3.signing import STAMP, Sent

MANY: Final = 1600
"""As many as fill the caches, or most of the largest one."""

MOST: Final = 4 << 20
"""Bytes that one may come to. Without a bound on what is kept these attacks took 12 MB and more."""


def text() -> str:
    return secrets.token_hex(4000)


def credential(access_key: str) -> str:
    return f"{access_key}/{STAMP[:8]}/us-east-1/s3/aws4_request"


def in_header(who: str, names: str) -> Request:
    value = f"AWS4-HMAC-SHA256 Credential={who}, SignedHeaders={names}, Signature={'0' * 64}"
    sent = [("host", "a"), ("x-amz-date", STAMP), ("x-amz-content-sha256", "UNSIGNED-PAYLOAD")]
    sent.append(("authorization", value))
    return Sent("GET", "/b/k", "", sent).request()


def in_query(more: str) -> Request:
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential('k')}&X-Amz-Date={STAMP}&X-Amz-Expires=60"
        f"&X-Amz-SignedHeaders=host&{more}&X-Amz-Signature={'0' * 64}"
    )
    return Sent("GET", "/b/k", query, [("host", "a")]).request()


def names(prefix: str) -> str:
    many = 700 // (len(prefix) + 5)
    drawn = secrets.token_hex(2 * many)
    return "&".join(prefix + drawn[at : at + 4] for at in range(0, 4 * many, 4))


ATTACKS: Final[dict[str, Callable[[], Request]]] = {
    "credentials": lambda: in_header(credential(text()), "host"),
    "signed headers": lambda: in_header(credential("k"), f"host;{text()}"),
    "parameters": lambda: Sent("GET", "/b/k", names(""), [("host", "a")]).request(),
    "fields in a query": lambda: in_query(names("x-amz-")),
    "a long query": lambda: in_query(f"x-amz-meta-a={text()}"),
}


@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_a22_long_inputs_are_not_kept(name: str) -> None:
    tracemalloc.start()
    try:
        for turn in range(MANY):
            if turn == MANY // 20:
                gc.collect()
                before = tracemalloc.get_traced_memory()[0]
            request = ATTACKS[name]()
            try:
                signature.parse(request)
                assert request.names is not None
            except Refusal:
                pass
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < MOST
