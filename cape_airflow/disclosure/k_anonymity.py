"""k-anonymity: every combination of quasi-identifiers that occurs, occurs at least k times.

Source: P. Samarati and L. Sweeney, "Protecting privacy when disclosing information", 1998; ISO/IEC 20889:2018,
formal privacy measurement models. Null counts as a value of its own. It says nothing about sensitive attributes
inside a group, and nothing about what an attacker knows beyond the quasi-identifiers.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.errors import GuaranteeBroken
from cape_airflow.kernels.text import without_views

_COUNT = "__cape_rows__"
_MERGE_ROWS = 1_000_000


class KAnonymity:
    """Counts the equivalence classes of an output, batch by batch. Memory grows with distinct classes, not with rows.

    Args:
        k: rows that each class must have, 2 or more.
        quasi_identifiers: names of output columns.

    Attributes:
        name: what is measured, for people.
    """

    def __init__(self, k: int, quasi_identifiers: tuple[str, ...]) -> None:
        self.name = f"{k}-anonymity over {', '.join(quasi_identifiers)}"
        self._k = k
        self._columns = list(quasi_identifiers)
        self._parts: list[pa.Table] = []

    def update(self, batch: pa.RecordBatch) -> None:
        """Count the rows of one batch of the output."""
        keys = [_plain(batch.column(name)) for name in self._columns]
        ones = pa.repeat(pa.scalar(1, pa.int64()), batch.num_rows)
        self._parts.append(self._count(pa.table([*keys, ones], names=[*self._columns, _COUNT])))
        if sum(part.num_rows for part in self._parts) > _MERGE_ROWS:
            self._merge()

    def check(self) -> None:
        """Raise GuaranteeBroken unless every class has at least k rows; counts are told, values never."""
        classes = self._merge()
        if classes is None:
            return
        small = classes[_COUNT].filter(pc.less(classes[_COUNT], self._k))
        self.judge(pc.sum(small).as_py() or 0, len(small))

    def judge(self, rows: int, groups: int) -> None:
        """Raise GuaranteeBroken where some rows are in groups of fewer than k, wherever they were counted."""
        if groups:
            raise GuaranteeBroken(
                f"{self.name} does not hold: {rows} rows are in "
                f"{groups} groups of fewer than {self._k}; generalize these columns further, or suppress such rows"
            )

    def _merge(self) -> pa.Table | None:
        if not self._parts:
            return None
        self._parts = [self._count(pa.concat_tables(self._parts))]
        return self._parts[0] if self._parts[0].num_rows else None

    def _count(self, rows: pa.Table) -> pa.Table:
        grouped = rows.group_by(self._columns, use_threads=False).aggregate([(_COUNT, "sum")])
        return grouped.rename_columns([*self._columns, _COUNT])


def _plain(array: pa.Array) -> pa.Array:
    """Return the values themselves: batches of a column may not share a dictionary, and few types can be grouped."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _plain(array.storage)
    if pa.types.is_dictionary(kind):
        return _plain(array.dictionary).take(array.indices)
    if pa.types.is_run_end_encoded(kind):
        runs = pa.RunEndEncodedArray.from_arrays(array.run_ends, _plain(array.values))
        return pc.run_end_decode(runs.slice(array.offset, len(array)))
    return array.cast(without_views(kind))
