"""Which rule is about which column (version 2).

- A more exact match wins over a looser one: name, then pattern, then tag, then dtype.
- Two rules of the same exactness on one column are an error, not a surprise.
- A rule that matches nothing is an error, unless it says ``optional: true``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import fnmatchcase

import pyarrow as pa

from cape_airflow.arrow_types import unwrapped
from cape_airflow.errors import PolicyError, SchemaMismatch, did_you_mean
from cape_airflow.kernels.text import is_text
from cape_airflow.policy.model import Match, MatchKind, Rule

TAGS = b"cape.tags"
"""Key of an Arrow field's metadata that holds the column's tags, comma-separated."""

_EXACTNESS: tuple[MatchKind, ...] = ("name", "pattern", "tag", "dtype")
_DTYPES: dict[str, Callable[[pa.DataType], bool]] = {
    "string": is_text,
    "integer": pa.types.is_integer,
    "float": pa.types.is_floating,
    "decimal": pa.types.is_decimal,
    "boolean": pa.types.is_boolean,
    "date": pa.types.is_date,
    "timestamp": pa.types.is_timestamp,
    "time": pa.types.is_time,
    "duration": lambda kind: pa.types.is_duration(kind) or pa.types.is_interval(kind),
    "binary": lambda kind: (
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    ),
    "nested": pa.types.is_nested,
}


def assign(rules: tuple[Rule, ...], schema: pa.Schema) -> dict[str, Rule]:
    """Return the rule of every column that one is about.

    Args:
        rules: all rules of a version 2 policy.
        schema: of the data.

    Raises:
        SchemaMismatch: a rule matches no column.
        PolicyError: two rules of the same exactness are about one column; a `dtype` is unknown.
    """
    assigned: dict[str, Rule] = {}
    for kind in _EXACTNESS:
        of_kind = [rule for rule in rules if rule.match and rule.match.kind == kind]
        hits = {rule.location: _columns(rule, schema) for rule in of_kind}
        for field in schema:
            about = [rule for rule in of_kind if field.name in hits[rule.location]]
            if len(about) > 1:
                first, second = about[0], about[1]
                raise PolicyError(
                    f"two rules are about column `{field.name}` by {kind}: {first.location.rule} "
                    f"(line {first.location.line}) and this one; keep one",
                    second.location,
                )
            if about:
                assigned.setdefault(field.name, about[0])
    return assigned


def _columns(rule: Rule, schema: pa.Schema) -> set[str]:
    match = rule.columns
    columns: set[str] = set()
    for value in match.values:
        hit = {field.name for field in schema if _matches(match, value, field, rule)}
        if not hit and not match.optional:
            raise missing(match.kind, value, schema.names, rule)
        columns |= hit
    return columns


def missing(kind: str, value: str, columns: list[str], rule: Rule) -> SchemaMismatch:
    """Return the error for a rule that is about a column that is not there."""
    hint = did_you_mean(value, columns) if kind == "name" else ""
    allowed = "If it may be missing, add `optional: true` to the match"
    return SchemaMismatch(f"{rule.location}: no column matches {kind} `{value}`{hint or '.'} {allowed}")


def _matches(match: Match, value: str, field: pa.Field, rule: Rule) -> bool:
    if match.kind == "name":
        return bool(field.name == value)
    if match.kind == "pattern":
        return fnmatchcase(field.name, value)
    if match.kind == "tag":
        return value in tags(field)
    if value in _DTYPES:
        return bool(_DTYPES[value](unwrapped(field.type)))
    if value == str(field.type):
        return True
    if _is_type_name(value):
        return False
    raise PolicyError(f"`dtype` is one of {', '.join(_DTYPES)}, or an Arrow type such as int64", rule.location)


def _is_type_name(value: str) -> bool:
    name = re.split(r"[\[(<]", value, maxsplit=1)[0]
    try:
        pa.type_for_alias(name)
    except ValueError:
        return name in {"timestamp", "decimal128", "decimal256", "dictionary"}
    return True


def tags(field: pa.Field) -> tuple[str, ...]:
    """Return a column's tags, e.g. ``user.contact.email``, from its metadata ``cape.tags``."""
    text = (field.metadata or {}).get(TAGS, b"").decode("utf-8", "replace")
    return tuple(tag.strip() for tag in text.split(",") if tag.strip())
