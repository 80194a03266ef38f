"""From an expression to a function that says whether it holds. Each is made once and called for every request."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from entrepot.model import Bucket, Owned, Principal, Right
from entrepot.rules import (
    AllOf,
    Always,
    AnyOf,
    Before,
    Begins,
    Equal,
    Expression,
    Field,
    Granted,
    Network,
    Not,
    Present,
    Scalar,
    Term,
    Within,
)


class Resource(NamedTuple):
    """What it is about: nothing more than the service, a bucket, a key in it, and the row that is there."""

    bucket: Bucket | None = None
    key: str | None = None
    row: Owned | None = None


SERVICE: Final = Resource()

Predicate = Callable[[Principal, Resource], bool]
Fact = Callable[[Principal, Resource], Scalar | None]

EVERYWHERE: Final = "*"
"""The bucket that a grant names to be one in every bucket."""


def facts(clock: Callable[[], int]) -> dict[Field, Fact]:
    """How each fact is found; None when it is absent. ``clock`` tells the microseconds since the epoch."""
    return {
        Field.ROOT: lambda who, _: who.root,
        Field.ACCOUNT: lambda who, _: who.account or None,
        Field.ACCESS_KEY: lambda who, _: who.access_key or None,
        Field.BUCKET: lambda _, at: None if at.bucket is None else at.bucket.name,
        Field.BUCKET_OWNER: lambda _, at: None if at.bucket is None else at.bucket.owner,
        Field.PUBLIC: lambda _, at: None if at.bucket is None else at.bucket.public_read,
        Field.KEY: lambda _, at: at.key,
        Field.OWNER: lambda _, at: None if at.row is None else at.row.owner,
        Field.TIME: lambda _, __: clock(),
        Field.CLIENT: lambda who, _: None if who.origin is None else who.origin.client or None,
        Field.SECURE: lambda who, _: None if who.origin is None else who.origin.secure,
    }


def predicate(expression: Expression, known: dict[Field, Fact]) -> Predicate:
    """The function for an expression."""
    match expression:
        case Always(holds):
            return lambda _, __: holds
        case Not(inner):
            held = predicate(inner, known)
            return lambda who, at: not held(who, at)
        case AllOf(parts):
            return _all_of([predicate(part, known) for part in parts])
        case AnyOf(parts):
            return _any_of([predicate(part, known) for part in parts])
        case Present(field):
            there = known[field]
            return lambda who, at: there(who, at) is not None
        case Within(networks):
            return _within(networks, known[Field.CLIENT])
        case Granted(wanted):
            return lambda who, at: holds_right(who, wanted, at.bucket)
        case Equal(left, right):
            return _equality(left, right, known)
        case Begins(left, right) | Before(left, right):
            return _comparison(type(expression), _term(left, known), _term(right, known))


def _all_of(parts: Sequence[Predicate]) -> Predicate:
    def every(who: Principal, at: Resource) -> bool:
        for part in parts:  # noqa: SIM110 - a generator costs more than what it would run
            if not part(who, at):
                return False
        return True

    return every


def _any_of(parts: Sequence[Predicate]) -> Predicate:
    def some(who: Principal, at: Resource) -> bool:
        for part in parts:  # noqa: SIM110 - as above
            if part(who, at):
                return True
        return False

    return some


def _term(term: Term, known: dict[Field, Fact]) -> Fact:
    return known[term] if isinstance(term, Field) else lambda _, __: term


def _equality(left: Term, right: Term, known: dict[Field, Fact]) -> Predicate:
    """Equality decides nearly every request: what rules ask most has no step that it does not need."""
    if left is Field.ROOT and right is True:
        return lambda who, _: who.root
    if left is Field.ACCOUNT and right is Field.BUCKET_OWNER:
        return lambda who, at: at.bucket is not None and who.account == at.bucket.owner and bool(who.account)
    one, other = _term(left, known), _term(right, known)

    def same(who: Principal, at: Resource) -> bool:
        found = one(who, at)
        return found is not None and found == other(who, at)

    return same


def _comparison(kind: type[Equal | Begins | Before], left: Fact, right: Fact) -> Predicate:
    def holds(who: Principal, at: Resource) -> bool:
        one, other = left(who, at), right(who, at)
        return one is not None and other is not None and compare(kind, one, other)

    def same(who: Principal, at: Resource) -> bool:
        one = left(who, at)
        return one is not None and one == right(who, at)

    return same if kind is Equal else holds


def compare(kind: type[Equal | Begins | Before], left: Scalar, right: Scalar) -> bool:
    """What a comparison of two facts that are there comes to."""
    if kind is Equal:
        return left == right
    if kind is Begins:
        return str(left).startswith(str(right))
    return int(left) < int(right)


def _within(networks: tuple[Network, ...], client: Fact) -> Predicate:
    def within(who: Principal, at: Resource) -> bool:
        return is_within(client(who, at), networks)

    return within


def is_within(client: Scalar | None, networks: tuple[Network, ...]) -> bool:
    """Whether an address is in one of the networks; what is no address is in none."""
    try:
        address = ipaddress.ip_address(str(client))
    except ValueError:
        return False
    return any(address in network for network in networks)


def holds_right(who: Principal, right: Right, bucket: Bucket | None) -> bool:
    """Whether a right was granted in a bucket; in every bucket, where there is none."""
    grants = who.grants
    if not grants:
        return False
    there = grants.get(EVERYWHERE, ())
    return right in there or (bucket is not None and right in grants.get(bucket.name, ()))
