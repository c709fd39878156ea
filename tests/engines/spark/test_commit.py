from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cape_airflow.datasets import open_source
from cape_airflow.datasets.listing import MANIFEST
from cape_airflow.engines.spark.commit import SUCCESS, Staged, refuse_existing
from cape_airflow.errors import DatasetError

JOB, OTHER = "a" * 32, "b" * 32
DIGEST = "d" * 64


def _spark_writes(folder: Path, rows: int = 3, part: str = "country=NL/part-00000-x.snappy.parquet") -> None:
    """Leave what Spark's committer leaves."""
    (folder / part).parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"email": ["t"] * rows}), folder / part)
    (folder / f".{Path(part).name}.crc").touch()
    (folder / SUCCESS).touch()


def _output(target: Path, job: str = JOB, rows: int = 3, part: str = "country=NL/part-00000-x.snappy.parquet") -> None:
    staged = Staged(str(target), job)
    folder = staged.begin()
    _spark_writes(folder, rows, part)
    staged.complete(DIGEST, rows)
    operator = Staged(str(target), job)
    operator.adopt(folder)
    operator.show()


def _hidden(target: Path) -> list[str]:
    return [path.name for path in target.parent.iterdir() if path != target]


def test_nothing_is_seen_before_the_output_is_shown(tmp_path: Path) -> None:
    target = tmp_path / "out"
    staged = Staged(str(target), JOB)
    folder = staged.begin()
    _spark_writes(folder)
    staged.complete(DIGEST, 3)
    assert not target.exists()
    assert folder.name.startswith(".")
    assert folder.stat().st_mode & 0o077 == 0


def test_what_is_shown_is_the_parts_and_a_manifest_that_our_sources_read(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _output(target)
    manifest = json.loads((target / MANIFEST).read_text())
    [file] = manifest["files"]
    assert (file["name"], file["rows"]) == ("country=NL/part-00000-x.snappy.parquet", 3)
    assert (manifest["job_id"], manifest["policy_digest"]) == (JOB, DIGEST)
    assert sum(batch.num_rows for batch in open_source(f"{target}/", format="parquet").batches()) == 3
    assert _hidden(target) == []
    assert not list(target.rglob("*.crc"))


def test_a_second_output_takes_the_place_of_the_first_and_none_of_its_partitions_is_left(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _output(target, JOB)
    _output(target, OTHER, 5, "country=DE/part-00000-y.snappy.parquet")
    assert [path.name for path in target.glob("country=*")] == ["country=DE"]
    assert _hidden(target) == []


def test_a_folder_with_other_files_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    _output(target)
    (target / "country=NL" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="holds 1 files that are no earlier output"):
        Staged(str(target), OTHER).begin()
    assert (target / "country=NL" / "notes.txt").exists()


def test_a_file_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_text("mine")
    with pytest.raises(DatasetError, match="is a file"):
        Staged(str(target), JOB).begin()
    assert target.read_text() == "mine"


def test_other_files_that_come_while_spark_works_are_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out"
    staged = Staged(str(target), JOB)
    folder = staged.begin()
    _spark_writes(folder)
    staged.complete(DIGEST, 3)
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="no earlier output"):
        staged.show()
    assert (target / "notes.txt").read_text() == "mine"


def test_executors_that_wrote_to_disks_of_their_own_are_found_out(tmp_path: Path) -> None:
    staged = Staged(str(tmp_path / "out"), JOB)
    folder = staged.begin()
    _spark_writes(folder, rows=3)
    with pytest.raises(DatasetError, match="hold 3 of the 7 rows"):
        staged.complete(DIGEST, 7)


def test_files_of_formats_that_tell_no_rows_must_be_there_at_least(tmp_path: Path) -> None:
    staged = Staged(str(tmp_path / "out"), JOB)
    (staged.begin() / SUCCESS).touch()
    with pytest.raises(DatasetError, match="hold 0 of the 7 rows"):
        staged.complete(DIGEST, 7)


def test_a_spark_that_wrote_elsewhere_is_found_out(tmp_path: Path) -> None:
    staged = Staged(str(tmp_path / "out"), JOB)
    staged.begin()
    with pytest.raises(DatasetError, match="wrote nothing"):
        staged.complete(DIGEST, 7)


def test_an_output_without_rows_is_an_output(tmp_path: Path) -> None:
    _output(tmp_path / "out", rows=0)
    assert (tmp_path / "out" / MANIFEST).exists()


def test_a_retry_sweeps_what_a_dead_attempt_of_its_job_left(tmp_path: Path) -> None:
    dead = Staged(str(tmp_path / "out"), JOB)
    folder = dead.begin()
    dead._release()  # as at the end of its process
    Staged(str(tmp_path / "out"), JOB).begin()
    assert not folder.exists()


def test_a_retry_leaves_a_living_attempt_alone(tmp_path: Path) -> None:
    folder = Staged(str(tmp_path / "out"), JOB).begin()
    living = Staged(str(tmp_path / "out"), JOB)
    held = living.begin()
    Staged(str(tmp_path / "out"), JOB).begin()
    assert held.exists()
    assert folder.parent == held.parent


@pytest.mark.parametrize("name", [f".out.cape-{JOB}-00000000", f".out.cape-{OTHER}-00000000", "elsewhere"])
def test_a_folder_that_is_gone_or_of_another_job_is_not_adopted(tmp_path: Path, name: str) -> None:
    if OTHER in name or name == "elsewhere":
        (tmp_path / name).mkdir()
    with pytest.raises(DatasetError, match="not on this machine"):
        Staged(str(tmp_path / "out"), JOB).adopt(tmp_path / name)


def test_errorifexists_refuses_what_is_there(tmp_path: Path) -> None:
    refuse_existing(str(tmp_path / "new"))
    with pytest.raises(DatasetError, match="is there already"):
        refuse_existing(str(tmp_path))
