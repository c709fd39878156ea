"""Which place of its policy touched which column of a job, told from what the job reported.

A report names columns and techniques, not types and tags. Rules that match by name or pattern are told for certain; of
those that match by tag or dtype, the ones whose techniques are those that the column got.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from cape_airflow.errors import Location
from cape_airflow.jobs import ColumnCounts
from cape_airflow.policy import Policy
from cape_airflow.policy.model import Rule
from cape_airflow.transformations import SuppressAttribute, SuppressRecord, Technique

_TOLD_BY_NAME: dict[str, Callable[[str, str], bool]] = {"name": str.__eq__, "pattern": fnmatchcase}


@dataclass(frozen=True)
class AppliedRule:
    """A place of a policy that decided what becomes of a column.

    Args:
        line: 1-based line of the policy's text; None for its default.
        rule: the place, e.g. ``rules[2].actions[0]``.
        match: what the rule goes by, for people, e.g. ``name email``.
        certain: False where types or tags decided, which a report does not hold.
    """

    line: int | None
    rule: str
    match: str
    certain: bool = True


@dataclass(frozen=True)
class RowRule:
    """A place of a policy that drops rows: those for which `condition` is true."""

    line: int
    rule: str
    condition: str


def applied_rules(policy: Policy, column: ColumnCounts) -> tuple[AppliedRule, ...]:
    """Return the places that decided on a column, in the order in which they act."""
    if policy.version == 1:
        acting = [
            _applied(rule, action.location)
            for rule in policy.rules
            for action in rule.actions
            if _acts_on(rule, action.technique, column.name)
        ]
        return tuple(acting) or (_default(policy),)
    return _of_one_rule(policy, column)


def row_rules(policy: Policy) -> tuple[RowRule, ...]:
    """Return the places that drop rows."""
    found = [
        RowRule(rule.location.line, rule.location.rule, rule.where_text)
        for rule in policy.rules
        if rule.where is not None
    ]
    found += [
        RowRule(action.location.line, action.location.rule, action.technique.condition or "")
        for rule in policy.rules
        for action in rule.actions
        if isinstance(action.technique, SuppressRecord) and rule.where is None
    ]
    return tuple(found)


def _acts_on(rule: Rule, technique: Technique, name: str) -> bool:
    """Whether an action of version 1 is about that column."""
    if isinstance(technique, SuppressRecord):
        return False
    own = technique.columns if isinstance(technique, SuppressAttribute) else ()
    return name in (own or rule.columns.values)


def _of_one_rule(policy: Policy, column: ColumnCounts) -> tuple[AppliedRule, ...]:
    """Return the places of the one rule of version 2 that is about the column, the more exact match first."""
    about = [rule for rule in policy.rules if rule.match is not None]
    for kind, hits in _TOLD_BY_NAME.items():
        for rule in about:
            if rule.columns.kind == kind and any(hits(column.name, value) for value in rule.columns.values):
                return _places(rule, certain=True)
    likely = [rule for rule in about if rule.columns.kind not in _TOLD_BY_NAME and _does(rule) == _got(column)]
    return tuple(place for rule in likely for place in _places(rule, certain=False)) or (_default(policy),)


def _does(rule: Rule) -> tuple[str, ...] | None:
    return None if rule.keep is not None else tuple(action.technique.type for action in rule.actions)


def _got(column: ColumnCounts) -> tuple[str, ...] | None:
    return None if column.decision == "kept" else column.techniques


def _places(rule: Rule, *, certain: bool) -> tuple[AppliedRule, ...]:
    places = [action.location for action in rule.actions] or [rule.location]
    return tuple(_applied(rule, place, certain=certain) for place in places)


def _applied(rule: Rule, place: Location, *, certain: bool = True) -> AppliedRule:
    return AppliedRule(place.line, place.rule, str(rule.columns), certain)


def _default(policy: Policy) -> AppliedRule:
    return AppliedRule(None, "default", f"default: {policy.default}")
