"""All or nothing on object stores."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.arrow import ArrowFSWrapper
from fsspec.implementations.memory import MemoryFileSystem
from pyarrow.fs import LocalFileSystem as ArrowDisk

from cape_airflow.datasets import Sink, open_sink, open_source
from cape_airflow.errors import DatasetError

BATCH = pa.record_batch({"a": [1, 2, 3]})


def test_two_attempts_at_a_folder_are_never_mixed(tmp_path: Path, s3) -> None:
    url = f"s3://bucket{tmp_path}/out/"
    first, second = (open_sink(url, job_id="a", storage_options=s3) for _ in range(2))
    for number, out in enumerate((first, second)):
        out.open(BATCH.schema)
        out.write(pa.record_batch({"a": [number] * 5}))
    first.commit()
    assert [batch["a"].to_pylist() for batch in open_source(url, storage_options=s3).batches()] == [[0] * 5]
    second.commit()
    assert [batch["a"].to_pylist() for batch in open_source(url, storage_options=s3).batches()] == [[1] * 5]


def test_an_aborted_upload_leaves_nothing_in_the_store(tmp_path: Path, s3) -> None:
    import boto3

    with open_sink(f"s3://bucket{tmp_path}/out.parquet", job_id="a", storage_options=s3) as out:
        out.open(BATCH.schema)
        out.write(BATCH)
        out.finish()
    client = boto3.client(
        "s3",
        endpoint_url=s3["endpoint_url"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    uploads = client.list_multipart_uploads(Bucket="bucket").get("Uploads", [])
    client.close()
    assert [upload["Key"] for upload in uploads if str(tmp_path)[1:] in upload["Key"]] == []


def test_other_writes_through_the_same_filesystem_are_not_held_back(tmp_path: Path, s3) -> None:
    filesystem = fsspec.filesystem("s3", **s3)
    with open_sink(f"bucket{tmp_path}/out.parquet", job_id="a", filesystem=filesystem) as out:
        out.open(BATCH.schema)
        filesystem.pipe_file(f"bucket{tmp_path}/other", b"x")
        assert filesystem.cat_file(f"bucket{tmp_path}/other") == b"x"


class Eager(MemoryFileSystem):
    """A filesystem that knows no transactions."""

    def open(self, path: str, mode: str = "rb", **kwargs: object) -> object:
        return self._open(path, mode)

    def _open(self, path: str, mode: str = "rb", **kwargs: object) -> object:
        self._intrans = False
        return super()._open(path, mode)


@pytest.mark.parametrize("filesystem", [Eager(skip_instance_cache=True), ArrowFSWrapper(ArrowDisk())])
@pytest.mark.parametrize("target", ["out.csv", "out/"])
def test_a_filesystem_that_shows_what_is_not_complete_is_refused_and_the_earlier_output_stays(
    tmp_path: Path, refused, filesystem, target: str
) -> None:
    filesystem.makedirs(str(tmp_path), exist_ok=True)
    if target == "out.csv":
        with filesystem.open(f"{tmp_path}/out.csv", "wb") as file:
            file.write(b"earlier")
    before = filesystem.find(str(tmp_path))
    with (
        refused("(Eager|ArrowFSWrapper) cannot write all or nothing"),
        open_sink(f"{tmp_path}/{target}", job_id="a", filesystem=filesystem) as out,
    ):
        out.open(BATCH.schema)
    assert filesystem.find(str(tmp_path)) == before
    assert [filesystem.cat_file(name) for name in before] == [b"earlier"] * len(before)


@pytest.fixture(params=["memory", "s3"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict]:
    """A prefix that nobody uses, and its storage options."""
    if request.param == "memory":
        return f"memory:/{tmp_path}/out/", {}
    return f"s3://bucket{tmp_path}/out/", request.getfixturevalue("s3")


def names(url: str, options: dict) -> list[str]:
    filesystem, path = fsspec.core.url_to_fs(url, **options)
    filesystem.invalidate_cache()
    return [name.rpartition("/")[2] for name in filesystem.find(path)]


def begun(url: str, options: dict) -> Sink:
    out = open_sink(url, job_id="a", storage_options=options)
    out.open(BATCH.schema)
    out.write(BATCH)
    return out


def test_attempts_at_the_same_time_leave_no_part_twice(folder) -> None:
    attempts = [begun(*folder) for _ in range(3)]
    for out in attempts:
        out.commit()
    assert [name[:10] for name in names(*folder)] == ["_cape_mani", "part-00000"]


def test_parts_of_an_attempt_that_was_killed_before_its_manifest_are_removed(folder, read) -> None:
    url, options = folder
    fsspec.open(f"{url}part-00000-0123456789abcdef.parquet", "wb", **options).open().close()
    begun(*folder).commit()
    assert len(names(*folder)) == 2
    assert read(url, storage_options=options).num_rows == 3


def test_parts_of_other_programs_are_not_replaced(folder, refused) -> None:
    url, options = folder
    fsspec.open(f"{url}part-00000.parquet", "wb", **options).open().close()
    with refused("holds 1 objects that are no earlier output"):
        begun(*folder)
    assert names(*folder) == ["part-00000.parquet"]


def test_an_earlier_part_that_cannot_be_removed_is_a_warning(folder, read, caplog, monkeypatch) -> None:
    url, options = folder
    begun(*folder).commit()
    out = begun(*folder)

    def no(*arguments: object) -> None:
        raise PermissionError("S3CRET")

    monkeypatch.setattr(out._staging._filesystem, "rm_file", no)
    out.commit()
    assert read(url, storage_options=options).num_rows == 3
    assert "which was replaced, could not be removed (PermissionError)" in caplog.text
    assert "S3CRET" not in caplog.text


def test_an_attempt_whose_parts_another_one_removed_fails(folder, monkeypatch) -> None:
    out = begun(*folder)
    filesystem = out._staging._filesystem
    end = filesystem.end_transaction

    def ended_and_removed() -> None:
        end()
        url, options = folder
        other, path = fsspec.core.url_to_fs(url, **options)
        other.rm([name for name in other.find(path) if "part-" in name])

    monkeypatch.setattr(filesystem, "end_transaction", ended_and_removed)
    with pytest.raises(DatasetError, match="another attempt wrote the same folder at the same moment; run it again"):
        out.commit()


@pytest.mark.integration
def test_an_unreachable_store_is_an_error_without_its_options(refused) -> None:
    options = {"key": "S3CRET", "secret": "S3CRET", "endpoint_url": "http://127.0.0.1:9"}
    with refused("cannot (list|open) s3://bucket/x.parquet"):
        open_source("s3://bucket/x.parquet", storage_options=options)
