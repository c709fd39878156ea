"""All or nothing on the local disk."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow.datasets import Sink, open_sink
from cape_airflow.datasets.staging import STALE_SECONDS
from cape_airflow.errors import DatasetError

BATCH = pa.record_batch({"a": [1, 2, 3]})
JOB, OTHER = "a" * 32, "b" * 32
TARGETS = pytest.mark.parametrize("target", ["out.parquet", "out/"])


def begun(url: str, job_id: str = JOB) -> Sink:
    out = open_sink(url, job_id=job_id)
    out.open(BATCH.schema)
    out.write(BATCH)
    return out


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def grow_old(path: Path) -> None:
    for each in (path, *(path.iterdir() if path.is_dir() else ())):
        then = each.stat().st_mtime - STALE_SECONDS - 60
        os.utime(each, (then, then))


@TARGETS
def test_what_is_being_written_is_hidden_beside_the_target_and_for_its_owner_only(tmp_path: Path, target: str) -> None:
    with begun(f"{tmp_path}/{target}"):
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.startswith(f".{target.rstrip('/')}.cape-{JOB}-")
        assert mode(temporary) in {0o600, 0o700}


@TARGETS
def test_what_is_published_has_the_mode_that_the_umask_gives(tmp_path: Path, target: str) -> None:
    before = os.umask(0o027)
    try:
        with begun(f"{tmp_path}/{target}") as out:
            out.commit()
    finally:
        os.umask(before)
    assert mode(tmp_path / target) in {0o640, 0o750}


@TARGETS
def test_leftovers_of_the_same_job_are_swept(tmp_path: Path, target: str) -> None:
    with begun(f"{tmp_path}/{target}"), begun(f"{tmp_path}/{target}") as retry:
        assert len(list(tmp_path.iterdir())) == 1
        retry.commit()
    assert [path.name for path in tmp_path.iterdir()] == [target.rstrip("/")]


@TARGETS
def test_leftovers_of_other_jobs_are_swept_once_they_are_old(tmp_path: Path, target: str) -> None:
    begun(f"{tmp_path}/{target}", OTHER).finish()
    (leftover,) = tmp_path.iterdir()
    with begun(f"{tmp_path}/other.parquet"):
        assert leftover.exists()
    grow_old(leftover)
    (tmp_path / ".mine.txt").touch()
    grow_old(tmp_path / ".mine.txt")
    with begun(f"{tmp_path}/other.parquet"):
        assert not leftover.exists()
    assert (tmp_path / ".mine.txt").exists()


@TARGETS
def test_an_attempt_that_was_swept_fails_and_the_other_wins(tmp_path: Path, target: str) -> None:
    zombie = begun(f"{tmp_path}/{target}")
    with begun(f"{tmp_path}/{target}") as retry:
        with pytest.raises(DatasetError, match="cannot write"), zombie:
            zombie.commit()
        retry.commit()
    assert [path.name for path in tmp_path.iterdir()] == [target.rstrip("/")]


@TARGETS
def test_of_many_attempts_at_once_one_wins_and_none_are_mixed(tmp_path: Path, target: str) -> None:
    attempts = [begun(f"{tmp_path}/{target}", f"{number:032x}") for number in range(8)]
    for number, out in enumerate(attempts):
        out.write(pa.record_batch({"a": [number] * 1000}))
        out.finish()
    threads = [threading.Thread(target=out.commit) for out in attempts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    from cape_airflow.datasets import open_source

    values = [value for batch in open_source(f"{tmp_path}/{target}").batches() for value in batch["a"].to_pylist()]
    assert values[:3] == [1, 2, 3]
    assert len(values) == 1003
    assert len(set(values[3:])) == 1
    assert [path.name for path in tmp_path.iterdir()] == [target.rstrip("/")]


@TARGETS
def test_a_link_is_not_followed(tmp_path: Path, refused, target: str) -> None:
    (tmp_path / target.rstrip("/")).symlink_to(tmp_path / "elsewhere")
    with refused("is a symbolic link"), open_sink(f"{tmp_path}/{target}", job_id=JOB) as out:
        out.open(BATCH.schema)
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_and_a_file_are_not_mistaken_for_each_other(tmp_path: Path, refused) -> None:
    (tmp_path / "folder.parquet").mkdir()
    (tmp_path / "file").touch()
    with refused("is a folder; end the URL with a slash"):
        begun(f"{tmp_path}/folder.parquet")
    with refused("is a file; leave the slash"):
        begun(f"{tmp_path}/file/")


def test_missing_parent_folders_are_made(tmp_path: Path) -> None:
    with begun(f"{tmp_path}/a/b/out.csv") as out:
        out.commit()
    assert (tmp_path / "a/b/out.csv").exists()


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path, refused) -> None:
    (tmp_path / "file").touch()
    with refused("cannot write .*: (Not a directory|File exists)"):
        begun(f"{tmp_path}/file/out.csv")
