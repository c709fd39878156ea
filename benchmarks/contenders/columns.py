"""One column of the Arrow file, as each library likes it best."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pyarrow as pa


def batches(source: str, column: str, rows: int) -> list[pa.RecordBatch]:
    """Return the first rows, in the file's batches with buffers of their own; after the last one, the first follows."""
    with pa.OSFile(source) as file, pa.ipc.open_file(file) as reader:
        inside = [reader.get_batch(number).select([column]) for number in range(reader.num_record_batches)]
    found: list[pa.RecordBatch] = []
    for batch in cycle(inside):
        found.append(batch.slice(0, rows))
        rows -= batch.num_rows
        if rows <= 0:
            return found
    raise ValueError(f"no rows in {source}")


def arrays(source: str, column: str, rows: int) -> list[pa.Array]:
    """Return the first values, as `batches` does."""
    return [batch.column(0) for batch in batches(source, column, rows)]


def values(source: str, column: str, rows: int) -> list[Any]:
    """Return the first values, as `batches` does, as Python objects."""
    return [value for array in arrays(source, column, rows) for value in array.to_pylist()]
