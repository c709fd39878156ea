"""Passes that count rows for techniques that ask."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.engines import BoundPlan
from cape_airflow.engines.counting import count_rows
from cape_airflow.keys import KeyRing

DATES = (
    "{match: {name: d}, actions: [{transform: {type: date-perturbation, frequency: [YEAR, MONTH, DAY], "
    "min: [-10, -5, -5], max: [10, 5, 5], seed: 1234}}]}"
)
REDACT = "{match: {name: n}, actions: [{transform: {type: row-redact, condition: n < 3}}]}"


def table(rows: int) -> pa.Table:
    return pa.table(
        {"d": pa.array([dt.datetime(2020, 1, 1)] * rows, pa.timestamp("s")), "n": pa.array(range(rows), pa.int64())}
    )


class Data:
    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.passes = 0

    def __call__(self) -> list[pa.RecordBatch]:
        self.passes += 1
        return self.table.to_batches(max_chunksize=4)


@pytest.mark.parametrize(
    ("rules", "total", "counts", "passes"),
    [
        ([REDACT], None, {}, 0),
        ([DATES], 10, {0: 10}, 0),
        ([DATES], None, {0: 10}, 1),
        ([REDACT, DATES], 10, {1: 7}, 1),
        ([DATES, REDACT, DATES], 10, {0: 10, 1: 7}, 1),
        ([DATES, REDACT, DATES, DATES], None, {0: 10, 1: 7}, 2),
    ],
)
def test_only_what_is_asked_for_is_counted(planned, rules, total, counts, passes) -> None:
    data = Data(table(10))
    assert count_rows(planned(data.table.schema, *rules), KeyRing(), total, data) == counts
    assert data.passes == passes


@given(rows=st.integers(0, 30), size=st.integers(1, 31))
def test_seeded_noise_of_several_frequencies_does_not_depend_on_the_batches(planned, rows: int, size: int) -> None:
    whole = table(rows)
    plan = planned(whole.schema, REDACT, DATES)

    def noisy(size: int) -> list[object]:
        counts = count_rows(plan, KeyRing(), rows, lambda: whole.to_batches(max_chunksize=size))
        bound = BoundPlan(plan, KeyRing(), counts)
        return [row for batch in whole.to_batches(max_chunksize=size) for row in bound.run(batch).to_pylist()]

    assert noisy(size) == noisy(100)
