"""Apache Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from cape_airflow.datasets.compactness import is_fixed_width, is_plain_text
from cape_airflow.datasets.formats.base import Description, Format, Writer
from cape_airflow.kernels.encode import distinct_share
from cape_airflow.kernels.rows import bytes_of

_SAMPLE_ROWS = 4096
"""Rows, one after the other as in a page, by which the codec is judged."""

_WORTH = 0.9
"""Compressed bytes per byte, from which on compression costs more than it saves: snappy leaves 0.98 of hex tokens."""

_MOST_DISTINCT = 0.5
"""Distinct values per value, above which a dictionary costs more than it saves."""


@dataclass(frozen=True)
class Parquet(Format):
    """Parquet files, read one row group at a time and only in the columns that are asked for.

    Values that hardly repeat get no dictionary, and text that hardly shrinks is not compressed, as the first row group
    of a file shows: most of the time of a job would go there (see `benchmarks`).

    Args:
        compression: of all that is written: ``snappy``, ``zstd``, ``gzip``, ``brotli``, ``lz4`` or ``none``. None is
            snappy, where it pays.
    """

    compression: str | None = None

    name = "parquet"
    suffixes = (".parquet", ".pq")
    self_describing = True

    def describe(self, file: BinaryIO) -> Description:
        """Return what the footer says."""
        parquet = pq.ParquetFile(file)
        return Description(parquet.schema_arrow, parquet.metadata.num_rows)

    def batches(
        self, file: BinaryIO, schema: pa.Schema, columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order."""
        # Without pre-buffering, which keeps the whole file. In one thread: engines have others to run meanwhile.
        parquet = pq.ParquetFile(file, pre_buffer=False)
        yield from parquet.iter_batches(batch_size=batch_rows, columns=list(columns), use_threads=False)

    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer that makes one row group of each table."""
        return _ParquetWriter(file, schema, self.compression)


class _ParquetWriter(Writer):
    """Opens the file with the first group, by which its encodings are chosen."""

    def __init__(self, file: BinaryIO, schema: pa.Schema, compression: str | None) -> None:
        self._file, self._schema, self._compression = file, schema, compression
        self._leaves = _leaves(schema)
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        self._opened(table).write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        self._opened(self._schema.empty_table()).close()

    def _opened(self, first: pa.Table) -> pq.ParquetWriter:
        if self._writer is None:
            distinct = [name for name in first.schema.names if _is_distinct(first.column(name))]
            codecs = dict.fromkeys(self._leaves, self._compression or "snappy")
            if self._compression is None:
                codecs |= {name: "none" for name in distinct if not _shrinks(first.column(name))}
            encoded = [leaf for leaf in self._leaves if leaf not in distinct]
            self._writer = pq.ParquetWriter(self._file, self._schema, use_dictionary=encoded, compression=codecs)
        return self._writer


def _leaves(schema: pa.Schema) -> list[str]:
    """Return the paths of what Parquet stores as columns of their own; a flat column's is its name."""
    footer = io.BytesIO()
    pq.write_metadata(schema, footer)
    parquet = pq.read_metadata(footer).schema
    return [parquet.column(place).path for place in range(len(parquet))]


def _is_distinct(column: pa.ChunkedArray) -> bool:
    kind = column.type
    if pa.types.is_boolean(kind) or not (is_fixed_width(kind) or is_plain_text(kind)):
        return False
    enough = len(column) - column.null_count >= _SAMPLE_ROWS
    return enough and distinct_share(column.chunk(0)) > _MOST_DISTINCT


def _shrinks(column: pa.ChunkedArray) -> bool:
    sample = column.chunk(0).slice(0, _SAMPLE_ROWS)
    if is_plain_text(sample.type):
        data = pa.py_buffer(bytes_of(sample)[0])
    else:
        data = sample.buffers()[1].slice(0, _SAMPLE_ROWS * sample.type.bit_width // 8)
    return bool(pa.compress(data, codec="snappy").size < _WORTH * data.size)
