"""What a job report tells of columns and rows, counted by Spark while it computes the output, without a job more."""

from __future__ import annotations

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as sf

from cape_airflow.engines.spark.catalyst import column_of
from cape_airflow.engines.spark.frames import applied_to
from cape_airflow.errors import DataError
from cape_airflow.jobs import ColumnCounts
from cape_airflow.keys import KeyRing
from cape_airflow.policy import Plan


class Counts:
    """What was counted, known when the first action over the DataFrame has ended; asked before, it waits for that."""

    def __init__(self, plan: Plan, entered: Observation | None, left: Observation) -> None:
        self._plan = plan
        self._entered = entered
        self._left = left

    @property
    def rows_in(self) -> int | None:
        """Rows that were read; None where they were not counted."""
        return None if self._entered is None else int(self._entered.get["rows"])

    @property
    def rows_out(self) -> int:
        """Rows that came out."""
        return int(self._left.get["rows"])

    @property
    def columns(self) -> tuple[ColumnCounts, ...]:
        """What each input column got; dropped ones are not counted."""
        found = self._left.get
        return tuple(
            ColumnCounts(
                name=outcome.name,
                techniques=outcome.techniques,
                decision=outcome.decision,
                values=found.get(f"values {place}", 0),
                nulls=found.get(f"nulls {place}", 0),
            )
            for place, outcome in enumerate(self._plan.columns)
        )


def counted(plan: Plan, keys: KeyRing, df: DataFrame, *, rows_in: bool = True) -> tuple[DataFrame, Counts]:
    """Do as `apply_plan`, and count. A task that Spark repeats in an earlier stage than the last is counted again.

    Args:
        plan, keys, df: as for `apply_plan`; not a stream.
        rows_in: count the rows that are read, too. Spark then cannot push row conditions down to the source.

    Returns:
        The output, and what is known when it has been computed once.
    """
    if df.isStreaming:
        raise DataError("the rows of a stream have no end to be counted at; listen to its progress instead")
    entered = Observation() if rows_in else None
    if entered is not None:
        df = df.observe(entered, sf.count("*").alias("rows"))
    applied = applied_to(plan, keys, df)
    inputs = {place: each.name for place, each in enumerate(plan.columns) if each.decision != "dropped"}
    rows = applied.rows.select(
        *(column_of(name).isNotNull().alias(f"in {place}") for place, name in inputs.items()),
        *(applied.output[name].alias(f"out {place}") for place, name in inputs.items()),
    )
    left = Observation()
    counts = [sf.count("*").alias("rows")]
    for place in inputs:
        counts.append(sf.count_if(column_of(f"in {place}")).alias(f"values {place}"))
        counts.append(sf.count_if(column_of(f"out {place}").isNull()).alias(f"nulls {place}"))
    output = rows.observe(left, *counts).select(
        *(column_of(f"out {place}").alias(name) for place, name in inputs.items())
    )
    return output, Counts(plan, entered, left)
