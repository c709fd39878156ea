"""Types of Spark and Arrow."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyspark.sql import types as st

from cape_airflow.engines.spark.types import arrow_schema, spark_type
from cape_airflow.errors import SchemaMismatch

PLAIN = {
    st.StringType(): pa.string(),
    st.BinaryType(): pa.binary(),
    st.BooleanType(): pa.bool_(),
    st.ByteType(): pa.int8(),
    st.ShortType(): pa.int16(),
    st.IntegerType(): pa.int32(),
    st.LongType(): pa.int64(),
    st.FloatType(): pa.float32(),
    st.DoubleType(): pa.float64(),
    st.DecimalType(38, 10): pa.decimal128(38, 10),
    st.DateType(): pa.date32(),
    st.TimestampType(): pa.timestamp("us", "UTC"),
    st.TimestampNTZType(): pa.timestamp("us"),
    st.DayTimeIntervalType(): pa.duration("us"),
    st.NullType(): pa.null(),
}


@pytest.mark.parametrize(("kind", "arrow"), PLAIN.items(), ids=str)
def test_plain_types_go_there_and_back(kind, arrow) -> None:
    assert arrow_schema(st.StructType([st.StructField("a", kind)])).field("a").type == arrow
    assert spark_type("a", arrow) == kind


def test_moments_inside_of_nested_types_are_in_utc_too() -> None:
    nested = st.ArrayType(st.StructType([st.StructField("t", st.TimestampType())]))
    found = arrow_schema(st.StructType([st.StructField("a", nested)])).field("a").type
    assert found.value_type.field("t").type == pa.timestamp("us", "UTC")


def test_what_spark_does_not_hand_to_python_is_opaque() -> None:
    found = arrow_schema(st.StructType([st.StructField("a", st.CalendarIntervalType())])).field("a").type
    assert isinstance(found, pa.OpaqueType)


def test_tags_in_the_metadata_of_a_field_are_seen() -> None:
    field = st.StructField("a", st.StringType(), True, {"cape.tags": "email", "comment": "x"})
    assert arrow_schema(st.StructType([field])).field("a").metadata == {b"cape.tags": b"email"}


def test_a_type_that_spark_does_not_take_is_refused_by_name() -> None:
    with pytest.raises(SchemaMismatch, match="column `a` would be uint8"):
        spark_type("a", pa.uint8())
