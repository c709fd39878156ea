"""Try a policy on a sample, for whoever reviews it: how many values, how many different ones, what they look like."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.datasets import Source
from cape_airflow.engines.bound import BoundPlan
from cape_airflow.engines.counting import count_rows
from cape_airflow.engines.failures import attempt
from cape_airflow.engines.frames import key_ring
from cape_airflow.jobs.dry_run import LONGEST_SHAPE, SMALLEST_GROUP, DryRun, DryRunColumn, Shape
from cape_airflow.keys import Key, KeyProvider, Secret
from cape_airflow.policy import ColumnOutcome, Policy, compile_plan

_VERSIONS = 64
_SHAPES = 5


class ThrowAwayKeys:
    """KeyProvider that knows every name: random keys of 32 bytes, for counts and shapes are the same under any key."""

    def get(self, name: str) -> Key:
        """Return a new key, the same for all its versions."""
        secret = Secret(os.urandom(32))
        return Key(name, dict.fromkeys(range(1, _VERSIONS + 1), secret))

    def names(self) -> tuple[str, ...]:
        """Return no name: there is none that it does not know."""
        return ()


def sample(source: Source, rows: int) -> pa.Table:
    """Return the first rows of a source, or all where it has fewer."""
    taken: list[pa.RecordBatch] = []
    left = rows
    batches = source.batches()
    for batch in batches:
        taken.append(batch.slice(0, left))
        left -= taken[-1].num_rows
        if left <= 0:
            break
    return pa.Table.from_batches(taken, source.schema)


def dry_run(policy: Policy, rows: pa.Table, keys: KeyProvider | None = None) -> DryRun:
    """Run a policy over a sample and count; nothing is written, and guarantees are not measured.

    Args:
        rows: the sample.
        keys: only for policies that read tokens (`reveal`), which throw-away keys cannot.

    Raises:
        SchemaMismatch, PolicyError: policy and sample do not fit.
        KeyUnavailable: a key is not among `keys`.
        DataError: values cannot be taken.
    """
    plan = compile_plan(policy, rows.schema)
    ring = key_ring(policy, keys or ThrowAwayKeys())
    batches = rows.select(list(plan.read_columns)).to_batches()
    bound = BoundPlan(plan, ring, count_rows(plan, ring, rows.num_rows, lambda: batches))
    output = pa.Table.from_batches([bound.run(batch) for batch in batches], plan.output_schema)
    return DryRun(
        policy_digest=plan.policy_digest,
        rows_in=rows.num_rows,
        rows_out=output.num_rows,
        columns=tuple(_column(outcome, rows, output) for outcome in plan.columns),
        warnings=plan.warnings,
        made_at=datetime.now(UTC),
    )


def _column(outcome: ColumnOutcome, rows: pa.Table, output: pa.Table) -> DryRunColumn:
    found: dict[str, Any] = _counted(rows[outcome.name], "before")
    if outcome.decision != "dropped":
        found |= _counted(output[outcome.name], "after")
    return DryRunColumn(
        name=outcome.name,
        input_type=outcome.input_type,
        output_type=outcome.output_type,
        decision=outcome.decision,
        techniques=outcome.techniques,
        **found,
    )


def _counted(column: pa.ChunkedArray, when: str) -> dict[str, Any]:
    text = _text(column)
    distinct = None if text is None else pc.count_distinct(text, mode="only_valid").as_py()
    shapes = () if text is None else tuple(_shapes(text))
    return {f"nulls_{when}": column.null_count, f"distinct_{when}": distinct, f"shapes_{when}": shapes}


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """Return the column as text; None for types that have none, such as lists."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_nested(kind) or pa.types.is_null(kind):
        return None
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return None
    return attempt(lambda: column.cast(kind).cast(pa.large_string()), "a column", "its dry run")


def _shapes(text: pa.ChunkedArray) -> Iterable[Shape]:
    masked = text.drop_null()
    for pattern, shape in ((r"\p{L}", "x"), (r"\p{Nd}", "9"), (r"[^ -~]", "?")):
        masked = pc.replace_substring_regex(masked, pattern, shape)
    masked = pc.utf8_slice_codeunits(masked, 0, LONGEST_SHAPE)
    groups = pc.value_counts(masked).to_pylist()
    told = sorted((group for group in groups if group["counts"] >= SMALLEST_GROUP), key=_most_frequent)
    return (Shape(shape=group["values"], rows=group["counts"]) for group in told[:_SHAPES])


def _most_frequent(group: dict[str, Any]) -> tuple[int, str]:
    return -group["counts"], group["values"]
