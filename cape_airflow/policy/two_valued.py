"""Version 1's row conditions, with pandas' logic of two values: what is missing compares as false, and `!=` as true.

So ``consent != 'yes'`` and ``not (consent == 'yes')`` are true where consent is missing, and such rows are dropped as
Cape dropped them. Version 2 has SQL's three values instead, on every engine.
"""

from __future__ import annotations

from cape_airflow.policy.condition import And, Column, Comparison, Condition, In, IsNull, Like, Not, Or, Truth


def two_valued(condition: Condition) -> Condition:
    """Return a condition that is never null, and true wherever pandas' ``query`` says so."""
    if isinstance(condition, Not):
        return Not(two_valued(condition.term))
    if isinstance(condition, And | Or):
        return type(condition)(tuple(two_valued(term) for term in condition.terms))
    if isinstance(condition, Comparison) and condition.operator == "!=":
        return Or((*_missing(condition), condition))
    if isinstance(condition, Comparison | In | Like | Truth):
        return And((*(Not(missing) for missing in _missing(condition)), condition))
    return condition


def _missing(condition: Condition) -> list[IsNull]:
    return [IsNull(Column(name)) for name in sorted(condition.columns())]
