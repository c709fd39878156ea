from __future__ import annotations

import subprocess
import sys

from cape_airflow import kernels


def test_the_implementation_is_named_for_reports() -> None:
    name, _, instruction_set = kernels.implementation().partition("-")
    assert (name == "python") is (instruction_set == "")
    assert name in {"python", "native"}


def test_every_public_name_is_there() -> None:
    assert all(callable(getattr(kernels, name)) for name in kernels.__all__)


def test_importing_what_policies_are_made_of_does_not_import_pandas() -> None:
    """Arrow imports it, for most of a second, as soon as an array is made of Python objects."""
    code = "import sys, cape_airflow.policy, cape_airflow.kernels; print('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
