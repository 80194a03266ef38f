"""What was learnt a short while ago, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Generic, TypeVar

from entrepot.model import BlobId

V = TypeVar("V")


class Recent(Generic[V]):
    """A fact for each of the ``count`` blobs used last, forgotten ``period`` seconds after it was
    learnt. For one thread.
    """

    def __init__(self, count: int, period: float) -> None:
        self._count = count
        self._period = period
        self._facts: OrderedDict[BlobId, tuple[V, float]] = OrderedDict()

    def learn(self, id: BlobId, fact: V) -> None:
        self._facts[id] = fact, time.monotonic() + self._period
        self._facts.move_to_end(id)
        if len(self._facts) > self._count:
            self._facts.popitem(last=False)

    def find(self, id: BlobId) -> V | None:
        found = self._facts.get(id)
        if found is None:
            return None
        fact, until = found
        if time.monotonic() >= until:
            del self._facts[id]
            return None
        self._facts.move_to_end(id)
        return fact

    def forget(self, id: BlobId) -> None:
        self._facts.pop(id, None)
