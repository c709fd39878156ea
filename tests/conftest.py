"""What every test stands on: a home of its own, hypothesis profiles, and the shared vectors."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests import needs

IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}
REPOSITORY = Path(__file__).resolve().parent.parent
KEPT = {"CAPE_SHARED", "CAPE_KERNELS", "CAPE_NATIVE_ISA"}  # where vectors are, and which kernels the suite runs on


def _isolate() -> Path:
    """Point HOME and Airflow at an empty folder; runs at import, because Airflow reads its settings when imported."""
    home = Path(tempfile.mkdtemp(prefix="cape-tests-"))
    for name in [name for name in os.environ if name.startswith(("AIRFLOW_", "CAPE_")) and name not in KEPT]:
        del os.environ[name]
    airflow_home = home / "airflow"
    os.environ |= {
        "HOME": str(home),
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "True",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(airflow_home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{airflow_home}/airflow.db",
    }
    return home


_HOME = _isolate()

settings.register_profile(
    "quick",
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # machines differ in speed
)
settings.register_profile("ci", parent=settings.get_profile("quick"), max_examples=100, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if IN_CI else "quick"))


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give integration tests, which start servers, more time than the quick ones."""
    for item in items:
        if item.get_closest_marker("integration") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared vectors and data: `CAPE_SHARED`, or `shared` beside the repository.

    Absent, its tests are skipped on a developer's machine and fail in CI.
    """
    folder = Path(os.environ.get("CAPE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "vectors").is_dir():
        reason = f"no shared vectors in {folder}; set CAPE_SHARED to the folder that holds `vectors` and `data`"
        needs.missing(reason)
    return folder


@pytest.fixture
def outside_environment() -> dict[str, str]:
    """An environment for child processes without the Airflow settings of this test run."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
