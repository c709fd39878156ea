"""Which part of a plan Spark does itself, and which part the kernels do: only their columns travel to Python."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pyarrow as pa
from pyspark.sql import Column

from cape_airflow.engines.spark.catalyst import column_of, technique_form
from cape_airflow.engines.spark.filters import kept_rows
from cape_airflow.policy import Plan, SuppressRecords, Transform


@dataclass(frozen=True)
class Division:
    """A plan in two parts.

    Args:
        filters: conditions for rows that stay, which Spark tests first, and may push down to the source.
        columns: transformed columns as expressions of Spark, by name.
        kernels: the rest, as a plan of its own; None where nothing is left.
    """

    filters: tuple[Column, ...]
    columns: dict[str, Column]
    kernels: Plan | None


def divide(plan: Plan) -> Division:
    """Return what Spark does itself: leading row conditions and whole columns, where it does exactly as the kernels.

    Where rows are suppressed later than that, the kernels do all the rest, so that values of suppressed rows are
    refused, or not, as on every engine.
    """
    filters = _leading_filters(plan)
    rest = plan.steps[len(filters) :]
    suppresses = any(isinstance(step, SuppressRecords) for step in rest)
    columns = {} if suppresses else _columns(plan)
    steps = tuple(
        step
        for step in rest
        if isinstance(step, SuppressRecords) or (isinstance(step, Transform) and step.column not in columns)
    )
    return Division(filters, columns, _kernels(plan, steps) if steps else None)


def repeatable(step: Transform) -> bool:
    """Whether the technique makes the same of the same rows when Spark computes them again."""
    return step.transformation.is_linkable


def _leading_filters(plan: Plan) -> tuple[Column, ...]:
    filters: list[Column] = []
    for step in plan.steps:
        kept = kept_rows(step.condition, plan.input_schema) if isinstance(step, SuppressRecords) else None
        if kept is None:
            break
        filters.append(kept)
    return tuple(filters)


def _columns(plan: Plan) -> dict[str, Column]:
    chains: dict[str, list[Transform]] = {}
    for step in plan.steps:
        if isinstance(step, Transform):
            chains.setdefault(step.column, []).append(step)
    forms = {name: _chain(chain, plan.input_schema.field(name).type) for name, chain in chains.items()}
    return {name: form for name, form in forms.items() if form is not None}


def _chain(steps: list[Transform], kind: pa.DataType) -> Column | None:
    form = column_of(steps[0].column)
    for step in steps:
        following = technique_form(step, form, kind)
        if following is None:
            return None
        form = following
        kind = step.transformation.output_type(kind)
    return form


def _kernels(plan: Plan, steps: tuple[Transform | SuppressRecords, ...]) -> Plan:
    """Return a plan of these steps: it reads and gives back no other columns than those that they are about."""
    touched = {step.column for step in steps if isinstance(step, Transform)}
    output = pa.schema([field for field in plan.output_schema if field.name in touched])
    part = replace(
        plan,
        steps=steps,
        columns=tuple(each for each in plan.columns if each.name in output.names),
        output_schema=output,
        guarantees=(),
        warnings=(),
    )
    return replace(part, input_schema=pa.schema([plan.input_schema.field(name) for name in part.read_columns]))
