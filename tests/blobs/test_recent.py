from __future__ import annotations

import time

import pytest

from entrepot.blobs.recent import Recent
from entrepot.model import BlobId

A, B, C = (BlobId(letter * 32) for letter in (b"a", b"b", b"c"))


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    facts: Recent[int] = Recent(2, 60)
    facts.learn(A, 1)
    facts.learn(B, 2)
    assert facts.find(A) == 1
    facts.learn(C, 3)
    assert (facts.find(A), facts.find(B), facts.find(C)) == (1, None, 3)
    facts.forget(A)
    facts.forget(A)
    assert facts.find(A) is None


def test_use_does_not_prolong_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    facts: Recent[int] = Recent(2, 60)
    facts.learn(A, 1)
    now = 1059.9
    assert facts.find(A) == 1
    now = 1060.0
    assert facts.find(A) is None
    facts.learn(A, 2)
    now = 1119.0
    assert facts.find(A) == 2
