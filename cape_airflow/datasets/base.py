"""What engines ask of where batches come from and go to, be they files or tables."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from types import TracebackType
from typing import Self

import pyarrow as pa

from cape_airflow.errors import DatasetError, SchemaMismatch, did_you_mean


class Source(ABC):
    """Batches of one schema.

    Attributes:
        url: what is read, for people: without credentials.
        format: of the files, or ``sql``.
        schema: of all batches.
        row_count: all rows, where that is known before they are read, else None.
        bytes_read: bytes fetched by the current or last `batches`.
        metadata: of the schema of each file; None where none is kept.
    """

    url: str
    format: str
    schema: pa.Schema
    row_count: int | None
    bytes_read: int
    metadata: Sequence[Mapping[bytes, bytes]] | None = None

    @abstractmethod
    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = 65536
    ) -> Generator[pa.RecordBatch, None, None]:
        """Read all rows, in the same order at each call.

        Args:
            columns: names of the columns wanted, in that order; None for all.
            batch_rows: the most rows in a batch.

        Raises:
            SchemaMismatch: no such column.
            DatasetError: it cannot be read; the message says where, and shows no value.
        """

    @abstractmethod
    def reads(self, target: object) -> bool:
        """Whether something written to `target`, the place of a sink, would replace or join what is read."""

    def close(self) -> None:  # noqa: B027 - files are open only while they are read
        """Let go of what is held open, e.g. a snapshot. Nothing can be read afterwards."""

    def _chosen(self, columns: Sequence[str] | None, place: str) -> list[str]:
        names = self.schema.names if columns is None else list(columns)
        for name in names:
            if name not in self.schema.names:
                raise SchemaMismatch(f"{place} has no column `{name}`{did_you_mean(name, self.schema.names)}")
        return names


class Sink(ABC):
    """Takes batches of one schema. A context manager: what is not committed is gone at its end.

    Attributes:
        url: what is written, for people: without credentials.
        format: of the files, or ``sql``.
        rows_written: rows taken so far.
    """

    url: str
    format: str
    rows_written: int

    @property
    @abstractmethod
    def bytes_written(self) -> int:
        """Bytes of the output so far."""

    @abstractmethod
    def check_source(self, source: Source) -> None:
        """Refuse to write over, or among, what is read.

        Raises:
            DatasetError: the target is part of the source.
        """

    @abstractmethod
    def open(self, schema: pa.Schema) -> None:
        """Begin the output.

        Args:
            schema: of all batches; its metadata says which policy and job made them.

        Raises:
            DatasetError: the target may not or cannot be written, or cannot hold a column.
        """

    @abstractmethod
    def write(self, batch: pa.RecordBatch) -> None:
        """Take the next rows.

        Raises:
            DatasetError: they cannot be written, e.g. for want of space, or are not of the schema.
        """

    @abstractmethod
    def finish(self) -> None:
        """Write what is pending; still nobody sees it.

        Raises:
            DatasetError: as `write`.
        """

    @abstractmethod
    def commit(self) -> None:
        """Show the complete output.

        Raises:
            DatasetError: it could not be: the target is as it was, or complete.
        """

    @abstractmethod
    def abort(self) -> None:
        """Remove what was written. Harmless after `commit`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.abort()
        except DatasetError as leftover:
            if error is None:
                raise
            error.add_note(str(leftover))
