"""k-anonymity: every combination of quasi-identifiers that occurs, occurs at least k times.

Source: P. Samarati and L. Sweeney, "Protecting privacy when disclosing information", 1998; ISO/IEC 20889:2018,
formal privacy measurement models. Null counts as a value of its own. It says nothing about sensitive attributes
inside a group, and nothing about what an attacker knows beyond the quasi-identifiers.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.errors import GuaranteeBroken

_COUNT = "__cape_rows__"
_MERGE_ROWS = 1_000_000


class KAnonymity:
    """Counts the equivalence classes of an output, batch by batch. Memory grows with distinct classes, not with rows.

    Args:
        k: rows that each class must have, 2 or more.
        quasi_identifiers: names of output columns.
    """

    def __init__(self, k: int, quasi_identifiers: tuple[str, ...]) -> None:
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

    def smallest(self) -> int | None:
        """Return the rows of the smallest class; None where there were no rows."""
        classes = self._merge()
        return pc.min(classes[_COUNT]).as_py() if classes is not None else None

    def check(self) -> None:
        """Raise GuaranteeBroken unless every class has at least k rows; counts are told, values never."""
        classes = self._merge()
        if classes is None:
            return
        small = classes[_COUNT].filter(pc.less(classes[_COUNT], self._k))
        if len(small):
            raise GuaranteeBroken(
                f"{self._k}-anonymity over {', '.join(self._columns)} does not hold: {pc.sum(small)} rows are in "
                f"{len(small)} groups of fewer than {self._k}; generalize these columns further, or suppress such rows"
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
    """Unpack dictionaries and views: batches of one column may not share a dictionary."""
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.large_string()) if pa.types.is_string_view(array.type) else array
