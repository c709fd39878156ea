"""A Plan with its keys: the one definition of what happens to a batch, for all engines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from threading import Lock

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.arrow_types import type_name
from cape_airflow.datasets.rows import choose, compact
from cape_airflow.engines.failures import attempt
from cape_airflow.errors import DataError, SchemaMismatch, did_you_mean
from cape_airflow.jobs import ColumnCounts
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan, Step, SuppressAttributes, SuppressRecords, Transform
from cape_airflow.transformations import Binding, Kernel


@dataclass
class Rows:
    """A batch on its way through the steps.

    Args:
        batch: the rows that are left, in the columns that are left.
        survivors: int64 positions of the rows that are left in the batch that came in; None where all are.
        inputs: columns as they came in, for the rows that are left: those that were transformed, and the plan's
            `other_columns`.
    """

    batch: pa.RecordBatch
    survivors: pa.Array | None = None
    inputs: dict[str, pa.Array] = field(default_factory=dict)


BoundStep = Callable[[Rows], None]


class BoundPlan:
    """A Plan that can run, batch after batch. Threads may share one, unless the plan is `ordered`.

    All keys are asked for here, so that a missing one is found before the first row.

    Args:
        plan: as compiled.
        keys: where the plan's key references resolve.
        row_count: for techniques that ask for it: rows of the data; or, where the plan suppresses rows, the rows that
            are left, by the number of suppressions before the technique (see `engines.counting`).

    Raises:
        KeyUnavailable: a key cannot be had, or is of the wrong length.
    """

    def __init__(self, plan: Plan, keys: KeyRing, row_count: int | Mapping[int, int] | None = None) -> None:
        self.plan = plan
        self._steps = bind_steps(plan.steps, keys, plan.domain, row_count)
        self._lock = Lock()
        self._values: Counter[str] = Counter()
        self._nulls: Counter[str] = Counter()

    def run(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return what the plan makes of a batch.

        Args:
            batch: rows with at least the plan's `read_columns`, in any order, of the types of `input_schema`.

        Returns:
            The rows that are left, of `output_schema`.

        Raises:
            SchemaMismatch: the batch is not what the plan was compiled for.
            ValueRefused: values that a technique cannot take; the message counts them and shows none.
            DataError: a technique failed in another way.
        """
        return self.trace(batch)[0]

    def trace(self, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, pa.Array | None]:
        """Do as `run`, and tell the int64 positions of the rows that are left; None where all are."""
        rows = admitted(self.plan, batch)
        for step in self._steps:
            step(rows)
        output = self._output(rows)
        self._count(rows, output)
        return output, rows.survivors

    def _output(self, rows: Rows) -> pa.RecordBatch:
        schema = self.plan.output_schema
        columns = [_came_out(field, rows.batch.column(field.name)) for field in schema]
        return pa.RecordBatch.from_arrays(columns, schema=schema)

    def _count(self, rows: Rows, output: pa.RecordBatch) -> None:
        with self._lock:
            for name, column in zip(output.schema.names, output.columns, strict=True):
                entered = rows.inputs.get(name, column)
                self._values[name] += len(entered) - entered.null_count
                self._nulls[name] += column.null_count

    def columns(self) -> tuple[ColumnCounts, ...]:
        """Return what each input column got so far; dropped columns are not counted, since they are not read."""
        with self._lock:
            return tuple(
                ColumnCounts(
                    name=outcome.name,
                    techniques=outcome.techniques,
                    decision=outcome.decision,
                    values=self._values[outcome.name],
                    nulls=self._nulls[outcome.name],
                )
                for outcome in self.plan.columns
            )


def bind_steps(
    steps: Iterable[Step], keys: KeyRing, domain: str, row_count: int | Mapping[int, int] | None
) -> list[BoundStep]:
    """Return steps as functions, with keys and fresh random state; the arguments are those of `BoundPlan`.

    Raises:
        KeyUnavailable: a key cannot be had, or is of the wrong length.
    """
    counts = {0: row_count} if isinstance(row_count, int) else row_count or {}
    bound: list[BoundStep] = []
    suppressions = 0
    for step in steps:
        bound.append(_bind(step, keys, domain, counts.get(suppressions)))
        suppressions += isinstance(step, SuppressRecords)
    return bound


def admitted(plan: Plan, batch: pa.RecordBatch) -> Rows:
    """Return a batch before the first step: the columns that the plan reads.

    Raises:
        SchemaMismatch: one is missing, or of another type than the plan was compiled for.
    """
    for name in plan.read_columns:
        wanted = plan.input_schema.field(name).type
        position = batch.schema.get_field_index(name)
        if position < 0:
            hint = did_you_mean(name, batch.schema.names)
            raise SchemaMismatch(f"column `{name}`, which the plan was compiled with, is not in the data{hint}")
        if batch.schema.field(position).type != wanted:
            found, before = type_name(batch.schema.field(position).type), type_name(wanted)
            raise SchemaMismatch(f"column `{name}` is {found}, and was {before} when the plan was compiled")
    return Rows(batch.select(list(plan.read_columns)), inputs={name: batch.column(name) for name in plan.other_columns})


def _came_out(field: pa.Field, column: pa.Array) -> pa.Array:
    if column.type != field.type:  # Arrow would cast it in silence
        came, wanted = type_name(column.type), type_name(field.type)
        raise DataError(f"column `{field.name}` came out as {came}, and not as {wanted}")
    return attempt(lambda: compact(column, field.type), "the output", f"column `{field.name}`")


def _bind(step: Step, keys: KeyRing, domain: str, row_count: int | None) -> BoundStep:
    if isinstance(step, SuppressRecords):
        return lambda rows: _suppress_records(step, rows)
    if isinstance(step, SuppressAttributes):
        return lambda rows: _suppress_attributes(step, rows)
    asked = row_count if step.transformation.needs_row_count else None
    binding = Binding(keys=keys, domain=domain, column=step.column, row_count=asked)
    kernel = step.transformation.bind(binding)
    return lambda rows: _transform(step, kernel, rows)


def _suppress_records(step: SuppressRecords, rows: Rows) -> None:
    keep = pc.invert(attempt(lambda: step.condition.mask(rows.batch), step.rule, "the condition"))
    if rows.survivors is None:
        if keep.true_count == len(keep):
            return
        rows.survivors = pc.indices_nonzero(keep).cast(pa.int64())
    else:
        rows.survivors = rows.survivors.filter(keep)
    columns = [_chosen(name, rows.batch.column(name), keep, step.rule) for name in rows.batch.schema.names]
    rows.batch = pa.RecordBatch.from_arrays(columns, schema=rows.batch.schema)
    rows.inputs = {name: _chosen(name, column, keep, step.rule) for name, column in rows.inputs.items()}


def _chosen(name: str, column: pa.Array, keep: pa.BooleanArray, rule: str) -> pa.Array:
    return attempt(lambda: choose(column, keep), rule, f"the suppression of rows of column `{name}`")


def _suppress_attributes(step: SuppressAttributes, rows: Rows) -> None:
    present = [name for name in step.columns if name in rows.batch.schema.names]  # only-dropped ones are not read
    rows.batch = rows.batch.drop_columns(present)


def _transform(step: Transform, kernel: Kernel, rows: Rows) -> None:
    position = rows.batch.schema.get_field_index(step.column)
    column = rows.batch.column(position)
    place = f"column `{step.column}`, `{step.transformation.type}`"
    others = [rows.inputs[name] for name in step.transformation.other_columns.values()]
    result = attempt(lambda: kernel(column, *others), step.rule, place)
    if len(result) != len(column):
        raise DataError(f"{step.rule}: {place}: {len(column)} values became {len(result)}: an error of the technique")
    rows.inputs.setdefault(step.column, column)
    rows.batch = rows.batch.set_column(position, pa.field(step.column, result.type), result)
