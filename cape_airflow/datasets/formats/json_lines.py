"""JSON Lines: one JSON object (RFC 8259) a line, UTF-8.

- Types come from the first block, and hold for the rest; a key that it has not is an error, a missing one is null.
- What JSON has no type for is written as text: dates and times in ISO 8601, decimals digit by digit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pjson

from cape_airflow.datasets.formats.base import Description, Format, Writer
from cape_airflow.datasets.formats.numbers import exact_type, to_doubles
from cape_airflow.datasets.formats.types import ColumnTypes, declared, with_leaves, without_null_types
from cape_airflow.errors import DatasetError

BLOCK_BYTES = 4 << 20
"""Size of a block; a line must fit into one. Fixed, so that types do not depend on the machine."""


_NANOSECONDS = re.compile(r"(time64|timestamp)\[ns")


@dataclass(frozen=True)
class JsonLines(Format):
    """One JSON object a line.

    Args:
        column_types: column to Arrow type, as text or type, for columns that should not be guessed.
    """

    column_types: ColumnTypes = field(default_factory=dict)

    name = "jsonl"
    suffixes = (".jsonl", ".ndjson")
    self_describing = False

    def describe(self, file: BinaryIO) -> Description:
        """Return the schema that the first block suggests."""
        guessed = self._open(file, None).schema
        types = {column.name: without_null_types(column.type) for column in guessed}
        types |= declared(self.column_types, guessed.names)
        return Description(pa.schema(types.items()))

    def batches(
        self, file: BinaryIO, schema: pa.Schema, columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Raises:
            DatasetError: there are numbers that float64, as the first rows suggested, would change.
        """
        wanted = pa.schema([schema.field(name) for name in columns])
        exact = [field.with_type(exact_type(field.type, field.name in self.column_types)) for field in schema]
        for batch in self._open(file, pa.schema(exact)):
            arrays = [_as(batch.column(field.name), field) for field in wanted]
            yield pa.RecordBatch.from_arrays(arrays, schema=wanted)

    def _open(self, file: BinaryIO, schema: pa.Schema | None) -> pjson.JSONStreamingReader:
        return pjson.open_json(
            file,
            read_options=pjson.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pjson.ParseOptions(
                explicit_schema=schema, unexpected_field_behavior="error" if schema else "infer"
            ),
        )

    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer."""
        return _JsonLinesWriter(file)


def _as(column: pa.Array, field: pa.Field) -> pa.Array:
    if column.type == field.type:
        return column
    return column.cast(field.type) if pa.types.is_decimal(field.type) else to_doubles(column, field.name)


class _JsonLinesWriter(Writer):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, table: pa.Table) -> None:
        columns = [_plain(column, name) for name, column in zip(table.column_names, table.columns, strict=True)]
        lines = (
            json.dumps(
                dict(zip(table.column_names, row, strict=True)),
                default=_as_text,
                ensure_ascii=False,
                allow_nan=False,
                separators=(",", ":"),
            )
            for row in zip(*columns, strict=True)
        )
        self._file.write("".join(f"{line}\n" for line in lines).encode())

    def close(self) -> None:
        """Do nothing: a JSON Lines file has no end mark."""


def _plain(column: pa.ChunkedArray, name: str) -> list[object]:
    if pa.types.is_floating(column.type):
        wrong = pc.sum(pc.invert(pc.is_finite(column))).as_py()
        if wrong:
            raise DatasetError(
                f"column `{name}`: {wrong} values are NaN or infinite, which JSON cannot hold; write Parquet or CSV"
            )
    if pa.types.is_timestamp(column.type):  # Python's datetime has no nanoseconds, Arrow's text has
        column = pc.strftime(column, format="%Y-%m-%dT%H:%M:%S" + ("%Ez" if column.type.tz else ""))
    return list(column.cast(with_leaves(column.type, _with_nanoseconds)).to_pylist())


def _with_nanoseconds(kind: pa.DataType) -> pa.DataType:
    """Return text in place of times that Python would cut to microseconds."""
    leaf = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_nested(leaf) and _NANOSECONDS.search(str(leaf)):
        raise DatasetError(f"a column is {kind}, whose nanoseconds JSON cannot hold; write Parquet")
    return pa.string() if leaf == pa.time64("ns") else kind


def _as_text(value: object) -> str:
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return str(value)
    raise DatasetError(f"a column holds {type(value).__name__} values, which JSON cannot hold; write Parquet")
