"""Column lineage of a Plan: per output column where its values come from, and whether they can still be read.

Of a policy only techniques and places are told, no parameters and no conditions: these may quote values. Whoever wants
the words finds them by the digest.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from cape_airflow.policy import ColumnOutcome, Plan, SuppressRecords, Transform
from cape_airflow.policy.matching import tags
from cape_airflow.policy.plan import Decision
from cape_airflow.transformations import Transformation


class Fact(BaseModel):
    """Base of what lineage tells: plain data, in JSON with the names that OpenLineage's own facets have."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True)


class Influence(Fact):
    """A column that has a say in others' values or in which rows stay, while its own values go nowhere.

    Args:
        column: the input column.
        masked: what is read is no longer what came in.
        what: what it decides, in a few words.
    """

    column: str
    masked: bool
    what: str


class ColumnTrace(Fact):
    """What becomes of one input column.

    Args:
        name, decision, techniques, rules, linkable: as of `policy.ColumnOutcome`.
        input_type, output_type: Arrow types as text; `output_type` is None where the column is dropped.
        masked: what comes out, if anything, does not show what went in.
        reversible: it is masked, and whoever holds the keys gets the input back.
        influences: other columns that its values depend on.
        input_tags: tags of the column that is read.
        output_tags: those that are still true of what is written: a one-way step ends them.
    """

    name: str
    input_type: str
    output_type: str | None
    decision: Decision
    techniques: tuple[str, ...]
    rules: tuple[str, ...]
    masked: bool
    reversible: bool
    linkable: bool
    influences: tuple[Influence, ...] = ()
    input_tags: tuple[str, ...] = ()
    output_tags: tuple[str, ...] = ()


class Lineage(Fact):
    """What a policy does to the columns of one dataset.

    Args:
        policy_digest: 64 lower-case hex digits.
        policy_label: name of the policy, or empty.
        columns: one for each input column, in their order.
        filters: columns that decide which rows stay.
    """

    policy_digest: str
    policy_label: str
    columns: tuple[ColumnTrace, ...]
    filters: tuple[Influence, ...] = ()


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


def _masks(chain: Sequence[Transformation]) -> bool:
    """Whether techniques, one after the other, hide what went in: revealing undoes all but one-way steps."""
    return any(technique.one_way for technique in chain) or (bool(chain) and chain[-1].masks)


def _influences(technique: Transformation) -> list[Influence]:
    return [
        Influence(column=other, masked=technique.masks, what=f"`{parameter}` of {technique.type}")
        for parameter, other in technique.other_columns.items()
    ]
