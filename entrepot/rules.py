"""The rules of access as values: what may be asked for, what a rule can look at, and expressions over that.

An expression is a small tree. It is made once, when a rule is, and then becomes a predicate of Python or a
filter of SQL; both begin with :func:`simplify` or :func:`loosen`, so that they cannot disagree on more than a leaf.

A fact may be absent: the anonymous have no account, a bucket that is about to be made has no owner, a key that
is new has no row. A comparison with what is absent does not hold, so its negation does: a rule that forbids by
``Not(Equal(...))`` says ``Present(...)`` beside it.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from entrepot.errors import ArgumentInvalid
from entrepot.model import Right


class Action(enum.StrEnum):
    """Everything that can be asked for, whatever the door. The list is closed: a door maps its operations to these."""

    OBJECT_READ = "object.read"
    OBJECT_LIST = "object.list"
    OBJECT_WRITE = "object.write"
    OBJECT_DELETE = "object.delete"
    OBJECT_TAG_READ = "object.tag.read"
    OBJECT_TAG_WRITE = "object.tag.write"
    OBJECT_ACL_READ = "object.acl.read"
    OBJECT_ACL_WRITE = "object.acl.write"
    VERSION_READ = "version.read"
    VERSION_LIST = "version.list"
    VERSION_DELETE = "version.delete"
    UPLOAD_CREATE = "upload.create"
    UPLOAD_APPEND = "upload.append"
    UPLOAD_LIST = "upload.list"
    UPLOAD_ABORT = "upload.abort"
    BUCKET_CREATE = "bucket.create"
    BUCKET_LIST = "bucket.list"
    BUCKET_READ = "bucket.read"
    BUCKET_ADMIN = "bucket.admin"
    BUCKET_DELETE = "bucket.delete"
    BUCKET_GIVE = "bucket.give"
    BLOB_READ = "blob.read"
    BLOB_WRITE = "blob.write"
    TREE_READ = "tree.read"
    TREE_PUBLISH = "tree.publish"


EVERY_ACTION: Final = frozenset(Action)


class Field(enum.Enum):
    """A fact that a rule can look at. KEY and OWNER are those of a row: of a version, or of an open upload."""

    ROOT = "principal.root"
    ACCOUNT = "principal.account"
    ACCESS_KEY = "principal.access_key"
    BUCKET = "bucket.name"
    BUCKET_OWNER = "bucket.owner"
    PUBLIC = "bucket.public"
    KEY = "key"
    OWNER = "owner"
    TIME = "request.time"
    CLIENT = "request.client"
    SECURE = "request.secure"


ROW_FIELDS: Final = frozenset({Field.KEY, Field.OWNER})
BUCKET_FIELDS: Final = frozenset({Field.BUCKET, Field.BUCKET_OWNER, Field.PUBLIC})

Scalar = str | int | bool
Term = Field | Scalar
"""What is compared: a fact, or a value that the rule names. Times are microseconds since the epoch."""

_KINDS: Final[dict[Field, type]] = {Field.ROOT: bool, Field.PUBLIC: bool, Field.SECURE: bool, Field.TIME: int}
"""What a fact is; a text where nothing is said."""


def _check_kinds(left: Term, right: Term, *kinds: type) -> None:
    """Two terms of one of these kinds, and not a key beside a row's owner, which columns hold differently.

    Raises ArgumentInvalid.
    """
    found = {_KINDS.get(term, str) if isinstance(term, Field) else type(term) for term in (left, right)}
    if len(found) > 1 or not found.issubset(kinds) or {left, right} == ROW_FIELDS:
        raise ArgumentInvalid("rule", f"{left}, {right}", "these two cannot be compared so")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Always:
    """Holds, or never does."""

    holds: bool


TRUE: Final = Always(True)
FALSE: Final = Always(False)


@dataclass(frozen=True, slots=True)
class Present:
    """The fact is there."""

    field: Field


@dataclass(frozen=True, slots=True)
class Equal:
    """Two terms are the same."""

    left: Term
    right: Term

    def __post_init__(self) -> None:
        _check_kinds(self.left, self.right, str, int, bool)


@dataclass(frozen=True, slots=True)
class Begins:
    """A text begins with another one, which is not of a row or a bucket: those may be filtered by it."""

    left: Term
    right: Term

    def __post_init__(self) -> None:
        _check_kinds(self.left, self.right, str)
        if self.right in ROW_FIELDS | BUCKET_FIELDS:
            raise ArgumentInvalid("rule", self.right, "is nothing to begin with")


@dataclass(frozen=True, slots=True)
class Before:
    """A number is less than another one: the time of the request, and an end."""

    left: Term
    right: Term

    def __post_init__(self) -> None:
        _check_kinds(self.left, self.right, int)


@dataclass(frozen=True, slots=True)
class Within:
    """The address of the client is in one of these networks. One that is no address is in none."""

    networks: tuple[Network, ...]


@dataclass(frozen=True, slots=True)
class Granted:
    """The access key was granted a right in the bucket, or in every bucket."""

    right: Right


@dataclass(frozen=True, slots=True)
class Not:
    inner: Expression


@dataclass(frozen=True, slots=True)
class AllOf:
    """Every one holds; of none that is so."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of them holds; of none that is not so."""

    parts: tuple[Expression, ...]


Leaf = Present | Equal | Begins | Before | Within | Granted
Expression = Always | Leaf | Not | AllOf | AnyOf


class Effect(enum.Enum):
    """What it means that a rule holds: a denial wins, then one that allows must hold, and all that require."""

    DENY = "deny"
    ALLOW = "allow"
    REQUIRE = "require"


@dataclass(frozen=True, slots=True)
class Rule:
    """Decides on some actions. ``name`` tells people which rule it was."""

    name: str
    effect: Effect
    actions: frozenset[Action]
    when: Expression


def combine(rules: tuple[Rule, ...], action: Action) -> Expression:
    """What all rules together say on an action: nothing is allowed by default."""
    about = [rule for rule in rules if action in rule.actions]

    def of(effect: Effect) -> tuple[Expression, ...]:
        return tuple(rule.when for rule in about if rule.effect is effect)

    return simplify(AllOf((Not(AnyOf(of(Effect.DENY))), AnyOf(of(Effect.ALLOW)), *of(Effect.REQUIRE))))


Judge = Callable[[Leaf], Expression]
"""What a leaf comes to: itself, when nothing is known of it."""


def simplify(expression: Expression, judge: Judge = lambda leaf: leaf) -> Expression:
    """The same without what is decided already, each leaf being what ``judge`` makes of it."""
    match expression:
        case Always():
            return expression
        case Not(inner):
            inner = simplify(inner, judge)
            return Always(not inner.holds) if isinstance(inner, Always) else Not(inner)
        case AllOf(parts):
            return _join(AllOf, TRUE, FALSE, [simplify(part, judge) for part in parts])
        case AnyOf(parts):
            return _join(AnyOf, FALSE, TRUE, [simplify(part, judge) for part in parts])
        case _:
            return judge(expression)


def _join(kind: type[AllOf | AnyOf], neutral: Always, final: Always, parts: list[Expression]) -> Expression:
    """The parts in one: those that change nothing are left out, one that decides stands for all."""
    left: list[Expression] = []
    for part in parts:
        if part == final:
            return final
        if part != neutral:
            left.extend(part.parts if isinstance(part, kind) else (part,))
    if len(left) == 1:
        return left[0]
    return kind(tuple(left)) if left else neutral


def fields_of(expression: Expression) -> frozenset[Field]:
    """Every fact that an expression looks at."""
    match expression:
        case Always():
            return frozenset()
        case Not(inner):
            return fields_of(inner)
        case AllOf(parts) | AnyOf(parts):
            return frozenset[Field]().union(*map(fields_of, parts))
        case _:
            return leaf_fields(expression)


def leaf_fields(leaf: Leaf) -> frozenset[Field]:
    match leaf:
        case Present(field):
            return frozenset({field})
        case Equal(left, right) | Begins(left, right) | Before(left, right):
            return frozenset(term for term in (left, right) if isinstance(term, Field))
        case Within():
            return frozenset({Field.CLIENT})
        case Granted():
            return frozenset({Field.BUCKET})


def loosen(expression: Expression, unknown: frozenset[Field], *, toward: bool = True) -> Expression:
    """What must hold so that the expression can hold, whatever the unknown facts are; with ``toward`` False,
    what must hold so that it is sure to.
    """
    match expression:
        case Always():
            return expression
        case Not(inner):
            return simplify(Not(loosen(inner, unknown, toward=not toward)))
        case AllOf(parts):
            return simplify(AllOf(tuple(loosen(part, unknown, toward=toward) for part in parts)))
        case AnyOf(parts):
            return simplify(AnyOf(tuple(loosen(part, unknown, toward=toward) for part in parts)))
        case _:
            return expression if unknown.isdisjoint(leaf_fields(expression)) else Always(toward)
