"""Row conditions as Cape's clients take them: text that means the same to pandas' ``query`` and to Spark's SQL.

They evaluate what they are sent as it stands, and Spark's side skips a rule that it cannot read. So nothing is sent
that only one of them understands; conditions that need more are refused. Where values are missing, Spark drops more
rows than pandas, never fewer.
"""

from __future__ import annotations

import re

from cape_airflow.policy.condition import And, Column, Comparison, Condition, In, Literal, Not, Or, Truth

_COLUMN = re.compile(r"[\w .-]+")
_TEXT = re.compile(r"[^'\"\\\x00-\x1f\x7f]*")


def old_condition(condition: Condition) -> str:
    """Return the condition as text, in parentheses: Cape's Spark side puts a bare ``NOT`` before it.

    Raises:
        ValueError: it cannot be said so that both understand it; the message says what.
    """
    match condition:
        case Not(term=term):
            return f"(not {old_condition(term)})"
        case And(terms=terms) | Or(terms=terms):
            return f"({f' {condition.op} '.join(map(old_condition, terms))})"
        case Comparison(operator=operator, left=left, right=right):
            return _comparison(left, operator, right)
        case In(column=column, values=values):
            return f"({' or '.join(_comparison(column, '=', value) for value in values)})"
        case Truth(column=column):
            return _comparison(column, "=", Literal(True))
    raise ValueError(f"`{condition.op}` in its condition")


def _comparison(left: Column, operator: str, right: Column | Literal) -> str:
    other = _column(right) if isinstance(right, Column) else _literal(right)
    return f"({_column(left)} {'==' if operator == '=' else operator} {other})"


def _column(column: Column) -> str:
    if not _COLUMN.fullmatch(column.name):
        raise ValueError("the name of a column in its condition, which has more than letters, digits, blanks and - _ .")
    return f"`{column.name}`"


def _literal(literal: Literal) -> str:
    if not isinstance(literal.value, str):
        return repr(literal.value)
    if not _TEXT.fullmatch(literal.value):
        raise ValueError("a text in its condition, which has quotes, backslashes or control characters")
    return f"'{literal.value}'"
