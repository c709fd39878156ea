"""All or nothing on the local disk."""

from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from cape_airflow.datasets import Sink, open_sink, staging
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


def left_behind(folder: Path, target: str, job_id: str) -> Path:
    """What a killed attempt leaves: nobody holds its lock."""
    path = folder / f".{target.rstrip('/')}.cape-{job_id}-0123abcd"
    if target.endswith("/"):
        path.mkdir()
        path = path / "part-00000.parquet"
    path.write_bytes(b"begun")
    return folder / path.relative_to(folder).parts[0]


@TARGETS
def test_leftovers_of_the_same_job_are_swept(tmp_path: Path, target: str) -> None:
    left_behind(tmp_path, target, JOB)
    with begun(f"{tmp_path}/{target}") as retry:
        assert len(list(tmp_path.iterdir())) == 1
        retry.commit()
    assert [path.name for path in tmp_path.iterdir()] == [target.rstrip("/")]


@TARGETS
def test_leftovers_of_other_jobs_are_swept_once_they_are_old(tmp_path: Path, target: str) -> None:
    leftover = left_behind(tmp_path, target, OTHER)
    with begun(f"{tmp_path}/{target}"):
        assert leftover.exists()
    grow_old(leftover)
    with begun(f"{tmp_path}/{target}"):
        assert not leftover.exists()


@pytest.mark.parametrize(
    "name",
    [
        ".env.cape-prod",
        ".out.parquet.cape-notes",
        ".other.parquet.cape-" + OTHER + "-0123abcd",
        ".out.parquet.cape-" + OTHER + "-0123abcd.txt",
    ],
)
def test_files_of_other_people_are_never_swept(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes").touch()
    grow_old(tmp_path / name)
    with begun(f"{tmp_path}/out.parquet") as out:
        out.commit()
    assert (tmp_path / name / "notes").exists()


@TARGETS
def test_what_a_living_attempt_writes_is_not_swept_and_the_later_wins(tmp_path: Path, read, target: str) -> None:
    with begun(f"{tmp_path}/{target}") as slow:
        (temporary,) = tmp_path.iterdir()
        grow_old(temporary)
        for job_id in (JOB, OTHER):
            with begun(f"{tmp_path}/{target}", job_id) as out:
                out.commit()
        slow.write(BATCH)
        slow.commit()
    assert read(f"{tmp_path}/{target}").num_rows == 6
    assert [path.name for path in tmp_path.iterdir()] == [target.rstrip("/")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for two users")
@TARGETS
def test_leftovers_of_another_user_are_left_to_them(tmp_path: Path, target: str) -> None:
    leftover = left_behind(tmp_path, target, OTHER)
    leftover.chmod(0o700)
    grow_old(leftover)
    tmp_path.chmod(0o1777)
    for folder in tmp_path.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:  # pytest keeps them to itself
            folder.chmod(0o711)
    os.seteuid(65534)
    try:
        with begun(f"{tmp_path}/{target}") as out:
            out.commit()
    finally:
        os.seteuid(0)
    assert leftover.exists()
    assert (tmp_path / target).exists()


@TARGETS
def test_an_attempt_whose_files_are_gone_fails(tmp_path: Path, target: str) -> None:
    lost = begun(f"{tmp_path}/{target}")
    lost.finish()
    (temporary,) = tmp_path.iterdir()
    temporary.rename(tmp_path / "gone")
    with pytest.raises(DatasetError, match="cannot write"), lost:
        lost.commit()
    assert [path.name for path in tmp_path.iterdir()] == ["gone"]


@TARGETS
@pytest.mark.parametrize("kept", [0o600, 0o640])
def test_what_replaces_an_output_gets_its_mode(tmp_path: Path, target: str, kept: int) -> None:
    with begun(f"{tmp_path}/{target}") as out:
        out.commit()
    earlier = tmp_path / target
    for path in earlier.iterdir() if earlier.is_dir() else [earlier]:
        path.chmod(kept)
    if earlier.is_dir():
        earlier.chmod(kept | 0o100)
    with begun(f"{tmp_path}/{target}") as out:
        out.commit()
    assert {mode(path) for path in earlier.iterdir()} == {kept} if earlier.is_dir() else mode(earlier) == kept
    assert mode(earlier) & 0o677 == kept


def test_a_folder_of_parts_without_our_manifest_is_not_replaced(tmp_path: Path, refused) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/part-00000.parquet").write_bytes(b"theirs")
    with refused("holds 1 files that are no earlier output"):
        begun(f"{tmp_path}/out/")
    assert (tmp_path / "out/part-00000.parquet").read_bytes() == b"theirs"


def test_parts_that_our_manifest_does_not_name_are_not_replaced(tmp_path: Path, refused) -> None:
    with begun(f"{tmp_path}/out/") as out:
        out.commit()
    (tmp_path / "out/part-00001.parquet").write_bytes(b"theirs")
    with refused("holds 1 files that are no earlier output"):
        begun(f"{tmp_path}/out/")


@pytest.fixture(params=["exchange", "aside"])
def disk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A disk that can exchange two folders, and one that cannot."""
    if request.param == "aside":

        def cannot(one: Path, other: Path) -> None:
            raise NotImplementedError

        monkeypatch.setattr(staging, "exchange", cannot)
    return request.param


@pytest.mark.usefixtures("disk")
def test_a_folder_takes_the_place_of_an_earlier_one(tmp_path: Path, read) -> None:
    for rows in (1, 2):
        with begun(f"{tmp_path}/out/") as out:
            for _ in range(rows):
                out.write(BATCH)
            out.commit()
    assert read(f"{tmp_path}/out/").num_rows == 9
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, read, refused, disk: str, monkeypatch
) -> None:
    with begun(f"{tmp_path}/out/") as out:
        out.commit()
    with begun(f"{tmp_path}/out/") as out:
        out.write(BATCH)
        out.finish()
        (temporary,) = (path for path in tmp_path.iterdir() if path.name.startswith("."))
        rename = Path.rename

        def failing(path: Path, target: Path) -> Path:
            if path == temporary and not (target.exists() and disk == "aside"):
                raise OSError(errno.EIO, "")
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", failing)
        with refused("Input/output error"):
            out.commit()
    assert read(f"{tmp_path}/out/").num_rows == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_earlier_folder_that_stepped_aside_before_a_kill_comes_back(tmp_path: Path, read) -> None:
    with begun(f"{tmp_path}/out/") as out:
        out.commit()
    (tmp_path / "out").rename(tmp_path / ".out.cape-aside")
    with begun(f"{tmp_path}/out/"):
        assert read(f"{tmp_path}/out/").num_rows == 3
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


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
