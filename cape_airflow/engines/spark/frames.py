"""Policies on DataFrames of Spark, classic and Connect, batch and streaming. Nothing runs until Spark is asked to."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.pandas import functions as over_arrow
from pyspark.sql.types import BooleanType, StructField, StructType

from cape_airflow.engines.bound import admitted
from cape_airflow.engines.frames import key_ring
from cape_airflow.engines.spark.catalyst import column_of
from cape_airflow.engines.spark.division import divide, repeatable
from cape_airflow.engines.spark.guarantees import check_guarantees, refuse_unstable_guarantees
from cape_airflow.engines.spark.shipment import KEPT, RESULT, Kernels, slot
from cape_airflow.engines.spark.types import arrow_schema, spark_type
from cape_airflow.errors import DataError, SchemaMismatch
from cape_airflow.keys import KeyProvider, KeyRing
from cape_airflow.policy import Plan, Policy, SuppressRecords, Transform, compile_plan, load_policy

logger = logging.getLogger(__name__)


def apply(policy: Policy | str, df: DataFrame, keys: KeyRing | KeyProvider | None = None) -> DataFrame:
    """Apply a policy to a DataFrame of Spark, and return the DataFrame of what comes out; Spark computes it lazily.

    A policy with guarantees is computed twice: they are checked here, by one aggregate job over what comes out.

    Args:
        policy: a policy or its text.
        df: of classic Spark or Spark Connect, batch or streaming.
        keys: where key references resolve, now; as for `cape_airflow.apply`.

    Raises:
        PolicyError: the text is wrong.
        SchemaMismatch: policy and data do not fit, or a technique depends on the order of the rows.
        KeyUnavailable: a key cannot be had.
        GuaranteeBroken: the output does not keep a guarantee.
        DataError: guarantees of a stream, or of columns with noise.
    """
    policy = load_policy(policy) if isinstance(policy, str) else policy
    plan = compile_for(policy, df)
    for warning in plan.warnings:
        logger.warning("%s", warning)
    output = apply_plan(plan, key_ring(policy, keys), df)
    refuse_unstable_guarantees(plan)
    check_guarantees(plan, output)
    return output


def compile_for(policy: Policy, df: DataFrame) -> Plan:
    """Compile a policy against the columns of a DataFrame; timestamps are moments in UTC, whatever the session says.

    Tags are those in the metadata of its fields, under ``cape.tags``.

    Raises:
        SchemaMismatch: policy and data do not fit.
        PolicyError: rules contradict each other.
    """
    return compile_plan(policy, arrow_schema(df.schema))


def apply_plan(plan: Plan, keys: KeyRing, df: DataFrame) -> DataFrame:
    """Return the DataFrame that a plan makes of another. Its guarantees are left to `check_guarantees`.

    Args:
        plan: as `compile_for` compiled it for this DataFrame.
        keys: where its key references resolve, now.
        df: of classic Spark or Spark Connect, batch or streaming.

    Raises:
        SchemaMismatch: the plan was compiled for other data; or a technique depends on the place of a row, which rows
            do not have on Spark; or makes a type that Spark does not know.
        KeyUnavailable: a key cannot be had.
        DataError: guarantees of a stream, which has no end at which they could be checked.
    """
    applied = applied_to(plan, keys, df)
    return applied.rows.select(*(form.alias(name) for name, form in applied.output.items()))


@dataclass(frozen=True)
class Applied:
    """A plan on a DataFrame, before the last step.

    Args:
        rows: those that are left, with the columns that came in.
        output: the columns that come out, as expressions over `rows`, by name.
    """

    rows: DataFrame
    output: dict[str, Column]


def applied_to(plan: Plan, keys: KeyRing, df: DataFrame) -> Applied:
    """Do as `apply_plan`, and return what it selects from; see there."""
    _check_that_spark_can(plan, df)
    division = divide(plan)
    for kept in division.filters:
        df = df.filter(kept)
    df = df.select(*(column_of(name) for name in plan.read_columns))
    forms = dict(division.columns)
    if division.kernels is not None:
        df = _with_result(df, division.kernels, keys)
        for place, name in enumerate(division.kernels.output_schema.names):
            forms[name] = sf.col(RESULT).getField(slot(place))
    return Applied(df, {name: forms.get(name, column_of(name)) for name in plan.output_schema.names})


def _with_result(df: DataFrame, plan: Plan, keys: KeyRing) -> DataFrame:
    """Return the rows that are left, with a column of what the kernels made of them."""
    kernels = Kernels(plan, keys)
    made = [StructField(slot(place), spark_type(each.name, each.type)) for place, each in enumerate(plan.output_schema)]
    result = StructType([*made, StructField(KEPT, BooleanType())])
    suppresses = any(isinstance(step, SuppressRecords) for step in plan.steps)
    if _knows_arrow_functions(df):
        function = over_arrow.arrow_udf(kernels.de_identified, result)  # type: ignore[call-overload]  # structs are fine
        if suppresses or not all(repeatable(step) for step in plan.steps if isinstance(step, Transform)):
            function = function.asNondeterministic()  # so that Spark does not evaluate it twice
        df = df.withColumn(RESULT, function(*(column_of(name) for name in plan.read_columns)))
    else:
        schema = StructType([*df.schema.fields, StructField(RESULT, result)])
        df = df.mapInArrow(kernels.over_batches, schema)
    return df.filter(sf.col(RESULT).getField(KEPT)) if suppresses else df


def _knows_arrow_functions(df: DataFrame) -> bool:
    """Whether client and server know functions over Arrow arrays, as Spark does from 4.1 on."""
    version = tuple(int(part) for part in df.sparkSession.version.split(".")[:2])
    return hasattr(over_arrow, "arrow_udf") and version >= (4, 1)


def _check_that_spark_can(plan: Plan, df: DataFrame) -> None:
    for step in plan.steps:
        if isinstance(step, Transform) and (step.transformation.ordered or step.transformation.needs_row_count):
            raise SchemaMismatch(
                f"{step.rule}: column `{step.column}`: `{step.transformation.type}` with a `seed` depends on the place "
                "of each row, and rows have no order on Spark; leave out the `seed`, or use `add-noise` with "
                "`consistent: true`"
            )
    schema = arrow_schema(df.schema)
    admitted(plan, pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in schema], names=schema.names))
    if RESULT in schema.names:
        raise SchemaMismatch(f"the data has a column `{RESULT}`, a name that is used here; rename it")
    if df.isStreaming and plan.guarantees:
        raise DataError("a stream has no end at which a guarantee could be checked; check what was written of it")
