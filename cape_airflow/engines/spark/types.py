"""Types of Spark and Arrow, as Spark itself hands columns to Python; moments are in UTC, whatever the session says."""

from __future__ import annotations

from functools import partial
from inspect import signature

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_type, to_arrow_type
from pyspark.sql.types import DataType, StructField, StructType

from cape_airflow.arrow_types import type_name
from cape_airflow.errors import SchemaMismatch

_TAGS = "cape.tags"

# Spark 4.0 says UTC by itself, and knows no such argument.
_to_arrow = (
    partial(to_arrow_type, timezone="UTC") if "timezone" in signature(to_arrow_type).parameters else to_arrow_type
)


def arrow_schema(schema: StructType) -> pa.Schema:
    """Return the schema of a DataFrame in Arrow's types, with the tags that stand in the metadata of its fields.

    Timestamps become `timestamp[us, UTC]`, those without a zone `timestamp[us]`. Types that Spark does not hand to
    Python, as intervals of months, become Arrow's opaque type: such columns can be kept and dropped, and no more.
    """
    return pa.schema([_arrow_field(field) for field in schema])


def spark_type(name: str, kind: pa.DataType) -> DataType:
    """Return the Spark type of a column that a technique made.

    Raises:
        SchemaMismatch: Spark has no such type, or does not take it from Python.
    """
    try:
        found: DataType = from_arrow_type(kind, prefer_timestamp_ntz=True)
    except PySparkException:
        raise SchemaMismatch(f"column `{name}` would be {type_name(kind)}, which Spark does not take") from None
    return found


def _arrow_field(field: StructField) -> pa.Field:
    tags = field.metadata.get(_TAGS)
    metadata = {_TAGS: tags} if isinstance(tags, str) else None
    return pa.field(field.name, _arrow_type(field.dataType), field.nullable, metadata)


def _arrow_type(kind: DataType) -> pa.DataType:
    try:
        return _to_arrow(kind)
    except PySparkException:
        return pa.opaque(pa.null(), kind.simpleString(), "org.apache.spark")
