"""Apache Parquet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from cape_airflow.datasets.formats.base import Description, Format, Writer


@dataclass(frozen=True)
class Parquet(Format):
    """Parquet files, read one row group at a time and only in the columns that are asked for.

    Args:
        compression: of what is written: ``snappy``, ``zstd``, ``gzip``, ``brotli``, ``lz4`` or ``none``.
    """

    compression: str = "snappy"

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
        parquet = pq.ParquetFile(file)
        # One row group at a time: asked for all of them, pyarrow keeps the whole file in its read buffer.
        for group in range(parquet.num_row_groups):
            yield from parquet.iter_batches(batch_size=batch_rows, columns=list(columns), row_groups=[group])

    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer that makes one row group of each table."""
        return _ParquetWriter(pq.ParquetWriter(file, schema, compression=self.compression))


class _ParquetWriter(Writer):
    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer

    def write(self, table: pa.Table) -> None:
        self._writer.write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        self._writer.close()
