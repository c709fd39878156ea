"""Row conditions as filters of Spark, which it can push down to the source.

A row stays where its condition is false or null. `coalesce` and `not` would hide that from the sources, so the negation
is carried inward to the comparisons, each of which says by itself what becomes of null. NaN counts as null (see
`policy.condition`). What Spark would compare in another way - decimals, moments, integers with fractions, patterns, two
columns - is left to the kernels.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import date
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as sf

from cape_airflow.engines.spark.catalyst import column_of
from cape_airflow.policy.condition import And, Column, Comparison, Condition, In, IsNull, Literal, Not, Or, Truth

Sense = Callable[[Any, Any], Any]

_SENSES: dict[str, tuple[Sense, Sense]] = {
    "=": (operator.eq, operator.ne),
    "!=": (operator.ne, operator.eq),
    "<": (operator.lt, operator.ge),
    "<=": (operator.le, operator.gt),
    ">": (operator.gt, operator.le),
    ">=": (operator.ge, operator.lt),
}
"""Each comparison, and the one that holds where it is false."""


class _Inexact(Exception):
    """Spark would not do exactly as the kernels."""


def kept_rows(condition: Condition, schema: pa.Schema) -> SparkColumn | None:
    """Return the filter for the rows that stay; None where Spark cannot test the condition exactly as the kernels do.

    Args:
        condition: true where a row is to be suppressed.
        schema: of the data, in Arrow's types.
    """
    try:
        return _Filter(schema).where(condition, holds=False, or_null=True)
    except _Inexact:
        return None


class _Filter:
    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def where(self, condition: Condition, *, holds: bool, or_null: bool) -> SparkColumn:
        """Return a filter for the rows where the condition is true (`holds`) or false; `or_null`: or null."""
        if isinstance(condition, Not):
            return self.where(condition.term, holds=not holds, or_null=or_null)
        if isinstance(condition, And | Or):
            join = operator.and_ if isinstance(condition, And) == holds else operator.or_
            return reduce(join, (self.where(term, holds=holds, or_null=or_null) for term in condition.terms))
        if isinstance(condition, IsNull):
            null = self._null(condition.column)
            return null if holds else ~null
        column, test = self._test(condition, holds)
        null = self._null(column)
        return test | null if or_null else test & ~null

    def _test(self, condition: Condition, holds: bool) -> tuple[Column, SparkColumn]:
        """Return a comparison, and the column that it is about."""
        if isinstance(condition, Truth):
            column = column_of(condition.column.name)
            return condition.column, column if holds else ~column
        if isinstance(condition, Comparison) and isinstance(condition.right, Literal):
            sense = _SENSES[condition.operator][0 if holds else 1]
            constant = self._constant(condition.left, condition.right)
            return condition.left, sense(column_of(condition.left.name), constant)
        if isinstance(condition, In):
            among = column_of(condition.column.name).isin(
                [self._constant(condition.column, v) for v in condition.values]
            )
            return condition.column, among if holds else ~among
        raise _Inexact

    def _constant(self, column: Column, literal: Literal) -> SparkColumn:
        kind, value = self._schema.field(column.name).type, literal.value
        for accepts, python in _COMPARED:
            if accepts(kind) and type(value) is python:
                return sf.lit(date.fromisoformat(str(value)) if pa.types.is_date(kind) else value)
        raise _Inexact

    def _null(self, column: Column) -> SparkColumn:
        name = column_of(column.name)
        return (
            name.isNull() | sf.isnan(name)
            if pa.types.is_floating(self._schema.field(column.name).type)
            else name.isNull()
        )


_COMPARED: tuple[tuple[Callable[[pa.DataType], bool], type], ...] = (
    (pa.types.is_string, str),
    (pa.types.is_integer, int),
    (pa.types.is_float64, float),
    (pa.types.is_boolean, bool),
    (pa.types.is_date32, str),
)
"""Types of columns, and the constants that Spark compares with them as Arrow does."""
