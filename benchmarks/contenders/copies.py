"""Plain copies of a Parquet file, with equal settings: Snappy, row groups of one size, statistics of row groups.

All may use dictionaries and decide by themselves where; pyarrow's and DataFusion's pages are of version 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

GROUP_ROWS = 131_072  # what our own sink writes

Copy = Callable[[], None]


def with_pyarrow(source: str, target: str, cores: int) -> Copy:
    """Batch by batch, in bounded memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pa.set_cpu_count(cores)

    def copy() -> None:
        file = pq.ParquetFile(source, pre_buffer=False)  # with it, memory grows with the file
        with pq.ParquetWriter(target, file.schema_arrow, compression="snappy") as writer:
            for batch in file.iter_batches(batch_size=GROUP_ROWS):
                writer.write_batch(batch, row_group_size=GROUP_ROWS)

    return copy


def with_polars(source: str, target: str, cores: int) -> Copy:
    """Streaming; its threads follow the cores that the process may use."""
    import polars as pl

    def copy() -> None:
        frame = pl.scan_parquet(source)
        frame.sink_parquet(target, compression="snappy", row_group_size=GROUP_ROWS, statistics=True, engine="streaming")

    return copy


def with_duckdb(source: str, target: str, cores: int) -> Copy:
    """One query."""
    import duckdb

    session = duckdb.connect(config={"threads": cores})

    def copy() -> None:
        session.read_parquet(source).write_parquet(target, compression="snappy", row_group_size=GROUP_ROWS)

    return copy


def with_datafusion(source: str, target: str, cores: int) -> Copy:
    """One plan, one output file."""
    from datafusion import ParquetWriterOptions, SessionConfig, SessionContext

    session = SessionContext(SessionConfig().with_target_partitions(cores))
    options = ParquetWriterOptions(compression="snappy", max_row_group_size=GROUP_ROWS, statistics_enabled="chunk")

    def copy() -> None:
        session.read_parquet(source).write_parquet_with_options(target, options)

    return copy


def footer(path: str) -> Callable[[], dict[str, int]]:
    """Return what a Parquet file says about itself: bytes, rows and row groups."""
    import pyarrow.parquet as pq

    def read() -> dict[str, int]:
        metadata = pq.read_metadata(path)
        return {"bytes": Path(path).stat().st_size, "rows": metadata.num_rows, "groups": metadata.num_row_groups}

    return read
