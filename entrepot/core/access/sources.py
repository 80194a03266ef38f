"""Where rules come from. A source is asked once; what it says is compiled then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from entrepot.model import Right
from entrepot.rules import EVERY_ACTION, Action, AllOf, AnyOf, Effect, Equal, Expression, Field, Granted, Present, Rule


class RuleSource(Protocol):
    """Something that has rules: ownership, the grants of keys, and later the policies of buckets and roles."""

    def rules(self) -> Sequence[Rule]:
        """Every rule, each with a name of its own. They hold for as long as the process runs."""
        ...


@dataclass(frozen=True, slots=True)
class Ownership:
    """The root key may do everything, an account everything in the buckets it owns but give one away. Whoever
    is known may make buckets.
    """

    def rules(self) -> Sequence[Rule]:
        own = Equal(Field.ACCOUNT, Field.BUCKET_OWNER)
        return (
            Rule("root", Effect.ALLOW, EVERY_ACTION, Equal(Field.ROOT, True)),
            Rule("owner", Effect.ALLOW, EVERY_ACTION - {Action.BUCKET_GIVE}, own),
            Rule("known", Effect.ALLOW, frozenset({Action.BUCKET_CREATE}), Present(Field.ACCOUNT)),
        )


READING: Final = frozenset({
    Action.OBJECT_READ, Action.OBJECT_LIST, Action.OBJECT_TAG_READ, Action.VERSION_READ, Action.VERSION_LIST,
})  # fmt: skip
"""What everybody may do in a public bucket."""

DESCRIBING: Final = frozenset({Action.BUCKET_READ, Action.OBJECT_ACL_READ})
"""What is told of a public bucket, and of who owns what in it, to those alone who are known."""

GRANTED: Final = {
    Right.READ: READING | DESCRIBING,
    Right.WRITE: frozenset({
        Action.OBJECT_WRITE, Action.OBJECT_TAG_WRITE, Action.OBJECT_ACL_WRITE, Action.UPLOAD_CREATE,
        Action.UPLOAD_APPEND, Action.UPLOAD_LIST, Action.UPLOAD_ABORT, Action.TREE_PUBLISH,
    }),
    Right.DELETE: frozenset({Action.OBJECT_DELETE, Action.VERSION_DELETE}),
    Right.ADMIN: frozenset({Action.BUCKET_ADMIN, Action.BUCKET_DELETE}),
}  # fmt: skip
"""The actions of each right, besides that ADMIN has those of all."""


@dataclass(frozen=True, slots=True)
class Grants:
    """An access key may do in a bucket what it was granted there."""

    def rules(self) -> Sequence[Rule]:
        return tuple(
            Rule(f"grant of {right}", Effect.ALLOW, actions, _granted(right)) for right, actions in GRANTED.items()
        )


def _granted(right: Right) -> Expression:
    admin = Granted(Right.ADMIN)
    return admin if right is Right.ADMIN else AnyOf((Granted(right), admin))


@dataclass(frozen=True, slots=True)
class PublicBuckets:
    """Everybody may read all of a public bucket, and list it."""

    def rules(self) -> Sequence[Rule]:
        public = Equal(Field.PUBLIC, True)
        return (
            Rule("public bucket", Effect.ALLOW, READING, public),
            Rule("public bucket, to those known", Effect.ALLOW, DESCRIBING, AllOf((public, Present(Field.ACCOUNT)))),
        )


PRESENT: Final[tuple[RuleSource, ...]] = (Ownership(), Grants(), PublicBuckets())
"""The sources of today."""
