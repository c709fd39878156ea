"""Approved policies in the shape that Cape's clients run: ``rules`` and ``transformations`` of version 1.

They are written anew from what was approved, never copied: what those clients would skip, misread or leave undone is
refused, for they must not run a weaker policy than the one that was reviewed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cape_airflow.coordinator.graphql.old_conditions import old_condition
from cape_airflow.coordinator.problems import Problem
from cape_airflow.keys import Secret
from cape_airflow.keys.encoding import to_base64url
from cape_airflow.policy import Policy
from cape_airflow.policy.condition_parser import parse_condition
from cape_airflow.policy.model import Action, Rule
from cape_airflow.transformations import SuppressAttribute, SuppressRecord, Technique
from cape_airflow.transformations.version1.dates import DatePerturbation, DateTruncation
from cape_airflow.transformations.version1.numbers import NumericPerturbation, NumericRounding
from cape_airflow.transformations.version1.tokens import ReversibleTokenizer, Tokenizer, TokenReverser

Material = Callable[[str, bool], Secret]
"""Gives the primary version of a key, by its name and by whether it is to turn tokens back."""

_WITH_PARAMETERS = (
    DatePerturbation,
    DateTruncation,
    NumericPerturbation,
    NumericRounding,
    ReversibleTokenizer,
    Tokenizer,
    TokenReverser,
)
_FREQUENCIES = {  # the only spellings that `date-perturbation` of Cape knows
    "year": "YEAR",
    "month": "MONTH",
    "day": "DAY",
    "hour": "HOUR",
    "minute": "minutes",
    "second": "seconds",
}


@dataclass
class OldPolicy:
    """What the clients expand into their ``Policy``; what has a key is in `transformations`: rules hold none."""

    rules: list[dict[str, Any]] = field(default_factory=list)
    transformations: list[dict[str, Any]] = field(default_factory=list, repr=False)


def old_policy(policy: Policy, material: Material) -> OldPolicy:
    """Return a policy in Cape's shape.

    Args:
        material: asked once for every action with a key.

    Raises:
        Problem: 409 ``not-for-old-clients`` where Cape's clients would not do all that the policy says.
    """
    if policy.version != 1:
        raise _refused(
            "it is of version 2: they know neither its default for other columns nor its matches and guarantees, and "
            "pass over columns that are missing"
        )
    old = OldPolicy()
    for rule in policy.rules:
        actions = [written for action in rule.actions for written in _action(rule, action, old, material)]
        old.rules.append({"match": {"name": rule.columns.values[0]}, "actions": actions})
    return old


def _action(rule: Rule, action: Action, old: OldPolicy, material: Material) -> list[Any]:
    technique, place = action.technique, action.location.rule
    if isinstance(technique, SuppressAttribute):
        # One by one: of a list with a column that is missing, they drop none.
        names = technique.columns or rule.columns.values
        return [_transform("column-redact", columns=[name]) for name in names]
    if isinstance(technique, SuppressRecord):
        return [_transform("row-redact", condition=_condition(technique, place))]
    if not isinstance(technique, _WITH_PARAMETERS):
        raise _refused(f"{place}: they do not know `{technique.type}`")
    return [_with_parameters(technique, old, material)]


def _condition(technique: SuppressRecord, place: str) -> str:
    try:
        return old_condition(parse_condition(technique.condition or ""))
    except ValueError as error:
        raise _refused(f"{place}: they do not read {error}") from None


def _with_parameters(technique: Technique, old: OldPolicy, material: Material) -> dict[str, Any]:
    parameters = technique.model_dump(mode="json", exclude_none=True, exclude={"key"})
    if isinstance(technique, DatePerturbation):
        parameters["frequency"] = [_FREQUENCIES[unit] for unit in technique.frequency]
    key = technique.key if isinstance(technique, Tokenizer | ReversibleTokenizer | TokenReverser) else None
    if key is None:
        return _transform(technique.type, **parameters)
    secret = material(key.ref, isinstance(technique, TokenReverser))
    value = {"type": "secret", "name": key.ref, "value": to_base64url(secret.reveal())}
    name = f"transformation-{len(old.transformations) + 1}"
    old.transformations.append({"name": name, "type": technique.type, **parameters, "key": value})
    return {"transform": {"name": name}}


def _transform(kind: str, **parameters: Any) -> dict[str, Any]:
    return {"transform": {"type": kind, **parameters}}


def _refused(why: str) -> Problem:
    return Problem(409, "not-for-old-clients", f"clients of Cape cannot run this policy: {why}; use cape_airflow")
