"""Text to `Condition`: an allow-list over sqlglot's tree; nothing in a condition is ever run as code.

Both styles that Cape's users know are taken, with one meaning:

- SQL: ``age < 18 or consent = false``, ``country in ('DE', 'FR')``, ``zip is null``, ``name like 'A%'``, ``between``;
- pandas: ``age < 18 and country == "DE"``, ``&``, ``|``, ``~( )``, ``!=``, ``in [1, 2]``. As in pandas' ``query``,
  ``&`` and ``|`` bind like ``and`` and ``or``.

Text in ' or " is a string; a column whose name is not a plain word stands in backticks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import isfinite

from sqlglot import exp
from sqlglot.dialects.spark import Spark
from sqlglot.errors import SqlglotError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from cape_airflow.errors import PolicyError
from cape_airflow.policy.condition import (
    And,
    Column,
    Comparison,
    Condition,
    In,
    IsNull,
    Like,
    Literal,
    Not,
    Or,
    Truth,
)
from cape_airflow.policy.literals import Value

MAX_LENGTH = 4_096
MAX_DEPTH = 50

_DIALECT = Spark()
_PANDAS_TOKENS = {TokenType.AMP: TokenType.AND, TokenType.PIPE: TokenType.OR, TokenType.TILDE: TokenType.NOT}
_PARTS = {"this", "expression", "expressions", "low", "high", "is_string"}
_COMPARISONS: dict[type[exp.Expr], tuple[str, str]] = {  # operator, and the same with sides swapped
    exp.EQ: ("=", "="),
    exp.NEQ: ("!=", "!="),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}


def parse_condition(text: str) -> Condition:
    """Parse a row condition.

    Args:
        text: at most 4,096 characters.

    Raises:
        PolicyError: it is outside the grammar, or names no column.
    """
    if len(text) > MAX_LENGTH:
        raise PolicyError(f"a condition has at most {MAX_LENGTH} characters")
    try:
        tokens = list(_tokens(_DIALECT.tokenize(text)))
        trees = _DIALECT.parser().parse(tokens, text)
    except SqlglotError:
        raise PolicyError(
            "this condition cannot be read; write for example `age < 18 or country in ('DE', 'FR')`"
        ) from None
    if len(trees) != 1 or trees[0] is None:
        raise PolicyError("a condition is exactly one expression")
    return _condition(trees[0])


def _tokens(tokens: Sequence[Token]) -> Iterator[Token]:
    """Turn pandas' operators into SQL's, and refuse what no condition needs."""
    depth = 0
    list_opened = False
    for position, token in enumerate(tokens):
        kind = token.token_type
        if token.comments:
            raise PolicyError("a condition holds no comments")
        if kind is TokenType.TILDE and not _followed_by_parenthesis(tokens, position):
            raise PolicyError("put parentheses after `~`: ~(a > 1)")
        if kind is TokenType.L_BRACKET and position and tokens[position - 1].token_type is TokenType.IN:
            kind, list_opened = TokenType.L_PAREN, True
        elif kind is TokenType.R_BRACKET and list_opened:
            kind, list_opened = TokenType.R_PAREN, False
        depth += {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}.get(kind, 0)
        if depth > MAX_DEPTH:
            raise PolicyError(f"a condition nests at most {MAX_DEPTH} parentheses")
        token.token_type = _PANDAS_TOKENS.get(kind, kind)
        yield token


def _followed_by_parenthesis(tokens: Sequence[Token], position: int) -> bool:
    return position + 1 < len(tokens) and tokens[position + 1].token_type is TokenType.L_PAREN


def _condition(node: exp.Expr) -> Condition:
    _check_parts(node)
    for kind, build in _BUILDERS:
        if type(node) is kind:
            return build(node)
    if type(node) in _COMPARISONS:
        return _comparison(node)
    raise _refused(node)


def _check_parts(node: exp.Expr) -> None:
    """Refuse a known node with a part that nobody here reads, e.g. the `symmetric` of `between symmetric`."""
    unread = {name for name, part in node.args.items() if part} - _PARTS
    if unread:
        raise _refused(node)


def _refused(node: exp.Expr) -> PolicyError:
    return PolicyError(
        f"`{node.key}` has no place in a condition; allowed are comparisons of a column, and, or, not, in, between, "
        "is null, like"
    )


def _comparison(node: exp.Expr) -> Condition:
    straight, swapped = _COMPARISONS[type(node)]
    left, right = node.this, node.expression
    if isinstance(left, exp.Column):
        other = _column(right) if isinstance(right, exp.Column) else Literal(_value(right))
        return Comparison(straight, _column(left), other)
    if isinstance(right, exp.Column):
        return Comparison(swapped, _column(right), Literal(_value(left)))
    if isinstance(left, tuple(_COMPARISONS)):
        raise PolicyError("comparisons do not chain; write `1 < a and a < 5`, or `a between 1 and 5`")
    raise PolicyError("a comparison needs a column on one side; without one it is true or false for all rows")


def _flatten(node: exp.Expr) -> tuple[Condition, ...]:
    return tuple(_condition(term) for term in node.flatten())


def _is(node: exp.Expr) -> Condition:
    if isinstance(node.expression, exp.Null):
        return IsNull(_column(node.this))
    if isinstance(node.expression, exp.Boolean):
        column = _column(node.this)  # `is true` is never null, so that `is not true` is true of a null
        return And((Comparison("=", column, Literal(bool(node.expression.this))), Not(IsNull(column))))
    raise _refused(node)


def _in(node: exp.Expr) -> Condition:
    if not node.expressions:
        raise _refused(node)
    return In(_column(node.this), tuple(Literal(_value(value)) for value in node.expressions))


def _between(node: exp.Expr) -> Condition:
    column = _column(node.this)
    low, high = Literal(_value(node.args["low"])), Literal(_value(node.args["high"]))
    return And((Comparison(">=", column, low), Comparison("<=", column, high)))


def _like(node: exp.Expr) -> Condition:
    pattern = _value(node.expression)
    if not isinstance(pattern, str):
        raise PolicyError("`like` takes a pattern in quotes")
    return Like(_column(node.this), pattern)


def _column(node: exp.Expr) -> Column:
    _check_parts(node)
    if not isinstance(node, exp.Column) or not isinstance(node.this, exp.Identifier) or node.table:
        raise _refused(node)
    if not node.this.quoted and node.name.casefold() in {"none", "nan"}:
        raise PolicyError("write `is null` for missing values")
    return Column(node.name)


def _value(node: exp.Expr) -> Value:
    _check_parts(node)
    if isinstance(node, exp.Null):
        raise PolicyError("nothing equals null; write `is null`")
    if isinstance(node, exp.Boolean):
        return bool(node.this)
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal) and not node.this.is_string:
        return -_number(node.this.name)
    if isinstance(node, exp.Literal):
        return node.name if node.is_string else _number(node.name)
    if isinstance(node, exp.Column):
        _column(node)
    raise _refused(node)


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        number = float(text)
    if not isfinite(number):
        raise PolicyError("a number in a condition is finite")
    return number


_BUILDERS: tuple[tuple[type[exp.Expr], Callable[[exp.Expr], Condition]], ...] = (
    (exp.Paren, lambda node: _condition(node.this)),
    (exp.And, lambda node: And(_flatten(node))),
    (exp.Or, lambda node: Or(_flatten(node))),
    (exp.Not, lambda node: Not(_condition(node.this))),
    (exp.Column, lambda node: Truth(_column(node))),
    (exp.Is, _is),
    (exp.In, _in),
    (exp.Between, _between),
    (exp.Like, _like),
)
