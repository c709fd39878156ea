"""What a policy guarantees, measured by Spark in one aggregate job, however many rows and guarantees."""

from __future__ import annotations

from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from cape_airflow.disclosure import KAnonymity
from cape_airflow.engines.spark.catalyst import column_of
from cape_airflow.engines.spark.division import repeatable
from cape_airflow.engines.spark.failures import own_errors
from cape_airflow.errors import DataError
from cape_airflow.policy import Plan, SuppressRecords, Transform
from cape_airflow.policy.model import Guarantee


def refuse_unstable_guarantees(plan: Plan) -> None:
    """Refuse guarantees of what Spark makes anew when it is asked again: what was checked is not what is written.

    Raises:
        DataError: names the columns.
    """
    noisy = {step.column for step in plan.steps if isinstance(step, Transform) and not repeatable(step)}
    asked = {name for guarantee in plan.guarantees for name in guarantee.quasi_identifiers}
    if plan.guarantees:
        asked |= {name for step in plan.steps if isinstance(step, SuppressRecords) for name in step.condition.columns()}
    if noisy & asked:
        names = ", ".join(f"`{name}`" for name in sorted(noisy & asked))
        raise DataError(f"guarantees depend on noise in {names}, drawn anew each time; check them on what was written")


def check_guarantees(plan: Plan, output: DataFrame) -> None:
    """Refuse an output that does not keep what the plan guarantees. A plan without guarantees costs nothing.

    Give it what was written, and not yet published: Spark would compute another output again, and draw noise anew.

    Args:
        plan: as compiled.
        output: rows that came out, of the plan's `output_schema`.

    Raises:
        GuaranteeBroken: says which, and for how many rows.
    """
    if not plan.guarantees:
        return
    measured = [_small_groups(output, place, each) for place, each in enumerate(plan.guarantees)]
    with own_errors():
        counts = {row["place"]: row for row in reduce(DataFrame.unionAll, measured).collect()}
    for place, guarantee in enumerate(plan.guarantees):
        KAnonymity(guarantee.k, guarantee.quasi_identifiers).judge(counts[place]["rows"], counts[place]["groups"])


def _small_groups(output: DataFrame, place: int, guarantee: Guarantee) -> DataFrame:
    """Return one row: how many rows are in groups that are too small, and how many groups these are."""
    grouped = output.groupBy(*(_compared(output, name) for name in guarantee.quasi_identifiers)).count()
    small = grouped.filter(sf.col("count") < guarantee.k)
    rows = sf.coalesce(sf.sum("count"), sf.lit(0))
    return small.agg(rows.alias("rows"), sf.count("*").alias("groups")).withColumn("place", sf.lit(place))


def _compared(output: DataFrame, name: str) -> Column:
    """Return the column by its bytes where it is text: a collation may take unlike text for equal."""
    column = column_of(name)
    return column.cast("binary") if isinstance(output.schema[name].dataType, StringType) else column
