"""The face of the package."""

import subprocess
import sys

import cape_airflow


def test_all_is_sorted_and_exactly_what_is_importable() -> None:
    assert cape_airflow.__all__ == sorted(cape_airflow.__all__)
    assert set(cape_airflow.__all__) == {"__version__", *cape_airflow._HOMES}
    assert all(getattr(cape_airflow, name) is not None for name in cape_airflow.__all__)


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, cape_airflow; print({'pyarrow', 'airflow', 'fastapi', 'pandas'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
