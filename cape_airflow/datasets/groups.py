"""Rows regrouped: where a group ends depends on the rows alone, not on the batches in which they came."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from cape_airflow.datasets.compactness import is_fixed_width, is_plain_text
from cape_airflow.datasets.rows import compact
from cape_airflow.kernels.rows import offsets_in

GROUP_ROWS = 131_072
"""Rows in a row group, record batch or written block, so that the bytes do not depend on the batches that came."""

GROUP_BYTES = 128 << 20
"""Bytes after which a group is written before it is full: wide rows must not pile up in memory."""

STEP_ROWS = 1024
"""Rows that are weighed at once. A group ends only after a step, so that its end depends on the rows alone."""


class Groups:
    """Takes batches of one schema and gives groups.

    Args:
        schema: of the batches.
    """

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._pending: list[pa.RecordBatch] = []
        self._pending_rows = 0
        self._group: list[pa.Table] = []
        self._rows = self._bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take the next rows."""
        if not batch.num_rows:
            return
        columns = [compact(column) if is_plain_text(column.type) else column for column in batch.columns]
        self._pending.append(pa.RecordBatch.from_arrays(columns, schema=self._schema))
        self._pending_rows += batch.num_rows

    def next(self, room: int, *, at_end: bool = False) -> pa.Table | None:
        """Return the next group, compacted and with one chunk a column; None where rows are wanting.

        Args:
            room: rows that its file can still take; the same in every call until there is a group.
            at_end: no more rows will come: the last group may be smaller.
        """
        is_full = self._fill(min(room, GROUP_ROWS), at_end)
        if not (is_full or (at_end and self._group)):
            return None
        group = pa.concat_tables(self._group)
        self._group, self._rows, self._bytes = [], 0, 0
        return pa.Table.from_arrays([compact(column) for column in group.columns], schema=self._schema)

    def _fill(self, room: int, at_end: bool) -> bool:
        """Move whole steps of pending rows into the group; return whether it is full."""
        most = min(room - self._rows, self._pending_rows)
        step = min(STEP_ROWS, room - self._rows)
        if not most or (most < step and not at_end):
            return False
        table = pa.Table.from_batches(self._pending, self._schema)
        ends = np.arange(step, most + 1, step)
        if (at_end or most == room - self._rows) and most % step:
            ends = np.append(ends, most)
        weights = np.cumsum(_weights(table, ends)) + self._bytes
        last = min(int(np.searchsorted(weights, GROUP_BYTES)), len(ends) - 1)
        self._take(table, int(ends[last]), int(weights[last]))
        return self._rows == room or self._bytes >= GROUP_BYTES

    def _take(self, table: pa.Table, rows: int, weight: int) -> None:
        self._group.append(table.slice(0, rows))
        self._rows += rows
        self._bytes = weight
        self._pending = table.slice(rows).to_batches()
        self._pending_rows = table.num_rows - rows


def _weights(table: pa.Table, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bytes between these ends, which depend on the rows alone, unlike those in memory."""
    rows = np.diff(ends, prepend=0)
    total = np.zeros(len(ends), np.int64)
    for column in table.columns:
        if is_fixed_width(column.type):
            total += rows * column.type.bit_width // 8
        elif is_plain_text(column.type):
            total += rows * 4 + np.diff(_text_bytes(column, ends), prepend=0)
        else:
            starts = ends - rows
            steps = (column.slice(*step) for step in zip(starts.tolist(), rows.tolist(), strict=True))
            total += np.fromiter((_weight(compact(step)) for step in steps), np.int64, len(ends))
    return total


def _text_bytes(column: pa.ChunkedArray, ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bytes of the values before these ends."""
    total, start = np.zeros(len(ends), np.int64), 0
    for chunk in column.chunks:
        offsets = offsets_in(chunk)
        total += offsets[np.clip(ends - start, 0, len(chunk))] - offsets[0]
        start += len(chunk)
    return total


def _weight(step: pa.Array) -> int:
    """Return the bytes of a message of Arrow IPC with these values."""
    batch = pa.RecordBatch.from_arrays([step], ["0"])
    dictionary = step.dictionary.nbytes if pa.types.is_dictionary(step.type) else 0
    return int(pa.ipc.get_record_batch_size(batch) + dictionary)
