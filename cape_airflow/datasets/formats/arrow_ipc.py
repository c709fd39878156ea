"""Arrow IPC, the file format (also known as Feather version 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from cape_airflow.datasets.formats.base import Description, Format, Writer


@dataclass(frozen=True)
class ArrowIpc(Format):
    """Arrow IPC files. Every batch is validated before use: the buffers of a broken file would crash the process."""

    name = "arrow"
    suffixes = (".arrow", ".ipc", ".feather")
    self_describing = True

    def describe(self, file: BinaryIO) -> Description:
        """Return what the footer says."""
        reader = pa.ipc.open_file(file)
        return Description(reader.schema, reader.count_rows())

    def batches(
        self, file: BinaryIO, schema: pa.Schema, columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order."""
        names = pa.ipc.open_file(file).schema.names  # of this file: its columns may stand in another order
        wanted = sorted(names.index(name) for name in columns)
        options = pa.ipc.IpcReadOptions(included_fields=wanted) if len(wanted) < len(names) else None
        reader = pa.ipc.open_file(file, options=options)
        for number in range(reader.num_record_batches):
            batch = reader.get_batch(number)
            batch.validate(full=True)
            yield batch

    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer that makes one record batch of each table."""
        return _IpcWriter(file, schema)


class _IpcWriter(Writer):
    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        # A file holds one dictionary for each column; later batches may only add to it.
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        self._writer = pa.ipc.new_file(file, schema, options=options)
        self._dictionaries: dict[int, pa.Array] = {}

    def write(self, table: pa.Table) -> None:
        columns = [self._grown(position, column.chunk(0)) for position, column in enumerate(table.columns)]
        self._writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=table.schema))

    def _grown(self, position: int, column: pa.Array) -> pa.Array:
        if not pa.types.is_dictionary(column.type):
            return column
        if (known := self._dictionaries.get(position)) is not None:
            empty = pa.DictionaryArray.from_arrays(column.indices[:0], known, ordered=column.type.ordered)
            column = pa.chunked_array([empty, column]).unify_dictionaries().chunk(1)
        self._dictionaries[position] = column.dictionary
        return column

    def close(self) -> None:
        self._writer.close()
