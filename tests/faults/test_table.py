"""The table of docs/faults.md and the tests: each row has one, and each of these stands in a row."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def rows(repository: Path) -> list[list[str]]:
    """The cells of all rows."""
    lines = (repository / "docs" / "faults.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")]
    return [row for row in cells if row[0] != "fault"]


def test_every_row_states_all_outcomes_and_names_one_test_that_is_there(
    rows: list[list[str]], repository: Path
) -> None:
    tests = {name for file in (repository / "tests").rglob("test_*.py") for name in _tests_of(file)}
    assert len(rows) > 30
    for row in rows:
        assert len(row) == 6, row
        assert all(row), row
        [name] = re.findall(r"`(test_\w+)`", row[-1])
        assert name in tests, name
    assert len({row[-1] for row in rows}) == len(rows)


def test_every_test_of_a_fault_stands_in_a_row(rows: list[list[str]], repository: Path) -> None:
    named = {row[-1].strip("`") for row in rows}
    here = repository / "tests" / "faults"
    proven = {name for part in ("task", "meanwhile", "waiting") for name in _tests_of(here / f"test_{part}.py")}
    assert proven <= named, proven - named


def _tests_of(file: Path) -> list[str]:
    return re.findall(r"^ *def (test_\w+)", file.read_text(), re.M)
