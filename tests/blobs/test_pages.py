"""Memory that is used again, and never while somebody looks at it."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from entrepot.blobs.pages import KEPT, KEPT_BYTES, LARGE, Pages


def test_a_buffer_is_used_again_when_the_last_view_of_any_part_is_gone() -> None:
    pages = Pages()
    first = pages.take(LARGE)
    first[:5] = b"first"
    part = first[:5].toreadonly()
    del first
    second = pages.take(LARGE)
    second[:6] = b"second"
    assert bytes(part) == b"first"
    del part
    third = pages.take(LARGE - 1)
    assert bytes(third[:5]) == b"first"  # the same memory: what was there before still is
    assert len(third) == LARGE - 1
    assert bytes(second[:6]) == b"second"


def test_no_more_is_kept_than_a_few_of_a_common_size() -> None:
    pages = Pages()
    views = [pages.take(LARGE) for _ in range(KEPT * 3)]
    assert len(pages._kept) == KEPT
    assert len({id(view.obj) for view in views}) == len(views)
    pages = Pages()
    assert len(pages.take(KEPT_BYTES + 1)) == KEPT_BYTES + 1
    assert pages._kept == []


def test_threads_never_share_a_buffer() -> None:
    pages = Pages()
    together = threading.Barrier(8)

    def fill(number: int) -> int:
        together.wait(30)
        wrong = 0
        for _ in range(200):
            mark = os.urandom(16)
            view = pages.take(LARGE + number)
            view[:16] = mark
            view[-16:] = mark
            wrong += bytes(view[:16]) != mark or bytes(view[-16:]) != mark
        return wrong

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(fill, range(8))) == 0
