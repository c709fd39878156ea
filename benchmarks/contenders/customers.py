"""Invented customers, as Parquet for whole jobs and as Arrow for single columns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

GROUP_ROWS = 250_000
BATCH_ROWS = 65_536  # of our engines
TEN_YEARS = 3650 * 86400
START = int(dt.datetime(2016, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000
TEN_YEARS = 3650 * 86400
START = int(dt.datetime(2016, 1, 1, tzinfo=dt.UTC).timestamp()) * 1_000_000


def customers(start: int, rows: int, null_share: float = 0.02) -> pa.Table:
    """Return that many invented customers. Digits are random, as in real data: sequences would compress too well."""
    choose = np.random.default_rng(start)

    def digits(count: int) -> pa.Array:
        return pc.utf8_lpad(pa.array(choose.integers(0, 10**count, rows)).cast(pa.string()), count, "0")

    def text(*parts: str | pa.Array) -> pa.Array:
        return pc.binary_join_element_wise(*parts, "")

    number = pc.utf8_lpad(pa.array(np.arange(start, start + rows)).cast(pa.string()), 8, "0")
    microseconds = choose.integers(0, TEN_YEARS, rows) * 1_000_000 + START
    columns = {
        "email": text(digits(6), ".", number, "@example.com"),
        "card": text("4", digits(15)),
        "salary": pa.array(choose.lognormal(10.5, 0.6, rows)),
        "seen": pa.array(microseconds).cast(pa.timestamp("us")),
        "phone": text("+41", digits(9)),
        "note": text("called on day ", digits(3)),
        "ssn": digits(9),
        "country": pa.array(choose.choice(["CH", "DE", "FR", "IT"], rows)),
    }
    missing = {name: pa.array(choose.random(rows) < null_share) for name in columns}
    return pa.table({name: pc.if_else(missing[name], None, column) for name, column in columns.items()})


def write_parquet(target: str, rows: int, null_share: float = 0.02) -> Callable[[], None]:
    """Write them to a Parquet file."""

    def write() -> None:
        with pq.ParquetWriter(target, customers(0, 1).schema) as writer:
            for start in range(0, rows, GROUP_ROWS):
                writer.write_table(customers(start, min(GROUP_ROWS, rows - start), null_share))

    return write


def write_arrow(target: str, rows: int) -> Callable[[], None]:
    """Write them to an Arrow file, in batches of an engine's size and without nulls."""

    def write() -> None:
        with pa.OSFile(target, "wb") as file, pa.ipc.new_file(file, customers(0, 1).schema) as writer:
            for start in range(0, rows, BATCH_ROWS):
                writer.write_table(customers(start, min(BATCH_ROWS, rows - start), null_share=0))

    return write
