"""The first passes of plans whose techniques must know how many rows reach them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from cape_airflow.engines.bound import admitted, bind_steps
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan, SuppressRecords, Transform


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
