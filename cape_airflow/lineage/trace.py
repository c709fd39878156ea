"""From a Plan to its lineage: where the values of each column come from, and whether they can still be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cape_airflow.lineage.facts import ColumnTrace, Influence, Lineage
from cape_airflow.policy import ColumnOutcome, Plan, SuppressRecords, Transform
from cape_airflow.policy.matching import tags
from cape_airflow.transformations import Transformation


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
