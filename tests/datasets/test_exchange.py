"""Two folders that change places."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cape_airflow.datasets.exchange import exchange

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="renameat2 is of Linux")


def test_two_folders_change_places(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"of-{name}").touch()
    exchange(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a/of-b").exists()
    assert (tmp_path / "b/of-a").exists()


def test_a_path_that_is_not_there_is_an_error_and_nothing_moves(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(FileNotFoundError):
        exchange(tmp_path / "a", tmp_path / "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_disk_that_cannot_says_so(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    with pytest.raises(NotImplementedError):  # into itself: EINVAL, as of a disk that knows no exchange
        exchange(tmp_path / "a", tmp_path / "a/b")
