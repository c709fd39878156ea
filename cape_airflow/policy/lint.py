"""What a reviewer should know before approving a policy: it is valid, but is it wise?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cape_airflow.errors import Location
from cape_airflow.policy.condition import Comparison, Condition, IsNull, Not
from cape_airflow.policy.model import INLINE, Policy
from cape_airflow.transformations import Family, Technique


@dataclass(frozen=True)
class Finding:
    """One remark.

    Args:
        level: ``error`` must not be approved; ``warning`` is for the reviewer to judge.
        message: what and why, without values of keys.
        location: its place in the text, where it has one.
    """

    level: Literal["error", "warning"]
    message: str
    location: Location | None = None

    def __str__(self) -> str:
        return f"{self.level}: {f'{self.location}: ' if self.location else ''}{self.message}"


def lint(policy: Policy) -> list[Finding]:
    """Return all findings, in the order of the text."""
    return list(_findings(policy))


def _nulls_that_stay(condition: Condition) -> list[str]:
    """Return columns that are negated, and nowhere asked for null: a missing value is then easily forgotten."""
    return sorted(_negated(condition) - _asked_for_null(condition))


def _negated(condition: Condition) -> frozenset[str]:
    if isinstance(condition, Not) and not isinstance(condition.term, IsNull):
        return condition.columns()
    if isinstance(condition, Comparison):
        return condition.columns() if condition.operator == "!=" else frozenset()
    return frozenset().union(*(_negated(term) for term in condition.terms_inside()))


def _asked_for_null(condition: Condition) -> frozenset[str]:
    if isinstance(condition, IsNull):
        return condition.columns()
    return frozenset().union(*(_asked_for_null(term) for term in condition.terms_inside()))


def _guessable(technique: Technique) -> bool:
    """Whether it is an unkeyed hash, as one of a user's own may be; ours draw a random key where none is given."""
    hides = technique.family in (Family.PSEUDONYMIZATION, Family.CRYPTOGRAPHIC)
    return hides and technique.is_linkable and "key" not in type(technique).model_fields


def _findings(policy: Policy) -> Iterator[Finding]:
    if policy.default == "keep":
        yield Finding(
            "warning", "a column that no rule is about passes unchanged; `default: fail` (version 2) refuses it"
        )
    for rule in policy.rules:
        if rule.where is not None and (names := _nulls_that_stay(rule.where)):
            message = f"rows without {' or '.join(names)} stay; add `or {names[0]} is null` to suppress them too"
            yield Finding("warning", message, rule.location)
        for action in rule.actions:
            technique = action.technique
            for reference in technique.key_references():
                if reference.ref.startswith(INLINE):
                    yield Finding("error", "a key stands in the text; name it: `key: {ref: NAME}`", action.location)
            if _guessable(technique):
                message = f"`{technique.type}` takes no key: whoever guesses a value can check the guess"
                yield Finding("warning", message, action.location)
            for note in technique.notes():
                yield Finding("warning", f"`{technique.type}`: {note}", action.location)
