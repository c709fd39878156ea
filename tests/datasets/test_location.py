"""Where a dataset is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

from cape_airflow.datasets.location import locate
from cape_airflow.errors import DatasetError, MissingExtra


@pytest.mark.parametrize(
    ("url", "name", "folder", "local"),
    [
        ("/a/b.csv", "/a/b.csv", False, True),
        ("file:///a/b/", "/a/b", True, True),
        ("memory://a/b.csv", "memory:///a/b.csv", False, False),
        ("s3://bucket/a/", "s3://bucket/a", True, False),
    ],
)
def test_urls_and_paths(url: str, name: str, folder: bool, local: bool) -> None:
    location = locate(url)
    assert (location.name, location.folder, location.local) == (name, folder, local)


def test_a_folder_of_another_filesystem_is_that_filesystem(tmp_path: Path) -> None:
    inner = DirFileSystem(path=str(tmp_path), fs=LocalFileSystem())
    location = locate("b/c.csv", filesystem=DirFileSystem(path="a", fs=inner))
    assert (location.name, location.local) == (f"{tmp_path}/a/b/c.csv", True)


def test_the_name_shows_no_credentials() -> None:
    assert "S3CRET" not in locate("s3://bucket/a", {"key": "k", "secret": "S3CRET"}).name


@pytest.mark.parametrize(
    "url",
    [
        "http://user:S3CRET@127.0.0.1:9/x.csv",
        "https://host/x.csv?X-Amz-Signature=S3CRET",
        "https://host/x.csv#S3CRET",
        "simplecache::https://user:S3C@S3CRET@host/x.csv?S3CRET",
        "s3://bucket/ssn=S3CRET/x.csv",
        "/data/ssn=S3CRET/year=S3CRET/x.csv",
    ],
)
def test_the_name_shows_no_user_no_query_and_no_partition_value(url: str) -> None:
    assert "S3CRET" not in locate(url).name
    assert "/x.csv" in locate(url).name


def test_an_unknown_protocol_is_refused_without_the_options(refused) -> None:
    with refused("cannot open the storage of a URL"):
        locate("nope://a", {"secret": "S3CRET"})


def test_a_protocol_whose_package_is_missing_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from fsspec.registry import _registry

    monkeypatch.delitem(_registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtra, match=r"cape-airflow\[s3\]"):
        locate("s3://bucket/a")


def test_places_hold_what_is_below_them(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "a")
    folder = locate(f"{tmp_path}/a/")
    assert folder.holds(folder)
    assert folder.holds(locate(f"{tmp_path}/link/b.csv"))
    assert not folder.holds(locate(f"{tmp_path}/ab"))
    assert not locate("memory://a").holds(locate("/a/b"))


def test_a_chain_of_urls_that_ends_in_none_is_refused() -> None:
    with pytest.raises(DatasetError, match="cannot open the storage of a URL: no such file"):
        locate("zip://x.csv::https://[bad/x.zip")
