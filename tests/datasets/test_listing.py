"""Which files a URL stands for."""

from __future__ import annotations

import json
from pathlib import Path

from cape_airflow.datasets.listing import MANIFEST, fixed_part, list_files
from cape_airflow.datasets.location import locate


def listed(folder: Path) -> list[str]:
    return [Path(file.location.path).name for file in list_files(locate(str(folder)))]


def manifest(folder: Path, *names: str) -> None:
    (folder / MANIFEST).write_text(json.dumps({"files": [{"name": name} for name in names]}))


def test_the_manifest_of_a_folder_names_its_files(tmp_path: Path) -> None:
    for name in ("part-00000-a.csv", "part-00000-b.csv"):
        (tmp_path / name).write_text("a\n")
    assert listed(tmp_path) == ["part-00000-a.csv", "part-00000-b.csv"]
    manifest(tmp_path, "part-00000-b.csv")
    assert listed(tmp_path) == ["part-00000-b.csv"]


def test_a_file_that_the_manifest_names_and_is_gone_is_an_error(tmp_path: Path, refused) -> None:
    manifest(tmp_path, "part-00000.csv")
    with refused("the manifest names .*part-00000.csv, which is gone"):
        listed(tmp_path)


def test_the_fixed_part_of_a_pattern_ends_before_its_first_wildcard() -> None:
    assert [fixed_part(path) for path in ("/a/b.csv", "/a/*/b.csv", "/a/b[1]/c")] == ["/a/b.csv", "/a", "/a"]


def test_a_folder_of_a_partition_may_begin_with_an_underscore(tmp_path: Path, read) -> None:
    for name in ("_y=1/a.csv", "_y=2/b.csv", "_tmp/c.csv", "_y=1/_tmp/d.csv", ".y=3/e.csv", "_y=1/_f.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a\n1\n")
    assert listed(tmp_path) == ["a.csv", "b.csv"]
    assert read(str(tmp_path)).to_pydict() == {"a": [1, 1], "_y": [1, 2]}
