"""CSV and other delimited text (RFC 4180), UTF-8.

- An empty cell is null; a quoted empty cell is empty text.
- Types come from the first block, and hold for the rest: what does not fit is an error, never changed.
- Numbers that would not survive as numbers (leading zeros, hexadecimal, too many digits) stay text.
- Text that a spreadsheet would run as a formula is written with a leading apostrophe (OWASP, CSV injection).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from cape_airflow.datasets.formats.base import Description, Format, Writer
from cape_airflow.datasets.formats.numbers import survives, to_number
from cape_airflow.datasets.formats.types import ColumnTypes, declared, is_text, without_null_types
from cape_airflow.errors import DatasetError

BLOCK_BYTES = 4 << 20
"""Size of a block; a row must fit into one. Fixed, so that types do not depend on the machine."""


@dataclass(frozen=True)
class Csv(Format):
    """Delimited text with a header.

    Args:
        column_types: column to Arrow type, as text or type, for columns that should not be guessed.
        delimiter: between cells.
        null_values: unquoted cells that mean null.
        escape_formulas: whether text cells that start with ``= + - @``, tab or carriage return get an apostrophe.
    """

    column_types: ColumnTypes = field(default_factory=dict)
    delimiter: str = ","
    null_values: Sequence[str] = ("",)
    escape_formulas: bool = True

    name = "csv"
    suffixes = (".csv",)
    self_describing = False

    def describe(self, file: BinaryIO) -> Description:
        """Return the schema that the first block suggests."""
        guessed = self._open(file).schema
        types = {column.name: without_null_types(column.type) for column in guessed}
        types |= declared(self.column_types, guessed.names)
        numbers = [name for name, kind in types.items() if _is_number(kind) and name not in self.column_types]
        if numbers:
            file.seek(0)
            first = self._open(file, dict.fromkeys(numbers, pa.string()), numbers).read_next_batch()
            types |= {name: pa.string() for name in numbers if not survives(first.column(name), types[name])}
        return Description(pa.schema([(name, types[name]) for name in guessed.names]))

    def batches(
        self, file: BinaryIO, schema: pa.Schema, columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Raises:
            DatasetError: the header is not that of the first file.
        """
        _check_header(self._open(file).schema.names, schema.names)
        file.seek(0)
        wanted = pa.schema([schema.field(name) for name in columns])
        numbers = {name for name in columns if _is_number(wanted.field(name).type) and name not in self.column_types}
        types = {name: pa.string() if name in numbers else wanted.field(name).type for name in columns}
        with self._open(file, types, columns) as reader:
            for batch in reader:
                arrays = [
                    to_number(array, wanted.field(name).type, name) if name in numbers else array
                    for name, array in zip(columns, batch.columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=wanted)

    def _open(
        self, file: BinaryIO, types: dict[str, pa.DataType] | None = None, columns: Sequence[str] = ()
    ) -> pcsv.CSVStreamingReader:
        return pcsv.open_csv(
            file,
            read_options=pcsv.ReadOptions(block_size=BLOCK_BYTES),
            parse_options=pcsv.ParseOptions(delimiter=self.delimiter, newlines_in_values=True),
            convert_options=pcsv.ConvertOptions(
                column_types=types,
                include_columns=columns,
                null_values=list(self.null_values),
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )

    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer.

        Raises:
            DatasetError: a column is nested or binary.
        """
        for column in schema:
            if pa.types.is_nested(column.type) or _is_binary(column.type):
                raise DatasetError(f"column `{column.name}` is {column.type}, which CSV cannot hold; write Parquet")
        return _CsvWriter(file, schema, self)


class _CsvWriter(Writer):
    def __init__(self, file: BinaryIO, schema: pa.Schema, options: Csv) -> None:
        self._escape = options.escape_formulas
        names = _escaped(pa.array(schema.names, pa.string())).to_pylist() if self._escape else schema.names
        kinds = [pa.string() if is_text(column.type) else column.type for column in schema]
        self._schema = pa.schema(list(zip(names, kinds, strict=True)))
        write_options = pcsv.WriteOptions(delimiter=options.delimiter)
        self._writer = pcsv.CSVWriter(file, self._schema, write_options=write_options)

    def write(self, table: pa.Table) -> None:
        columns = [
            self._text(column) if pa.types.is_string(kind) else column
            for column, kind in zip(table.columns, self._schema.types, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def _text(self, column: pa.ChunkedArray) -> pa.ChunkedArray:
        text = column.cast(pa.string())
        return _escaped(text) if self._escape else text

    def close(self) -> None:
        self._writer.close()


def _check_header(names: list[str], expected: list[str]) -> None:
    for name in [name for name in [*names, *expected] if name not in names or name not in expected]:
        raise DatasetError(f"column `{name}` is only in {'this' if name in names else 'the first'} file")


def _escaped(text: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(text, pattern=r"\A([=+\-@\t\r])", replacement=r"'\1", max_replacements=1)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_int64(kind) or pa.types.is_float64(kind))


def _is_binary(kind: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(kind)
        or pa.types.is_large_binary(kind)
        or pa.types.is_binary_view(kind)
        or pa.types.is_fixed_size_binary(kind)
    )
