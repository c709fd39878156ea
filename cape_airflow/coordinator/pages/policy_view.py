"""A policy as people look at it: row by row what becomes of which columns, and its text line by line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cape_airflow.coordinator.pages import wording
from cape_airflow.policy import Policy
from cape_airflow.transformations import Technique


@dataclass(frozen=True)
class Effect:
    """What one technique does.

    Args:
        reversible: whoever has the key can get the value back.
        linkable: equal values stay equal, so that rows can be joined and counted by them.
        settings: the parameters that the policy sets.
        notes: what to know about just these parameters.
        keys: names of the keys that it takes.
    """

    title: str
    family: str
    effect: str
    type: str
    reversible: bool
    linkable: bool
    settings: list[tuple[str, str]]
    notes: list[str]
    keys: list[str]


@dataclass(frozen=True)
class Treatment:
    """One rule of a policy.

    Args:
        line: of the policy's text, from 1.
        about: which columns, in words; empty for a rule about rows.
        names: the names, globs, tags or types of these columns.
        effects: what happens, one after the other; empty where they are kept.
        keep: why they stay as they are; None where they do not.
        where: rows that are left out; empty for a rule about columns.
    """

    line: int
    about: str
    names: tuple[str, ...]
    effects: list[Effect]
    keep: str | None
    where: str


def effect_of(technique: Technique) -> Effect:
    """Return one technique as people look at it."""
    said = wording.words(type(technique))
    return Effect(
        title=said.title,
        family=wording.FAMILIES[technique.family],
        effect=said.effect,
        type=technique.type,
        reversible=technique.reversible,
        linkable=technique.is_linkable,
        settings=wording.settings(technique),
        notes=list(technique.notes()),
        keys=[reference.ref for reference in technique.key_references()],
    )


def treatments(policy: Policy) -> Iterator[Treatment]:
    """Yield the rules of a policy, in its order."""
    for rule in policy.rules:
        yield Treatment(
            line=rule.location.line,
            about=wording.about(rule.match) if rule.match else "",
            names=rule.match.values if rule.match else (),
            effects=[] if rule.where else [effect_of(action.technique) for action in rule.actions],
            keep=rule.keep,
            where=rule.where_text,
        )


def footing(policy: Policy) -> list[str]:
    """Return what holds for the policy as a whole, sentence by sentence."""
    promises = (wording.promise(guarantee) for guarantee in policy.guarantees)
    return [wording.DEFAULTS[policy.default], wording.scope(policy), *promises]


def lines(text: str) -> list[tuple[int, str]]:
    """Return the lines of a policy's text with their numbers."""
    return list(enumerate(text.splitlines(), start=1))
