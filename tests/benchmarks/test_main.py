from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def report(repository: Path) -> str:
    """What is printed about the whole job, on next to nothing and without peers."""
    words = ["--rows", "1000", "--rounds", "1", "--no-peers", "--only", "job"]
    command = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(command, cwd=repository, stdout=subprocess.PIPE, text=True, check=True, timeout=300).stdout


def cells(report: str, name: str) -> list[str]:
    """Return the cells of the row of that name."""
    [row] = [line for line in report.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize("name", ["copy, pyarrow", "policy, twin", "policy, native"])
def test_the_whole_job_is_measured_beside_a_copy_and_its_output_counted(report: str, name: str) -> None:
    cpu, ratio, *_, groups = cells(report, name)
    if "native kernels, which were not built" in cpu:
        pytest.skip("no native kernels were built")
    assert float(cpu) > 0
    assert float(ratio) > 0
    assert groups == "1"


def test_a_peer_that_is_left_out_is_shown_with_the_reason(report: str) -> None:
    assert cells(report, "copy, duckdb")[0] == "not available: left out"
    goal = cells(report, "native faster than cape-dataframes, CPU")
    assert goal == ["≥ 20", "not measured (policy, cape-dataframes: left out)", "-"]
