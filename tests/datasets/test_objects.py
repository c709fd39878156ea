"""All or nothing on object stores."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from cape_airflow.datasets import open_sink, open_source

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


def test_a_filesystem_that_shows_what_is_not_complete_is_refused(tmp_path: Path, refused) -> None:
    filesystem = Eager(skip_instance_cache=True)
    with (
        refused("Eager cannot write all or nothing"),
        open_sink(f"{tmp_path}/out.csv", job_id="a", filesystem=filesystem) as out,
    ):
        out.open(BATCH.schema)
    assert not filesystem.exists(f"{tmp_path}/out.csv")


@pytest.mark.integration
def test_an_unreachable_store_is_an_error_without_its_options(refused) -> None:
    options = {"key": "S3CRET", "secret": "S3CRET", "endpoint_url": "http://127.0.0.1:9"}
    with refused("cannot (list|open) s3://bucket/x.parquet"):
        open_source("s3://bucket/x.parquet", storage_options=options)
