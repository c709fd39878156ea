"""What is told about a dry run: counts and shapes of values, for a reviewer; never a value.

A shape is a value with ``x`` in place of every letter and ``9`` in place of every digit. It is told only where at least
ten rows have it, so that it is nobody's alone.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

SMALLEST_GROUP = 10
"""Rows that a shape stands for, at least."""

LONGEST_SHAPE = 40
"""Characters of a shape; longer values are cut off."""

Count = Annotated[int, Field(ge=0)]
Text = Annotated[str, Field(max_length=300)]


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shape(_Message):
    """How values look, and how many rows have one that looks so."""

    shape: Annotated[str, Field(max_length=LONGEST_SHAPE, pattern=r"^[x9 -/:-@\[-`{-~]*$")]
    rows: Annotated[int, Field(ge=SMALLEST_GROUP)]


class DryRunColumn(_Message):
    """What one input column got.

    Args:
        input_type, output_type: Arrow types as text; `output_type` is None where the column is dropped.
        decision: transformed, kept or dropped; techniques: policy types in the order applied.
        nulls_before, nulls_after: null values in the rows that went in and came out.
        distinct_before, distinct_after: different values; None where they cannot be counted.
        shapes_before, shapes_after: the most frequent ones.
    """

    name: Text
    input_type: Text
    output_type: Text | None = None
    decision: Text
    techniques: Annotated[tuple[Text, ...], Field(max_length=50)] = ()
    nulls_before: Count = 0
    nulls_after: Count = 0
    distinct_before: Count | None = None
    distinct_after: Count | None = None
    shapes_before: Annotated[tuple[Shape, ...], Field(max_length=5)] = ()
    shapes_after: Annotated[tuple[Shape, ...], Field(max_length=5)] = ()


class DryRun(_Message):
    """What a policy would do to a sample.

    Args:
        policy_digest: 64 lower-case hex digits.
        rows_in, rows_out: rows of the sample, and those that are left.
        warnings: what the plan warns of.
    """

    policy_digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    rows_in: Count
    rows_out: Count
    columns: Annotated[tuple[DryRunColumn, ...], Field(max_length=2000)]
    warnings: Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], Field(max_length=200)] = ()
    made_at: datetime
