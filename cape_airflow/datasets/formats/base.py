"""What a file format is: how batches come out of an open file, and how tables go into one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, ClassVar

import pyarrow as pa


@dataclass(frozen=True)
class Description:
    """What a file says about itself before it is read.

    Args:
        schema: its columns.
        rows: their number, None where only reading would tell.
    """

    schema: pa.Schema
    rows: int | None = None


class Writer(ABC):
    """Writes tables of one schema to an open file."""

    @abstractmethod
    def write(self, table: pa.Table) -> None:
        """Append the rows of a table whose columns have one chunk each."""

    @abstractmethod
    def close(self) -> None:
        """Write what ends the file; the file itself stays open."""


class Format(ABC):
    """A file format with its options; the fields of a subclass are the options."""

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    self_describing: ClassVar[bool]
    """Files carry their types, so that every file can be checked before the first row is read."""

    @abstractmethod
    def describe(self, file: BinaryIO) -> Description:
        """Return schema and row count; reads as little as possible."""

    @abstractmethod
    def batches(
        self, file: BinaryIO, schema: pa.Schema, columns: Sequence[str], batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows in order.

        Args:
            file: open at its start.
            schema: as `describe` gave it for the first file of the dataset.
            columns: names of at least one column of the schema.
            batch_rows: rows in a batch, about; memory follows it.
        """

    @abstractmethod
    def writer(self, file: BinaryIO, schema: pa.Schema) -> Writer:
        """Return a writer.

        Raises:
            DatasetError: the format cannot hold a column of the schema.
        """
