"""Frames in memory and streams of Arrow batches, read as datasets are."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence

import pyarrow as pa

from cape_airflow.datasets import Source
from cape_airflow.datasets.failures import attempt, attempt_each
from cape_airflow.engines.frames import adapter_of
from cape_airflow.errors import DatasetError, SchemaMismatch


class FrameSource(Source):
    """Batches that somebody has in memory, or makes as they are read; made by `open_frame`."""

    format = "arrow"

    def __init__(
        self, name: str, schema: pa.Schema, row_count: int | None, read: Callable[[int], Iterator[pa.RecordBatch]]
    ) -> None:
        self.url = name
        self.schema = schema
        self.row_count = row_count
        self.bytes_read = 0
        self._read = read

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 65536
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read all rows, in order. A frame may be read again, a stream not.

        Args:
            columns: names of the columns wanted, in that order; None for all.
            batch_rows: the most rows in a batch.

        Raises:
            SchemaMismatch: no such column.
            DatasetError: a stream failed, or is read again; the message shows no value.
        """
        names = self._chosen(columns, self.url)
        self.bytes_read = 0
        return self._batches(names, batch_rows)

    def _batches(self, names: list[str], batch_rows: int) -> Generator[pa.RecordBatch, None, None]:
        for whole in attempt_each(self._read(batch_rows), f"read {self.url}", self.schema.names):
            if whole.schema.types != self.schema.types or whole.schema.names != self.schema.names:
                raise DatasetError(f"{self.url} gave a batch of another schema than it began with")
            for start in range(0, whole.num_rows, batch_rows):
                batch = whole.slice(start, batch_rows).select(names)
                self.bytes_read += batch.nbytes
                yield batch

    def reads(self, target: object) -> bool:
        """Whether something written to `target` would join what is read: never, it is no file."""
        return False


def open_frame(frame: object, name: str) -> FrameSource:
    """Return a frame in the role of a dataset.

    Args:
        frame: pandas or polars DataFrame, pyarrow Table or RecordBatch; or a stream: a RecordBatchReader, or what
            exports one (``__arrow_c_stream__``), which is read once, as it comes.
        name: what people call it.

    Raises:
        SchemaMismatch: a pandas index is data, which would be lost, or a column is not of one type.
        DataError: it is of no such kind.
    """
    if _streams(frame):
        # pyarrow's own are not exported and imported again, which would take batches of any types for those told.
        own = isinstance(frame, pa.RecordBatchReader)
        reader: pa.RecordBatchReader = (
            frame if own else attempt(lambda: pa.RecordBatchReader.from_stream(frame), f"read {name}")
        )
        return FrameSource(name, reader.schema, None, _once(name, reader))
    adapter = adapter_of(frame)
    if carried := adapter.beside_columns():
        raise SchemaMismatch(
            f"{name} has {carried}, which no rule covers and no output holds; make it a column with "
            "`frame.reset_index()`, or drop it with `frame.reset_index(drop=True)`"
        )
    table = adapter.table()
    return FrameSource(name, table.schema, table.num_rows, lambda rows: iter(table.to_batches(max_chunksize=rows)))


def _streams(frame: object) -> bool:
    """Whether it gives a stream, and is no frame, which can be read again: these export streams, too."""
    is_frame = isinstance(frame, pa.Table | pa.RecordBatch) or type(frame).__module__.startswith(("pandas", "polars"))
    return hasattr(frame, "__arrow_c_stream__") and not is_frame


def _once(name: str, reader: pa.RecordBatchReader) -> Callable[[int], Iterator[pa.RecordBatch]]:
    unread = [reader]

    def read(batch_rows: int) -> Iterator[pa.RecordBatch]:
        if not unread:
            raise DatasetError(
                f"{name} is a stream, which can be read only once, and this policy counts the rows first; "
                "give a Table, or a path"
            )
        return iter(unread.pop())

    return read
