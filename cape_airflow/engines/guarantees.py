"""What a policy promises of the output, measured on the output before anybody sees it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from cape_airflow.errors import DataError
from cape_airflow.policy import Plan

_COUNT = "rows_of_the_class"


class GuaranteeCheck:
    """Measures the guarantees of a plan while batches pass; memory grows with the number of equivalence classes.

    k-anonymity (Samarati and Sweeney 1998; ISO/IEC 20889): every combination of values of the quasi-identifiers that
    occurs, null counting as a value, is shared by at least `k` rows.

    Args:
        plan: as compiled.
    """

    def __init__(self, plan: Plan) -> None:
        self._guarantees = plan.guarantees
        self._classes = [_EquivalenceClasses(each.quasi_identifiers) for each in plan.guarantees]

    def update(self, batch: pa.RecordBatch) -> None:
        """Measure a batch of the output."""
        for classes in self._classes:
            classes.add(batch)

    def verify(self) -> None:
        """Refuse the output where a guarantee does not hold.

        Raises:
            DataError: says which, and by how many groups and rows.
        """
        for guarantee, classes in zip(self._guarantees, self._classes, strict=True):
            groups, rows = classes.smaller_than(guarantee.k)
            if groups:
                columns = ", ".join(guarantee.quasi_identifiers)
                raise DataError(
                    f"{guarantee.location}: {guarantee.type} does not hold: there are {groups} groups of fewer than "
                    f"{guarantee.k} rows by {columns}, {rows} rows in all; nothing is written. "
                    "Generalize these columns further, or suppress the rows."
                )


class _EquivalenceClasses:
    def __init__(self, names: Sequence[str]) -> None:
        self._names = list(names)
        self._merged: pa.Table | None = None
        self._fresh: list[pa.Table] = []
        self._fresh_rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        columns = [_plain(batch.column(name)) for name in self._names]
        positions = [str(number) for number in range(len(columns))]
        table = pa.table([*columns, pa.repeat(1, batch.num_rows)], names=[*positions, _COUNT])
        self._fresh.append(_grouped(table))
        self._fresh_rows += self._fresh[-1].num_rows
        # Merging only when as much again has come keeps the whole linear in the number of rows.
        if self._merged is None or self._fresh_rows > self._merged.num_rows:
            self._merge()

    def _merge(self) -> None:
        merged = [] if self._merged is None else [self._merged]
        if merged or self._fresh:
            self._merged = _grouped(pa.concat_tables([*merged, *self._fresh]))
        self._fresh, self._fresh_rows = [], 0

    def smaller_than(self, k: int) -> tuple[int, int]:
        """Return the number of classes of fewer than `k` rows, and of the rows in them."""
        self._merge()
        if self._merged is None:
            return 0, 0
        small = self._merged.column(_COUNT).filter(pc.less(self._merged.column(_COUNT), k))
        return len(small), int(pc.sum(small).as_py() or 0)


def _grouped(table: pa.Table) -> pa.Table:
    keys = table.column_names[:-1]
    counted = table.group_by(keys).aggregate([(_COUNT, "sum")])
    return counted.rename_columns([*keys, _COUNT])


def _plain(column: pa.Array) -> pa.Array:
    """Return the column in a form that Arrow groups by."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pa.large_string()) if pa.types.is_string_view(column.type) else column
