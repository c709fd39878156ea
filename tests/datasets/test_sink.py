"""Where batches go to: complete or not at all, in every format and on every storage."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import groups, open_sink, open_source, sink
from cape_airflow.datasets.formats import format_by_name
from cape_airflow.datasets.location import locate
from cape_airflow.datasets.staging import LocalFile
from cape_airflow.errors import DatasetError

TABLE = pa.table({"a": pa.array([1, None, 3]), "s": ["x", "ü", None]})
SUFFIXES = ["parquet", "csv", "jsonl", "arrow"]


@pytest.fixture(params=["local", "memory", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict]:
    """A folder URL and its storage options, on each kind of storage."""
    if request.param == "local":
        return str(tmp_path), {}
    if request.param == "memory":
        return f"memory://{tmp_path}", {}
    return f"s3://bucket{tmp_path}", request.getfixturevalue("s3")


def names(url: str, options: dict) -> list[str]:
    filesystem, path = fsspec.core.url_to_fs(url, **options)
    filesystem.invalidate_cache()
    return [name.removeprefix(f"{path}/") for name in filesystem.find(path)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_comes_back(storage, write, read, suffix: str) -> None:
    url, options = storage
    write(f"{url}/out.{suffix}", TABLE, storage_options=options)
    assert read(f"{url}/out.{suffix}", storage_options=options).to_pydict() == TABLE.to_pydict()
    assert names(url, options) == [f"out.{suffix}"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_folder_comes_back_in_parts_with_a_manifest(storage, write, read, suffix: str, monkeypatch) -> None:
    monkeypatch.setattr(sink, "ROWS_PER_FILE", 2)
    url, options = storage
    write(f"{url}/out/", TABLE, format=suffix, storage_options=options)
    assert read(f"{url}/out", storage_options=options).to_pydict() == TABLE.to_pydict()
    files = names(f"{url}/out", options)
    assert [name[:10] for name in files] == ["_cape_mani", "part-00000", "part-00001"]
    manifest = json.loads(fsspec.open(f"{url}/out/_cape_manifest.json", **options).open().read())
    assert [file["rows"] for file in manifest["files"]] == [2, 1]


def test_a_new_folder_takes_the_place_of_the_old_one(storage, write, read, monkeypatch) -> None:
    url, options = storage
    monkeypatch.setattr(sink, "ROWS_PER_FILE", 1)
    write(f"{url}/out/", TABLE, storage_options=options)
    monkeypatch.setattr(sink, "ROWS_PER_FILE", 5)
    write(f"{url}/out/", TABLE.slice(1), storage_options=options)
    assert read(f"{url}/out/", storage_options=options).to_pydict() == TABLE.slice(1).to_pydict()
    assert len(names(url, options)) == 2


@pytest.mark.parametrize("target", ["out.parquet", "out/"])
def test_nothing_is_seen_before_commit_and_nothing_is_left_without_it(storage, target: str) -> None:
    url, options = storage

    def seen() -> list[str]:
        return [name for name in names(url, options) if not name.startswith(".")]

    with open_sink(f"{url}/{target}", job_id="a", storage_options=options) as out:
        out.open(TABLE.schema)
        out.write(TABLE.to_batches()[0])
        assert seen() == []
        out.finish()
        assert seen() == []
    assert names(url, options) == []


@pytest.mark.parametrize("target", ["out.parquet", "out/"])
def test_the_old_output_stays_until_commit_and_after_a_failure(storage, write, read, target: str) -> None:
    url, options = storage
    write(f"{url}/{target}", TABLE, storage_options=options)
    with open_sink(f"{url}/{target}", job_id="b", storage_options=options) as out:
        out.open(TABLE.schema)
        out.write(TABLE.slice(2).to_batches()[0])
        out.finish()
        assert read(f"{url}/{target}", storage_options=options).num_rows == 3
    assert read(f"{url}/{target}", storage_options=options).num_rows == 3


def test_a_folder_that_holds_other_things_is_not_replaced(storage, refused) -> None:
    url, options = storage
    fsspec.open(f"{url}/out/notes.txt", "wb", auto_mkdir=True, **options).open().close()
    with (
        refused("holds 1 .* that are no earlier output"),
        open_sink(f"{url}/out/", job_id="a", storage_options=options) as out,
    ):
        out.open(TABLE.schema)
    assert names(url, options) == ["out/notes.txt"]


def test_no_rows_still_give_a_file_with_its_columns(storage, write, read) -> None:
    url, options = storage
    write(f"{url}/out.parquet", TABLE.slice(3), storage_options=options)
    assert read(f"{url}/out.parquet", storage_options=options).schema == TABLE.schema


@given(
    chunks=st.lists(st.integers(0, 9), max_size=8),
    group=st.integers(1, 12),
    weight=st.integers(1, 2000),
    step=st.integers(1, 5),
    suffix=st.sampled_from(SUFFIXES),
)
def test_the_bytes_do_not_depend_on_the_batches(tmp_path_factory, chunks, group, weight, step, suffix) -> None:
    rows = sum(chunks)
    table = pa.table(
        {
            "a": pa.array(range(rows), pa.int64()),
            "d": pa.array([str(n % 3) for n in range(rows)], pa.string()).dictionary_encode(),
            "wide": ["x" * (n % 7 * 40) if n % 4 else None for n in range(rows)],
        }
    )
    folder = tmp_path_factory.mktemp("sink")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(groups, "GROUP_ROWS", group)
        patch.setattr(groups, "GROUP_BYTES", weight)
        patch.setattr(groups, "STEP_ROWS", step)
        for name, sizes in (("one", [rows]), ("many", chunks)):
            with open_sink(f"{folder}/{name}.{suffix}", job_id="a") as out:
                out.open(table.schema)
                start = 0
                for size in sizes:
                    part = table.slice(start, size).combine_chunks()
                    out.write(part.to_batches()[0] if size else pa.RecordBatch.from_pylist([], table.schema))
                    start += size
                out.commit()
    assert (folder / f"one.{suffix}").read_bytes() == (folder / f"many.{suffix}").read_bytes()


def test_wide_rows_are_written_before_a_group_is_full(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_BYTES", 100)
    monkeypatch.setattr(groups, "STEP_ROWS", 1)
    with open_sink(str(tmp_path / "out.parquet"), job_id="a") as out:
        out.open(pa.schema([("s", pa.string())]))
        before = out.bytes_written
        out.write(pa.record_batch({"s": ["x" * 200]}))
        assert out.bytes_written > before
        out.commit()


def test_row_groups_of_wide_rows_do_not_depend_on_the_batches(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(groups, "GROUP_BYTES", 1 << 20)
    rows = pa.record_batch({"s": ["x" * 900] * 10_000})
    sizes = []
    for size in (1, 999, 10_000):
        with open_sink(str(tmp_path / "out.parquet"), job_id="a") as out:
            out.open(rows.schema)
            for start in range(0, 10_000, size):
                out.write(rows.slice(start, size))
            out.commit()
        footer = pq.ParquetFile(tmp_path / "out.parquet").metadata
        sizes.append([footer.row_group(number).num_rows for number in range(footer.num_row_groups)])
    assert sizes == [[2048] * 4 + [1808]] * 3


def test_a_source_is_not_written_over(tmp_path: Path, write, refused) -> None:
    write(str(tmp_path / "in.parquet"), TABLE)
    source = open_source(str(tmp_path / "in.parquet"))
    with refused("in.parquet is part of what is read; write the output elsewhere"):
        open_sink(str(tmp_path / "in.parquet"), job_id="a").check_source(source)
    open_sink(str(tmp_path / "out.parquet"), job_id="a").check_source(source)


def test_batches_of_another_schema_are_not_cast(tmp_path: Path, refused) -> None:
    with open_sink(str(tmp_path / "out.csv"), job_id="a") as out:
        out.open(pa.schema([("a", pa.string())]))
        with refused("a batch is of another schema"):
            out.write(pa.record_batch({"a": [1]}))


class _Stuck(LocalFile):
    def discard(self) -> None:
        super().discard()
        raise OSError(errno.EIO, "")


def test_leftovers_that_cannot_be_removed_are_told_beside_the_first_error(tmp_path: Path) -> None:
    path = str(tmp_path / "out.csv")
    out = sink.FileSink(locate(path), path, format_by_name("csv"), _Stuck(path, "a"), "a")
    with pytest.raises(DatasetError, match="which CSV cannot hold") as caught, out:
        out.open(pa.schema([("x", pa.binary())]))
    assert caught.value.__notes__ == [f"cannot remove what was written for {path}: Input/output error"]
    with pytest.raises(DatasetError, match="cannot remove what was written"), out:
        pass
