"""How many rows are left: for techniques that must know how many reach them, and for whoever looks at a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from cape_airflow.datasets import Source
from cape_airflow.engines.bound import Rows, admitted, bind_steps
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan, Step, SuppressRecords, Transform
from cape_airflow.transformations import Family


def count_rows(
    plan: Plan, keys: KeyRing, total: int | None, batches: Callable[[], Iterable[pa.RecordBatch]]
) -> dict[int, int]:
    """Return the rows that reach each technique that asks, by the number of row suppressions before it.

    Each number costs a pass over the data, but for the rows before any suppression where `total` is known; a plan
    that does not ask costs nothing.

    Args:
        plan: as compiled.
        keys: as for `BoundPlan`: a suppression may depend on what earlier steps made of its columns.
        total: rows of the data, None where that is not known.
        batches: reads the data from its start.
    """
    counts: dict[int, int] = {}
    suppressions = end = 0
    for number, step in enumerate(plan.steps):
        if isinstance(step, SuppressRecords):
            suppressions, end = suppressions + 1, number + 1
        elif isinstance(step, Transform) and step.transformation.needs_row_count and suppressions not in counts:
            known = total if suppressions == 0 else None
            counts[suppressions] = _pass(plan, end, keys, counts, batches()) if known is None else known
    return counts


def _pass(plan: Plan, end: int, keys: KeyRing, counts: dict[int, int], batches: Iterable[pa.RecordBatch]) -> int:
    """Return the rows that are left after the first `end` steps."""
    steps = bind_steps(plan.steps[:end], keys, plan.domain, counts)
    left = 0
    for batch in batches:
        rows = admitted(plan, batch)
        for step in steps:
            step(rows)
        left += rows.batch.num_rows
    return left


class RowFilter:
    """The steps of a plan that decide which rows are left, and no others; keys are asked for only where these need any.

    Args:
        plan: as compiled.
        keys: where the key references of these steps resolve.

    Attributes:
        columns: names of the input columns that it looks at.
        tells: whether rows are dropped by what is the same in every run; else it leaves all of them.
    """

    def __init__(self, plan: Plan, keys: KeyRing) -> None:
        steps = _deciding(plan)
        self.tells = not any(isinstance(step, Transform) and _is_random(step) for step in steps)
        self.columns = frozenset(_looked_at(steps)) & set(plan.input_schema.names) if self.tells else frozenset()
        self._others = [name for name in plan.other_columns if name in self.columns]
        self._steps = bind_steps(steps if self.tells else (), keys, plan.domain, None)

    def left(self, batch: pa.RecordBatch) -> int:
        """Return how many rows of a batch are left."""
        if not self._steps:
            return int(batch.num_rows)
        read = [name for name in batch.schema.names if name in self.columns]
        rows = Rows(batch.select(read), inputs={name: batch.column(name) for name in self._others})
        for step in self._steps:
            step(rows)
        return int(rows.batch.num_rows)


def rows_left(plan: Plan, keys: KeyRing, source: Source, on_batch: Callable[[], None]) -> int:
    """Return how many rows of a source a plan leaves; all of them where that is up to random values.

    The source is read only where it does not say so itself.

    Args:
        plan: as compiled.
        keys: as for `RowFilter`.
        source: of the plan's input.
        on_batch: called for every batch; what it raises ends the counting.
    """
    row_filter = RowFilter(plan, keys)
    if not row_filter.columns and source.row_count is not None:
        return source.row_count
    wanted = [name for name in source.schema.names if name in row_filter.columns] or source.schema.names[:1]
    left = 0
    for batch in source.batches(wanted):
        on_batch()
        left += row_filter.left(batch)
    return left


def _deciding(plan: Plan) -> list[Step]:
    """Return the suppressions of rows, and what changes their columns before them, in order."""
    found: list[Step] = []
    for step in reversed(plan.steps):
        if isinstance(step, SuppressRecords) or (isinstance(step, Transform) and step.column in _looked_at(found)):
            found.append(step)
    return found[::-1]


def _looked_at(steps: Iterable[Step]) -> set[str]:
    names: set[str] = set()
    for step in steps:
        if isinstance(step, SuppressRecords):
            names |= step.condition.columns()
        elif isinstance(step, Transform):
            names |= {step.column, *step.transformation.other_columns.values()}
    return names


def _is_random(step: Transform) -> bool:
    return step.transformation.family is Family.RANDOMIZATION and not step.transformation.is_linkable
