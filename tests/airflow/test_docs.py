from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cape_airflow.jobs import JobFinish, JobStart, JobState, Progress
from cape_airflow.operators.governed import GovernedOperator
from cape_airflow.operators.outlets import outlet_extra
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.provider_info import get_provider_info

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "airflow.md").read_text()


def _first_cells(page: str, heading: str) -> set[str]:
    """Return the names in code type in the first column of the table under a heading."""
    section = page.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {name for cell in cells for name in re.findall("`([a-z_]+)`", cell)}


def test_every_argument_of_the_operator_is_documented_and_no_other(page: str) -> None:
    given = (inspect.signature(each.__init__).parameters for each in (GovernedOperator, CapeTransformOperator))
    parameters = set().union(*given) - {"self", "kwargs", "restricting"}
    assert _first_cells(page, "CapeTransformOperator") == parameters


def test_every_field_of_the_connection_is_documented_and_no_other(page: str) -> None:
    [connection] = get_provider_info()["connection-types"]
    assert _first_cells(page, "The connection") == set(connection["conn-fields"])


def test_every_option_of_the_configuration_is_documented_and_no_other(page: str) -> None:
    assert _first_cells(page, "The coordinator in the API server") == set(
        get_provider_info()["config"]["cape"]["options"]
    )


def test_the_python_in_it_are_dags_that_parse(page: str) -> None:
    blocks = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "DAG(" in block]
    tasks = {}
    for block in blocks:
        names: dict[str, Any] = {}
        exec(block, names)  # noqa: S102 - our own page
        tasks[names["dag"].dag_id] = sorted(names["dag"].task_ids)
    assert tasks == {
        "customers": ["approved", "deidentify"],
        "consume": ["check"],
        "payroll": ["extract"],
        "partitions": ["deidentify", "partitions"],
    }


def test_what_the_event_of_an_asset_says_is_documented(page: str) -> None:
    finish = JobFinish(state=JobState.SUCCEEDED, progress=Progress(), finished_at=NOW)
    start = JobStart(
        job_id="0" * 32,
        policy_digest="0" * 64,
        engine="local",
        kernels="",
        source="a",
        target="b",
        started_at=NOW,
    )
    assert _first_cells(page, "Assets") == set(outlet_extra("customers", start, finish))


def test_all_examples_are_named(page: str, repository: Path) -> None:
    examples = {path.stem for path in (repository / "cape_airflow" / "example_dags").glob("cape_*.py")}
    assert {name for name in examples if f"`{name}`" not in page} == set()
