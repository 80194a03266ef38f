"""Every error of ours has a code of S3's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from entrepot import errors
from entrepot.doors.s3.faults import TABLE, refusal_of


def leaves(kind: type[errors.EntrepotError]) -> Iterator[type[errors.EntrepotError]]:
    """Of the tree itself: what a module derives for its own use is told by the class that it is derived from."""
    below = [each for each in kind.__subclasses__() if each.__module__ == errors.__name__]
    if not below:
        yield kind
    for each in below:
        yield from leaves(each)


@pytest.mark.parametrize("kind", list(leaves(errors.EntrepotError)), ids=lambda kind: kind.__name__)
def test_every_leaf_of_the_tree_is_in_the_table(kind: type[errors.EntrepotError]) -> None:
    assert kind in TABLE


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.StoreFull("the disk is full", 7), 503, "ServiceUnavailable"),
        (errors.Unavailable("the catalog does not answer", 7), 503, "ServiceUnavailable"),
        (errors.Busy("too many bodies", 7), 503, "SlowDown"),
    ],
)
def test_what_may_be_tried_again_later(error: errors.Unavailable, status: int, code: str) -> None:
    refusal = refusal_of(error)
    assert (refusal.status, refusal.code, refusal.headers["retry-after"]) == (status, code, "7")


def test_files_of_the_operator_are_not_told_to_clients() -> None:
    assert "/srv" not in str(refusal_of(errors.Unavailable("/srv/catalog.sqlite was removed")))


@pytest.mark.parametrize(
    ("what", "code"),
    [("metadata", "MetadataTooLarge"), ("document", "MaxMessageLengthExceeded"), ("body", "EntityTooLarge")],
)
def test_what_was_too_large(what: str, code: str) -> None:
    assert refusal_of(errors.TooLarge(what, 2, 1)).code == code
