"""Parquet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow.datasets import groups, open_sink, open_source


def test_the_footer_tells_schema_and_rows_without_reading_them(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(100_000)}), tmp_path / "in.parquet")
    source = open_source(str(tmp_path / "in.parquet"))
    assert (source.row_count, source.schema.names, source.format) == (100_000, ["a"], "parquet")
    assert source.bytes_read < source.size / 5


def test_only_the_columns_asked_for_are_fetched(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(100_000), "b": [str(n) for n in range(100_000)]}), tmp_path / "in.parquet")
    source = open_source(str(tmp_path / "in.parquet"))
    assert sum(batch.num_rows for batch in source.batches(["a"])) == 100_000
    assert source.bytes_read < source.size * 0.6


def test_C5_memory_follows_a_row_group_and_not_the_file(tmp_path: Path) -> None:
    table = pa.table({"a": np.random.default_rng(1).random(500_000)})
    pq.write_table(table, tmp_path / "in.parquet", row_group_size=10_000, use_dictionary=False, compression="none")
    source = open_source(str(tmp_path / "in.parquet"))
    before = pa.total_allocated_bytes()
    most = max(pa.total_allocated_bytes() - before for _ in source.batches())
    assert most < source.size / 5


def test_rows_are_written_in_groups_of_one_size_whatever_batches_came(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_ROWS", 10)
    with open_sink(str(tmp_path / "out.parquet"), job_id="a") as target:
        target.open(pa.schema([("a", pa.int64())]))
        for start, end in ((0, 3), (3, 3), (3, 26)):
            target.write(pa.record_batch({"a": pa.array(range(start, end), pa.int64())}))
        target.commit()
    file = pq.ParquetFile(tmp_path / "out.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [10, 10, 6]
    assert file.read()["a"].to_pylist() == list(range(26))


def test_schema_metadata_is_written(tmp_path: Path, write) -> None:
    write(str(tmp_path / "out.parquet"), pa.table({"a": [1]}).replace_schema_metadata({"cape.job_id": "x"}))
    assert open_source(str(tmp_path / "out.parquet")).schema.metadata == {b"cape.job_id": b"x"}


def test_compression_is_an_option(tmp_path: Path, write) -> None:
    write(str(tmp_path / "out.parquet"), pa.table({"a": [1]}), options={"compression": "zstd"})
    assert pq.ParquetFile(tmp_path / "out.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def stored(path: Path) -> dict[str, tuple[bool, str]]:
    """Return of each column whether it has a dictionary, and its codec."""
    group = pq.ParquetFile(path).metadata.row_group(0)
    columns = [group.column(place) for place in range(group.num_columns)]
    return {column.path_in_schema: (column.has_dictionary_page, column.compression) for column in columns}


def test_values_that_hardly_repeat_get_no_dictionary_and_tokens_no_codec(tmp_path: Path, write) -> None:
    random = np.random.default_rng(1)
    rows = 10_000
    table = pa.table(
        {
            "token": [random.bytes(32).hex() for _ in range(rows)],
            "email": [f"customer.{n:08d}@example.com" for n in range(rows)],
            "country": [("CH", "DE", "FR")[n % 3] for n in range(rows)],
            "number": random.random(rows),
            "nothing": pa.nulls(rows, pa.string()),
            "list": [[n] for n in range(rows)],
        }
    )
    write(str(tmp_path / "out.parquet"), table)
    assert stored(tmp_path / "out.parquet") == {
        "token": (False, "UNCOMPRESSED"),
        "email": (False, "SNAPPY"),
        "country": (True, "SNAPPY"),
        "number": (False, "UNCOMPRESSED"),
        "nothing": (True, "SNAPPY"),
        "list.list.element": (True, "SNAPPY"),
    }
    assert pq.read_table(tmp_path / "out.parquet").equals(table)


def test_a_codec_that_is_asked_for_is_that_of_all_columns(tmp_path: Path, write) -> None:
    tokens = pa.table({"token": [np.random.default_rng(n).bytes(32).hex() for n in range(5000)]})
    write(str(tmp_path / "out.parquet"), tokens, options={"compression": "snappy"})
    assert stored(tmp_path / "out.parquet") == {"token": (False, "SNAPPY")}


def test_a_type_that_parquet_cannot_hold_is_refused_before_the_first_row(tmp_path: Path, refused) -> None:
    with refused("cannot write"), open_sink(str(tmp_path / "out.parquet"), job_id="a") as target:
        target.open(pa.schema([("a", pa.month_day_nano_interval())]))


@pytest.mark.parametrize("content", [b"", b"PAR1", b"S3CRET" * 100])
def test_a_broken_file_is_refused(tmp_path: Path, refused, content: bytes) -> None:
    (tmp_path / "in.parquet").write_bytes(content)
    with refused("cannot read .*in.parquet: it is broken, or not of this format"):
        open_source(str(tmp_path / "in.parquet"))


def test_a_column_twice_is_refused(tmp_path: Path, refused) -> None:
    pq.write_table(pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "in.parquet")
    with refused("more than one column `a`"):
        open_source(str(tmp_path / "in.parquet"))
