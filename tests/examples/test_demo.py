"""The demo is a promise of the README: it runs to its end, finds leaks where there are some, and leaves nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import psutil
import pyarrow as pa
import pytest
from pyarrow import parquet


@pytest.fixture
def demo(repository, monkeypatch) -> Path:
    folder = repository / "examples" / "demo"
    monkeypatch.syspath_prepend(str(folder))
    return folder


def shape(output: str) -> list[list[str]]:
    """The words of each line that do not change from run to run."""
    return [[word for word in line.split() if not re.search(r"\d", word)] for line in output.splitlines()]


def test_the_customers_are_the_same_every_time(demo):
    from people import customers

    assert customers(1_000).equals(customers(1_000))


@pytest.mark.parametrize("value", ["petra.kamau.7@mail.example", "spoke to Petra", "ZIELINSKI"])
def test_the_search_finds_a_customer_in_the_output(demo, tmp_path, value):
    from evidence import leaks

    target = tmp_path / "out.parquet"
    parquet.write_table(pa.table({"harmless": [1, 2], "token": ["t1_00ff", value]}), target)
    [leak] = leaks(target, [])
    assert "column token" in leak
    assert value not in leak


def test_the_search_finds_an_address_in_a_log(demo, tmp_path):
    from evidence import leaks

    target = tmp_path / "out.parquet"
    parquet.write_table(pa.table({"token": ["t1_00ff", None]}), target)
    (tmp_path / "logs" / "task").mkdir(parents=True)
    (tmp_path / "logs" / "task" / "attempt=1.log").write_bytes(b"\x00row petra.kamau.7@mail.example\n")
    assert leaks(target, [tmp_path / "logs"]) == [f"{tmp_path}/logs/task/attempt=1.log holds addresses of customers"]
    assert leaks(target, [tmp_path / "empty"]) == []


@pytest.mark.integration
def test_the_demo_tells_what_the_readme_shows_and_leaves_no_process(demo, repository, outside_environment):
    command = [sys.executable, str(demo / "run.py")]
    done = subprocess.run(
        command, env=outside_environment | {"COLUMNS": "120"}, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    [shown] = re.findall(r"^\$ make demo\n(.*?)^```", (repository / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert [line for line in shape(shown) if line not in shape(done.stdout)] == []
    home = str(repository / ".demo" / "airflow")
    environments = {each.pid: each.info["environ"] or {} for each in psutil.process_iter(["environ"])}
    assert [pid for pid, environment in environments.items() if environment.get("AIRFLOW_HOME") == home] == []
