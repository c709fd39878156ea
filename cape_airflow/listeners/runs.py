"""What Airflow's scheduler calls when a DAG run begins or ends; imported in every process, so it imports nothing heavy.

An exception here never reaches Airflow's work: the listener manager logs it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from airflow.listeners import hookimpl

if TYPE_CHECKING:
    from airflow.models.dagrun import DagRun


@hookimpl
def on_dag_run_running(dag_run: DagRun) -> None:
    """Watch the tasks of a run that has privacy tasks."""
    _watch(dag_run)


@hookimpl
def on_dag_run_success(dag_run: DagRun) -> None:
    """Watch them for a while longer: a failure may be let pass, and this may be another scheduler."""
    _watch(dag_run)


@hookimpl
def on_dag_run_failed(dag_run: DagRun) -> None:
    """Watch them for a while longer, likewise."""
    _watch(dag_run)


def _watch(dag_run: Any) -> None:
    if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "server" and _is_governed(dag_run):
        from cape_airflow.listeners.watch import WATCH

        WATCH.learn(dag_run.dag_id)


def _is_governed(dag_run: Any) -> bool:
    """Return whether a run has tasks of ours, which name their coordinator in a template field."""
    dag = getattr(dag_run, "dag", None)
    return dag is not None and any("cape_conn_id" in task.template_fields for task in dag.task_dict.values())
