"""What a policy does, by the columns and rows that it names: for people who compare two without having the data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import rfc8785

from cape_airflow.policy.model import Policy, Rule, technique_document
from cape_airflow.transformations import Technique

Becomes = Literal["transformed", "kept", "dropped"]


@dataclass(frozen=True)
class Effect:
    """What becomes of the columns, or rows, that something names.

    Args:
        text: in one line, with the parameters.
        becomes: transformed, kept or dropped.
        techniques: policy types in the order applied.
        reversible: whoever holds the key can get the input back.
        linkable: equal inputs still give equal outputs.
    """

    text: str
    becomes: Becomes
    techniques: tuple[str, ...] = ()
    reversible: bool = False
    linkable: bool = False


@dataclass(frozen=True)
class EffectChange:
    """One column, matcher, or other part of a policy before and after; None where the policy does not speak of it."""

    what: str
    before: Effect | None
    after: Effect | None

    @property
    def changed(self) -> bool:
        """Whether anything is different."""
        return self.before != self.after


def effects(policy: Policy) -> dict[str, Effect]:
    """Return what a policy does by what it is about, e.g. ``column email``, ``columns by tag pii``, ``rows``."""
    found: dict[str, list[Effect]] = {}
    for rule in policy.rules:
        for what in _about(rule):
            found.setdefault(what, []).append(_effect(rule))
    rest: Becomes = "kept" if policy.default == "keep" else "dropped"
    text = "a column that no rule is about fails the run" if policy.default == "fail" else rest
    default = Effect(text, rest, linkable=rest == "kept")
    return {**{what: _chained(each) for what, each in found.items()}, "other columns": default}


def compare_effects(before: Policy | None, after: Policy) -> tuple[EffectChange, ...]:
    """Return everything that either policy speaks of, in the order of the text, whether it changes or not."""
    old, new = effects(before) if before else {}, effects(after)
    names = [*new, *(name for name in old if name not in new)]
    return tuple(EffectChange(name, old.get(name), new.get(name)) for name in names)


def describe(technique: Technique) -> str:
    """Return a technique with its parameters in one line, e.g. ``round(precision=-3)``."""
    parameters = technique_document(technique)
    name = parameters.pop("type")
    shown = ", ".join(f"{parameter}={rfc8785.dumps(value).decode()}" for parameter, value in parameters.items())
    return f"{name}({shown})" if shown else str(name)


def chain(techniques: Iterable[Technique]) -> str:
    """Return techniques in the order applied."""
    return " then ".join(describe(technique) for technique in techniques)


def _about(rule: Rule) -> Iterable[str]:
    if rule.match is None:
        return ["rows"]
    prefix = "column" if rule.match.kind == "name" else f"columns by {rule.match.kind}"
    return [f"{prefix} {value}" for value in rule.match.values]


def _effect(rule: Rule) -> Effect:
    if rule.where is not None:
        return Effect(f"dropped where {rule.where_text}", "dropped")
    if rule.keep is not None:
        return Effect(f"kept ({rule.keep})", "kept", linkable=True)
    techniques = [action.technique for action in rule.actions]
    types = tuple(technique.type for technique in techniques)
    if "suppress-attribute" in types:
        return Effect(chain(techniques), "dropped", types)
    reversible = all(technique.reversible for technique in techniques)
    linkable = all(technique.is_linkable for technique in techniques)
    return Effect(chain(techniques), "transformed", types, reversible, linkable)


def _chained(each: list[Effect]) -> Effect:
    """Return the effect of several rules on the same columns, one after the other."""
    if len(each) == 1:
        return each[0]
    kinds = {effect.becomes for effect in each}
    becomes: Becomes = "dropped" if "dropped" in kinds else "transformed" if "transformed" in kinds else "kept"
    return Effect(
        "; ".join(effect.text for effect in each),
        becomes,
        tuple(name for effect in each for name in effect.techniques),
        becomes == "transformed" and all(effect.reversible for effect in each),
        becomes != "dropped" and all(effect.linkable for effect in each),
    )
