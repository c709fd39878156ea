from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from cape_airflow.operators.governed import GovernedOperator
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.provider_info import get_provider_info


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


def test_the_python_in_it_is_a_dag_that_parses(page: str) -> None:
    dag, _ = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, object] = {}
    exec(dag, names)  # noqa: S102 - our own page
    assert names["dag"].task_ids == ["approved", "deidentify"]  # type: ignore[attr-defined]
