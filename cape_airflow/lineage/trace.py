"""Column lineage of a Plan: per output column where its values come from, and whether they can still be read.

Of a policy only techniques and places are told, no parameters and no conditions: these may quote values. Whoever wants
the words finds them by the digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from cape_airflow.policy import ColumnOutcome, Plan, SuppressRecords, Transform
from cape_airflow.policy.matching import tags
from cape_airflow.policy.plan import Decision
from cape_airflow.transformations import Transformation


class Fact(BaseModel):
    """Base of what lineage tells: plain data, in JSON with the names that OpenLineage's own facets have."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True, use_attribute_docstrings=True
    )


class Influence(Fact):
    """A column that has a say in others' values or in which rows stay, while its own values go nowhere."""

    column: str
    """The input column."""
    masked: bool
    """What is read is no longer what came in, or does not show in what comes out."""
    what: str
    """What it decides, in a few words."""


class ColumnTrace(Fact):
    """What becomes of one input column."""

    name: str
    """The input column."""
    input_type: str
    """Arrow type as text."""
    output_type: str | None = None
    """The same, of what is written; absent where the column is dropped."""
    decision: Decision
    """What the policy decided."""
    techniques: tuple[str, ...]
    """Policy types in the order applied."""
    rules: tuple[str, ...]
    """Places in the policy, e.g. rules[2]."""
    masked: bool
    """What comes out, if anything, does not show what went in."""
    reversible: bool
    """It is masked, and whoever holds the keys gets the input back."""
    linkable: bool
    """Equal inputs still give equal outputs."""
    influences: tuple[Influence, ...] = ()
    """Other columns that its values depend on."""
    input_tags: tuple[str, ...] = ()
    """Tags of the column that is read."""
    output_tags: tuple[str, ...] = ()
    """Those that are still true of what is written: a one-way step ends them."""


class Lineage(Fact):
    """What a policy does to the columns of one dataset."""

    policy_digest: str
    """64 lower-case hex digits."""
    policy_label: str
    """Name of the policy, or empty."""
    columns: tuple[ColumnTrace, ...]
    """One for each input column, in their order."""
    filters: tuple[Influence, ...] = ()
    """Columns that decide which rows stay."""


def trace(plan: Plan) -> Lineage:
    """Return the lineage of a plan."""
    chains: dict[str, list[Transformation]] = {outcome.name: [] for outcome in plan.columns}
    influences: dict[str, list[Influence]] = {outcome.name: [] for outcome in plan.columns}
    filters: list[Influence] = []
    for step in plan.steps:
        if isinstance(step, Transform):
            chains[step.column].append(step.transformation)
            influences[step.column] += _influences(step.transformation)
        elif isinstance(step, SuppressRecords):  # it sees what the steps before it left
            filters += [
                Influence(column=name, masked=_masks(chains[name]), what=f"rows suppressed by {step.rule}")
                for name in sorted(step.condition.columns())
            ]
    return Lineage(
        policy_digest=plan.policy_digest,
        policy_label=plan.policy_label,
        columns=tuple(_column(plan, each, chains[each.name], influences[each.name]) for each in plan.columns),
        filters=tuple(filters),
    )


def _column(
    plan: Plan, outcome: ColumnOutcome, chain: Sequence[Transformation], influences: Sequence[Influence]
) -> ColumnTrace:
    dropped = outcome.output_type is None
    masked = dropped or _masks(chain)
    return ColumnTrace(
        name=outcome.name,
        input_type=outcome.input_type,
        output_type=outcome.output_type,
        decision=outcome.decision,
        techniques=outcome.techniques,
        rules=outcome.rules,
        masked=masked,
        reversible=masked and not dropped and not any(technique.one_way for technique in chain),
        linkable=outcome.linkable,
        influences=() if dropped else tuple(influences),
        input_tags=outcome.tags,
        output_tags=() if dropped else tags(plan.output_schema.field(outcome.name)),
    )


def _masks(chain: Iterable[Transformation]) -> bool:
    """Whether techniques, one after the other, hide what went in: revealing takes off one layer that a key put on."""
    layers = 0
    for technique in chain:
        if technique.one_way:
            return True
        layers = layers + 1 if technique.masks else max(layers - 1, 0)
    return layers > 0


def _influences(technique: Transformation) -> list[Influence]:
    return [
        Influence(column=other, masked=technique.masks, what=f"`{parameter}` of {technique.type}")
        for parameter, other in technique.other_columns.items()
    ]
