"""From an expression over rows to a condition in a query, so that a page is filtered before it is cut."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from string import ascii_lowercase
from typing import Final, NamedTuple

from entrepot.catalog.database import Sql, Value
from entrepot.catalog.operations.rows import LAST_KEY, key_end
from entrepot.rules import (
    TRUE,
    AllOf,
    Always,
    AnyOf,
    Begins,
    Equal,
    Expression,
    Field,
    Not,
    Term,
)

FILTERED: Final = "/*filtered*/"
"""Where a statement takes the condition: behind one of its own."""

VERSIONS: Final = {Field.KEY: "v.key", Field.OWNER: "v.owner"}
UPLOADS: Final = {Field.KEY: "u.key", Field.OWNER: "u.owner"}
BUCKETS: Final = {Field.BUCKET: "b.name", Field.BUCKET_OWNER: "b.owner", Field.PUBLIC: "b.public_read"}

Columns = Mapping[Field, str]
"""The columns that hold a row's facts: keys are bytes, owners and names text, and truth is 0 or 1."""


class Filter(NamedTuple):
    """A condition, '' for none, and its parameters by name. The text depends on the form of the expression and
    not on its values, so that a statement is prepared once.
    """

    text: str
    params: Mapping[str, Value]

    def of(self, sql: Sql) -> Sql:
        """A statement with this condition in it."""
        return _filtered(sql, self.text) if self.text else sql


@functools.lru_cache(maxsize=256)
def _filtered(sql: Sql, text: str) -> Sql:
    return Sql(sql.text.replace(FILTERED, f"AND {text}"))


EVERYTHING: Final = Filter("", {})


def compile_filter(expression: Expression, columns: Columns) -> Filter:
    """The condition for an expression that looks at nothing but the row."""
    return EVERYTHING if expression == TRUE else _Compiler(columns).compile(expression)


class _Compiler:
    def __init__(self, columns: Columns) -> None:
        self._columns = columns
        self._params: dict[str, Value] = {}

    def compile(self, expression: Expression) -> Filter:
        return Filter(self._text(expression), self._params)

    def _text(self, expression: Expression) -> str:
        match expression:
            case Always(holds):
                return "1 = 1" if holds else "1 = 0"
            case Not(inner):
                return f"NOT ({self._text(inner)})"
            case AllOf(parts):
                return f"({' AND '.join(map(self._text, parts))})"
            case AnyOf(parts):
                return f"({' OR '.join(map(self._text, parts))})"
            case Equal(left, right):
                return f"{self._operand(left, right)} = {self._operand(right, left)}"
            case Begins(Field() as field, str(prefix)):
                return self._beginning(field, prefix)
            case _:
                raise TypeError(f"{expression} is no condition on a row")

    def _operand(self, term: Term, other: Term) -> str:
        if isinstance(term, Field):
            return self._columns[term]
        if isinstance(term, str):
            return self._bind(term.encode() if other is Field.KEY else term)
        return self._bind(int(term))

    def _beginning(self, field: Field, prefix: str) -> str:
        column, first = self._columns[field], prefix.encode()
        if field is not Field.KEY:
            return f"substr({column}, 1, {len(prefix)}) = {self._bind(prefix)}"
        return f"({column} >= {self._bind(first)} AND {column} < {self._bind(key_end(first) or LAST_KEY)})"

    def _bind(self, value: Value) -> str:
        high, low = divmod(len(self._params), 26)
        name = f"only_{ascii_lowercase[high]}{ascii_lowercase[low]}"
        self._params[name] = value
        return f":{name}"
