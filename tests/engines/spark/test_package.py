from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cape_airflow.engines.spark.package import write_package
from cape_airflow.errors import CapeError


def test_the_zip_holds_what_executors_need_and_nothing_of_airflow_or_the_coordinator(tmp_path: Path) -> None:
    count = write_package(tmp_path / "cape.zip")
    names = zipfile.ZipFile(tmp_path / "cape.zip").namelist()
    assert len(names) == count
    assert {"cape_airflow/__init__.py", "cape_airflow/engines/bound.py", "cape_airflow/kernels/prf.py"} <= set(names)
    assert not [name for name in names if "/operators/" in name or "/coordinator/" in name]


def test_the_same_code_gives_the_same_bytes(tmp_path: Path) -> None:
    write_package(tmp_path / "one.zip")
    write_package(tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_kernels_run_from_the_zip_without_airflow(tmp_path: Path) -> None:
    write_package(tmp_path / "cape.zip")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "import cape_airflow.engines.spark.shipment as module;"
        "print(module.__file__.startswith(sys.argv[1]), 'airflow' in sys.modules, 'httpx' in sys.modules)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "cape.zip")],
        check=True,
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert ran.stdout.split()[-3:] == ["True", "False", "False"]


def test_another_suffix_is_refused_for_spark_goes_by_it(tmp_path: Path) -> None:
    with pytest.raises(CapeError, match=r"\.zip"):
        write_package(tmp_path / "cape.egg")
