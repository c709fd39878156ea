"""Which runs the scheduler's listener looks after."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from cape_airflow.listeners import runs, watch
from cape_airflow.operators.transform import CapeTransformOperator
from cape_airflow.plugins.cape import CapePlugin


@pytest.fixture
def learned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the watch of this process is told to look after, which here is a scheduler's."""
    found: list[str] = []
    monkeypatch.setattr(watch, "WATCH", SimpleNamespace(learn=found.append))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    return found


def run(dag: DAG | None) -> Any:
    return SimpleNamespace(dag_id="pay", dag=dag)


def governed() -> DAG:
    with DAG("pay") as dag:
        CapeTransformOperator(task_id="mask", project="{{ params.project }}", source="/in.csv", target="/out.csv")
    return dag


def serialised(dag: DAG) -> Any:
    """As the scheduler knows a DAG."""
    from airflow.serialization.serialized_objects import DagSerialization

    return DagSerialization.from_dict(DagSerialization.to_dict(dag))


@pytest.mark.parametrize("event", [runs.on_dag_run_running, runs.on_dag_run_success, runs.on_dag_run_failed])
def test_a_run_with_a_privacy_task_is_looked_after(event: Any, learned: list[str]) -> None:
    event(run(serialised(governed())))
    assert learned == ["pay"]


def test_a_mapped_privacy_task_is_looked_after(learned: list[str]) -> None:
    with DAG("pay") as dag:
        task = CapeTransformOperator.partial(task_id="mask", project="customers", target="/out")
        task.expand(source=["/a.csv", "/b.csv"])
    runs.on_dag_run_running(run(serialised(dag)))
    assert learned == ["pay"]


@pytest.mark.parametrize("dag", [None, DAG("sales")])
def test_other_runs_are_not(dag: DAG | None, learned: list[str]) -> None:
    runs.on_dag_run_running(run(dag))
    assert learned == []


def test_a_task_process_looks_after_nothing(learned: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
    runs.on_dag_run_running(run(governed()))
    assert learned == []


def test_the_plugin_brings_the_listener() -> None:
    assert CapePlugin.listeners == [runs]


def test_the_listener_imports_nothing_heavy() -> None:
    script = (
        "import sys, airflow.listeners; before = set(sys.modules); import cape_airflow.listeners.runs;"
        "print(*sorted(name for name in set(sys.modules) - before if not name.startswith('cape_airflow')))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=os.environ)
    assert result.stdout.splitlines()[-1] == ""  # the lines before are Airflow's
