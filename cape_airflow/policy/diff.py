"""What changes for the data from one policy to another: by column where a schema is known, else by rule."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from cape_airflow.policy.compiler import compile_plan
from cape_airflow.policy.effects import chain, effects
from cape_airflow.policy.model import Policy
from cape_airflow.policy.plan import Plan, SuppressRecords, Transform
from cape_airflow.transformations import Technique


@dataclass(frozen=True)
class Change:
    """One difference.

    Args:
        what: e.g. ``column email``, ``rows``, ``default``.
        before, after: what happens under the one and the other policy; empty where nothing is said.
    """

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what}: {self.before or '(nothing)'} -> {self.after or '(nothing)'}"


def diff(before: Policy, after: Policy, schema: pa.Schema | None = None) -> list[Change]:
    """Return the differences in effect between two policies.

    Args:
        before: the policy that counts now.
        after: the proposed one.
        schema: of the data; without it, rules are compared by what they are about.

    Raises:
        SchemaMismatch, PolicyError: one of them cannot be compiled against the schema.
    """
    old, new = _effects(before, schema), _effects(after, schema)
    names = [*old, *(name for name in new if name not in old)]
    changes = (Change(name, old.get(name, ""), new.get(name, "")) for name in names)
    return [change for change in changes if change.before != change.after]


def _effects(policy: Policy, schema: pa.Schema | None) -> dict[str, str]:
    if schema:
        return {**_head(policy), **_plan_effects(compile_plan(policy, schema))}
    rules = {what: effect.text for what, effect in effects(policy).items() if what != "other columns"}
    return {**_head(policy), **rules}


def _head(policy: Policy) -> dict[str, str]:
    guarantees = (f"{each.k}-anonymity over {', '.join(each.quasi_identifiers)}" for each in policy.guarantees)
    return {"domain": policy.domain, "default": policy.default, "guarantees": "; ".join(guarantees)}


def _plan_effects(plan: Plan) -> dict[str, str]:
    chains: dict[str, list[Technique]] = {}
    for step in plan.steps:
        if isinstance(step, Transform):
            chains.setdefault(step.column, []).append(step.transformation)
    effects = {
        f"column {outcome.name}": f"{chain(chains[outcome.name])} -> {outcome.output_type}"
        if outcome.decision == "transformed"
        else outcome.how
        for outcome in plan.columns
    }
    rows = (f"dropped where {step.text}" for step in plan.steps if isinstance(step, SuppressRecords))
    return {**effects, "rows": "; ".join(rows)}
