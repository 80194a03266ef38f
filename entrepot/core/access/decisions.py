"""Who may do what: the rules of every source as one decision for each action."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from entrepot.core.access.predicates import (
    SERVICE,
    Predicate,
    Resource,
    facts,
    holds_right,
    predicate,
)
from entrepot.core.access.sources import PRESENT, RuleSource
from entrepot.errors import Denied
from entrepot.model import Bucket, Principal
from entrepot.rules import (
    BUCKET_FIELDS,
    FALSE,
    ROW_FIELDS,
    TRUE,
    Action,
    Always,
    AnyOf,
    Before,
    Begins,
    Effect,
    Equal,
    Expression,
    Field,
    Granted,
    Leaf,
    Rule,
    Scalar,
    Term,
    combine,
    fields_of,
    leaf_fields,
    loosen,
    simplify,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision, and the name of the rule that made it; '' when no rule allowed it."""

    allowed: bool
    rule: str


class Access:
    """Decides by the rules of its sources: a denial wins, then one permissive rule must hold and every
    restrictive one, and without a rule nothing is allowed. Rules are put together for an action when it is
    first asked for; then a decision is a call of one function.
    """

    def __init__(self, sources: Sequence[RuleSource] = PRESENT, clock: Callable[[], int] | None = None) -> None:
        self._rules = tuple(rule for source in sources for rule in source.rules())
        self._facts = facts(clock or _now)
        self._decisions = _Made(lambda action: combine(self._rules, action))
        self._sure = _Made(lambda action: self._predicate(self._decisions[action]))
        self._with_key = _Made(lambda action: self._loosened(action, frozenset({Field.OWNER})))
        self._in_bucket = _Made(lambda action: self._loosened(action, ROW_FIELDS))

    def check(self, who: Principal, action: Action, resource: Resource = SERVICE) -> None:
        """Decide, knowing everything: the row is the one that is there, None when there is none. Raises Denied."""
        if not self._sure[action](who, resource):
            raise Denied

    def check_before(self, who: Principal, action: Action, resource: Resource) -> None:
        """Decide before the row is known, or the key: raises Denied when no row, or no key, could change that.
        Whoever passes has yet to be checked.
        """
        made = self._in_bucket if resource.key is None else self._with_key
        if not made[action](who, resource):
            raise Denied

    def filter(self, who: Principal, action: Action, bucket: Bucket | None) -> Expression:
        """What must hold of a row of a list so that it may be seen: TRUE for everything, FALSE for nothing, else
        an expression over the row that the catalog makes part of its query. Rows are the versions or uploads of
        a bucket; without one they are buckets.
        """
        decision = self._decisions[action]
        unknown = BUCKET_FIELDS if bucket is None else ROW_FIELDS
        if unknown.isdisjoint(fields_of(decision)):
            return TRUE if self._sure[action](who, Resource(bucket)) else FALSE
        resource = Resource(bucket)

        def judge(leaf: Leaf) -> Expression:
            return self._judge(leaf, who, resource, unknown)

        return simplify(decision, judge)

    def explain(self, who: Principal, action: Action, resource: Resource = SERVICE) -> Explanation:
        """The decision of :meth:`check`, and why."""

        def first(effect: Effect, *, holding: bool) -> Rule | None:
            about = (rule for rule in self._rules if rule.effect is effect and action in rule.actions)
            return next((rule for rule in about if self._predicate(rule.when)(who, resource) is holding), None)

        against = first(Effect.DENY, holding=True)
        allowing = first(Effect.ALLOW, holding=True)
        if against is None and allowing is not None:
            against = first(Effect.REQUIRE, holding=False)
        if against is not None:
            return Explanation(False, against.name)
        return Explanation(allowing is not None, "" if allowing is None else allowing.name)

    def _predicate(self, expression: Expression) -> Predicate:
        return predicate(expression, self._facts)

    def _loosened(self, action: Action, unknown: frozenset[Field]) -> Predicate:
        return self._predicate(loosen(self._decisions[action], unknown))

    def _judge(self, leaf: Leaf, who: Principal, resource: Resource, unknown: frozenset[Field]) -> Expression:
        """What a leaf comes to: decided, or with what is known put in its place."""
        if unknown.isdisjoint(leaf_fields(leaf)):
            return Always(predicate(leaf, self._facts)(who, resource))

        def known(term: Term) -> Scalar | Field | None:
            return self._facts[term](who, resource) if isinstance(term, Field) and term not in unknown else term

        match leaf:
            case Granted(right):
                if holds_right(who, right, None):
                    return TRUE
                named = sorted(name for name, rights in who.grants.items() if right in rights)
                return simplify(AnyOf(tuple(Equal(Field.BUCKET, name) for name in named)))
            case Equal(left, right) | Begins(left, right) | Before(left, right):
                one, other = known(left), known(right)
                return FALSE if one is None or other is None else type(leaf)(one, other)
            case _:
                return TRUE  # a row has each of its facts


def _now() -> int:
    return time.time_ns() // 1000


class _Made(dict[Action, T]):
    """Something for each action, made when it is first wanted."""

    def __init__(self, make: Callable[[Action], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, action: Action) -> T:
        self[action] = made = self._make(action)
        return made


DEFAULT: Final = Access()
"""What decides unless the composition root says otherwise."""
