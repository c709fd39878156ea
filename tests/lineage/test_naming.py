"""Names of datasets."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openlineage.client.naming import dataset as published

from cape_airflow.lineage import DatasetName, dataset_name


@pytest.mark.parametrize(
    ("place", "theirs"),
    [
        ("/data/in.csv", published.LocalFileSystem("/data/in.csv")),
        ("file:///data/in.csv", published.LocalFileSystem("/data/in.csv")),
        ("s3://bucket/a/b.parquet", published.S3("bucket", "a/b.parquet")),
        ("s3a://bucket/a/b.parquet", published.S3("bucket", "a/b.parquet")),
        ("gcs://bucket/a/b.parquet", published.GCS("bucket", "a/b.parquet")),
        ("hdfs://node:8020/a/b", published.HDFS("node", "8020", "/a/b")),
    ],
)
def test_a_place_is_named_as_openlineages_own_client_names_it(place: str, theirs: published.DatasetNaming) -> None:
    assert dataset_name(place) == DatasetName(theirs.get_namespace(), theirs.get_name())


@pytest.mark.parametrize(
    ("place", "namespace", "name"),
    [
        ("https://host:8443/a/b.csv", "https://host:8443", "/a/b.csv"),
        ("simplecache::s3://bucket/a.csv", "s3://bucket", "a.csv"),
        ("memory://folder/a.csv", "memory://folder", "/a.csv"),
        ("/data/out/", "file", "/data/out"),
        ("/", "file", "/"),
        ("s3://bucket", "s3://bucket", "/"),
        ("/data/part-*.parquet", "file", "/data"),
        ("s3://bucket/day/part-?.csv", "s3://bucket", "day"),
        ("/data/patient=Alice/part.parquet", "file", "/data"),
        ("s3://bucket/visits/patient=Alice/", "s3://bucket", "visits"),
        ("https://host/a.csv?page=2#top", "https://host", "/a.csv"),
        ("s3://bucket/a.csv?versionId=7", "s3://bucket", "a.csv"),
    ],
)
def test_globs_and_partitions_are_named_by_their_folder_and_queries_stay_out(
    place: str, namespace: str, name: str
) -> None:
    assert dataset_name(place) == DatasetName(namespace, name)


def test_a_relative_path_is_named_by_the_absolute_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert dataset_name("in.csv") == DatasetName("file", str(tmp_path / "in.csv"))


@pytest.mark.parametrize("place", ["s3://key:secret@bucket/a", "https://host/a.csv?X-Amz-Signature=abc"])
def test_a_url_that_holds_a_credential_has_no_name(place: str) -> None:
    assert dataset_name(place) is None


@given(st.text(alphabet="ab/:@?#=*&.%\\", min_size=1))
def test_no_name_holds_the_value_of_a_partition_or_of_a_query(text: str) -> None:
    for place in (f"https://host/{text}", f"s3://bucket/{text}/x=SECRET/y", f"https://host/{text}?page=SECRET"):
        name = dataset_name(place)
        assert name is None or "SECRET" not in name.namespace + name.name
