"""Techniques as expressions of Spark, where these do byte for byte what the kernels do: they spare the trip to Python.

Left to the kernels, since Spark's own functions differ: rounding (halves, overflow), truncation of moments (the zone of
the session, the time of day), patterns (other regular expressions), and all that needs a key, which an expression would
show.
"""

from __future__ import annotations

import pyarrow as pa
from pyspark.sql import Column
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from cape_airflow.engines.spark.types import spark_type
from cape_airflow.errors import ValueRefused
from cape_airflow.policy import Transform
from cape_airflow.transformations.generalization import DateTruncate
from cape_airflow.transformations.suppression import CharacterMask, SuppressValue


def column_of(name: str) -> Column:
    """Return the column of exactly that name, whatever characters are in it."""
    return sf.col("`" + name.replace("`", "``") + "`")


def technique_form(step: Transform, column: Column, kind: pa.DataType) -> Column | None:
    """Return a technique as an expression of Spark; None where only the kernel will do.

    Args:
        step: the technique, and where the policy has it.
        column: what it is applied to.
        kind: the Arrow type of that.
    """
    match step.transformation:
        case SuppressValue() as technique:
            return _suppress_value(technique, step, column, kind)
        case DateTruncate() as technique if pa.types.is_date32(kind):
            return column if technique.unit == "day" else sf.trunc(column, technique.unit)
        case CharacterMask() as technique if pa.types.is_string(kind) and technique.pattern is None:
            return _character_mask(technique, step, column)
        case _:
            return None


def _suppress_value(technique: SuppressValue, step: Transform, column: Column, kind: pa.DataType) -> Column | None:
    constant = technique.replacement
    if constant is None:
        return sf.lit(None).cast(spark_type(step.column, technique.output_type(kind)))
    is_text = pa.types.is_string(kind) and isinstance(constant, str)
    return sf.when(column.isNotNull(), sf.lit(constant)) if is_text else None


def _character_mask(technique: CharacterMask, step: Transform, column: Column) -> Column:
    first, last, sign = technique.keep_first, technique.keep_last, sf.lit(technique.mask)
    length = sf.char_length(column)
    parts = [sf.substring(column, 1, first), sf.repeat(sign, length - (first + last))]
    parts += [sf.substring(column, -last, last)] if last else []
    masked = sf.when(length > first + last, sf.concat(*parts)).otherwise(sf.repeat(sign, length))
    refusal = ValueRefused(f"{step.rule}: column `{step.column}`, `{technique.type}`: text refused: not UTF-8")
    words = f"{ValueRefused.__module__}.{ValueRefused.__name__}: {refusal}"
    return sf.when(sf.is_valid_utf8(column), masked).when(column.isNotNull(), sf.raise_error(words).cast(StringType()))
