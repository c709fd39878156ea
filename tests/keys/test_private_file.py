from __future__ import annotations

import os
import stat

import pytest

from cape_airflow.errors import CapeError
from cape_airflow.keys.private_file import alone_in, read_private, write_private


def test_a_private_file_is_for_its_owner_only_whatever_the_umask_says(tmp_path):
    before = os.umask(0)
    try:
        write_private(tmp_path / "new" / "file", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "file").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert read_private(tmp_path / "new" / "file") == b"content"


def test_every_folder_above_it_that_is_made_is_for_its_owner_only(tmp_path):
    write_private(tmp_path / "a" / "b" / "file", b"content")
    with alone_in(tmp_path / "c" / "d"):
        pass
    assert [stat.S_IMODE((tmp_path / each).stat().st_mode) for each in ("a", "a/b", "c", "c/d")] == [0o700] * 4


def test_a_file_is_replaced_and_nothing_is_left_beside_it(tmp_path):
    for content in (b"a", b"b"):
        write_private(tmp_path / "file", content)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert read_private(tmp_path / "file") == b"b"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path):
    write_private(tmp_path / "file", b"old")
    with pytest.raises(CapeError, match="cannot write"):
        write_private(tmp_path / "file" / "below", b"new")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CapeError, match="cannot write"):
        write_private(tmp_path / "folder", b"new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]
    assert read_private(tmp_path / "file") == b"old"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    write_private(tmp_path / "file", b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"old"
