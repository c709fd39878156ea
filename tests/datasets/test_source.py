"""Where batches come from."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cape_airflow.datasets import open_source
from cape_airflow.datasets.location import locate
from cape_airflow.policy.matching import tags


def parquet(path: Path, **columns: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def test_a_folder_is_read_in_the_order_of_its_paths_without_hidden_files(tmp_path: Path, read) -> None:
    for name in ("b.parquet", "a.parquet", "sub/c.parquet", ".x.parquet", "_x.parquet", "_tmp/y.parquet"):
        parquet(tmp_path / name, name=[name])
    (tmp_path / "_SUCCESS").touch()
    assert read(str(tmp_path))["name"].to_pylist() == ["a.parquet", "b.parquet", "sub/c.parquet"]


def test_a_glob_reads_what_it_matches(tmp_path: Path, read) -> None:
    for name in ("2025-1.parquet", "2026-1.parquet", "2026-2.parquet", ".2026-3.parquet"):
        parquet(tmp_path / name, name=[name])
    assert read(f"{tmp_path}/2026*.parquet")["name"].to_pylist() == ["2026-1.parquet", "2026-2.parquet"]


def test_a_file_may_have_wildcards_in_its_name(tmp_path: Path, read) -> None:
    parquet(tmp_path / "a[1].parquet", a=[1])
    assert read(str(tmp_path / "a[1].parquet"))["a"].to_pylist() == [1]


def test_partition_columns_are_part_of_the_schema(tmp_path: Path, read) -> None:
    for year, country in ((2025, "CH"), (2026, "DE")):
        parquet(tmp_path / f"year={year}/country={country}/x.parquet", a=[year, year + 1])
    table = read(str(tmp_path))
    assert table.to_pydict() == {
        "a": [2025, 2026, 2026, 2027],
        "year": [2025] * 2 + [2026] * 2,
        "country": ["CH"] * 2 + ["DE"] * 2,
    }
    assert read(str(tmp_path), ["country"])["country"].to_pylist() == ["CH", "CH", "DE", "DE"]
    assert read(str(tmp_path), ["year", "a"]).column_names == ["year", "a"]


def test_a_partition_that_is_also_a_column_is_refused(tmp_path: Path, refused) -> None:
    parquet(tmp_path / "a=1/x.parquet", a=[1])
    with refused("more than one column `a`"):
        open_source(str(tmp_path))


@pytest.mark.parametrize(
    ("first", "later"),
    [(None, "user.mail"), ("user.mail", None), ("user.id", "user.mail, user.id")],
)
def test_a_column_has_the_tags_of_all_files(tmp_path: Path, first: str | None, later: str | None) -> None:
    for name, text in (("1", first), ("2", None), ("3", later)):
        field = pa.field("m", pa.string(), metadata={"cape.tags": text} if text else None)
        pq.write_table(pa.table([["x"]], schema=pa.schema([field])), tmp_path / f"{name}.parquet")
    source = open_source(str(tmp_path))
    found = set(tags(source.schema.field("m")))
    assert found == {tag.strip() for text in (first, later) if text for tag in text.split(",")}
    assert sum(batch.num_rows for batch in source.batches()) == 3


def test_messages_name_the_file_and_the_partition_columns_without_their_values(tmp_path: Path, read, refused) -> None:
    for number, text in enumerate(("a,b\n1,2\n", "a,b\n1\n")):
        (tmp_path / f"ssn=S3CRET{number}").mkdir()
        (tmp_path / f"ssn=S3CRET{number}/x.csv").write_text(text)
    assert "S3CRET" not in str(open_source(str(tmp_path)).files)
    with refused("cannot read .*/ssn=…/x.csv .file 2.: a row has 1 cells"):
        read(str(tmp_path))
    (tmp_path / "ssn=S3CRET0/x.csv").rename(tmp_path / "ssn=S3CRET0/x.txt")
    with refused("the format of a file cannot be told by its suffix .txt"):
        open_source(str(tmp_path))


def test_messages_show_no_user_and_no_query_of_a_url(refused) -> None:
    with refused("http://127.0.0.1:9/x.csv"):
        open_source("http://user:S3CRET@127.0.0.1:9/x.csv?sig=S3CRET")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"a": [1]}, "2.parquet: column `b` is missing, unlike in .*1.parquet"),
        ({"a": [1], "b": [1]}, "2.parquet: column `b` is int64, and string in .*1.parquet"),
        ({"a": [1], "b": ["x"], "c": [1]}, "2.parquet: column `c` is further to those in .*1.parquet"),
    ],
)
def test_files_of_another_schema_are_refused_before_a_row_is_read(tmp_path: Path, refused, columns, words) -> None:
    parquet(tmp_path / "1.parquet", a=[1], b=["x"])
    parquet(tmp_path / "2.parquet", **columns)
    with refused(words):
        open_source(str(tmp_path))


def test_columns_in_another_order_are_the_same_schema(tmp_path: Path, read) -> None:
    parquet(tmp_path / "1.parquet", a=[1], b=["x"])
    parquet(tmp_path / "2.parquet", b=["y"], a=[2])
    assert read(str(tmp_path)).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}
    assert open_source(str(tmp_path)).row_count == 2


@pytest.mark.parametrize("name", ["missing.parquet", "missing/", "missing*.parquet"])
def test_nothing_there_is_an_error(tmp_path: Path, refused, name: str) -> None:
    with refused("there is no file at|no such file"):
        open_source(f"{tmp_path}/{name}")


def test_a_folder_of_several_formats_asks_for_a_glob(tmp_path: Path, refused) -> None:
    parquet(tmp_path / "1.parquet", a=[1])
    (tmp_path / "2.csv").write_text("a\n1\n")
    with refused("files of several formats .*; give a glob"):
        open_source(str(tmp_path))


def test_a_format_that_is_given_wins_over_the_suffix(tmp_path: Path, read) -> None:
    parquet(tmp_path / "data.bin", a=[1])
    assert read(str(tmp_path / "data.bin"), format="parquet")["a"].to_pylist() == [1]


def test_a_source_can_be_read_again(tmp_path: Path) -> None:
    source = open_source(str(parquet(tmp_path / "1.parquet", a=range(10))))
    assert [[batch.num_rows for batch in source.batches(batch_rows=4)] for _ in range(2)] == [[4, 4, 2]] * 2
    assert 0 < source.bytes_read <= source.size


def test_files_that_vanish_are_an_error(tmp_path: Path, refused) -> None:
    source = open_source(str(parquet(tmp_path / "1.parquet", a=[1])))
    (tmp_path / "1.parquet").unlink()
    with refused("cannot open .*1.parquet: No such file or directory"):
        next(source.batches())


def test_an_existing_filesystem_can_be_given(tmp_path: Path, read) -> None:
    parquet(tmp_path / "1.parquet", a=[1])
    root = fsspec.filesystem("dir", path=str(tmp_path), fs=fsspec.filesystem("file"))
    assert read("1.parquet", filesystem=root)["a"].to_pylist() == [1]


@pytest.mark.parametrize(
    ("source", "target", "reads"),
    [
        ("in.parquet", "in.parquet", True),
        ("in.parquet", "sub/../in.parquet", True),
        ("in.parquet", "link.parquet", True),
        ("in.parquet", "", True),
        ("", "out.parquet", True),
        ("*.parquet", "out.parquet", True),
        ("*.parquet", "out.csv", False),
        ("in.parquet", "out.parquet", False),
        ("in.parquet", "in.parquet.parquet", False),
    ],
)
def test_a_source_knows_what_it_must_not_be_written_into(tmp_path: Path, source: str, target: str, reads: bool) -> None:
    parquet(tmp_path / "in.parquet", a=[1])
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.parquet").symlink_to(tmp_path / "in.parquet")
    url = f"{tmp_path}/{source}" if source else str(parquet(tmp_path / "folder/in.parquet", a=[1]).parent)
    base = tmp_path if source else tmp_path / "folder"
    assert open_source(url).reads(locate(f"{base}/{target}")) is reads


@given(rows=st.integers(0, 50), batch_rows=st.integers(1, 60), group=st.integers(1, 60))
def test_batches_are_never_larger_than_asked_and_lose_nothing(tmp_path_factory, rows, batch_rows, group) -> None:
    path = tmp_path_factory.mktemp("source") / "x.parquet"
    pq.write_table(pa.table({"a": pa.array(range(rows), pa.int64())}), path, row_group_size=group)
    batches = list(open_source(str(path)).batches(batch_rows=batch_rows))
    assert all(0 < batch.num_rows <= batch_rows for batch in batches)
    assert [value for batch in batches for value in batch.column("a").to_pylist()] == list(range(rows))
