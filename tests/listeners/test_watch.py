"""The end of jobs whose tasks died, at a real coordinator."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cape_airflow.client import CoordinatorClient
from cape_airflow.jobs import JobFinish, JobStart, JobState, Progress
from cape_airflow.listeners.dead_tasks import DeadTask
from cape_airflow.listeners.watch import DeathWatch, _client_of
from cape_airflow.operators.governed import job_id_of
from tests.airflow.coordinator import Outage, People

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def worker(people: People) -> CoordinatorClient:
    return CoordinatorClient(people.url, people.worker_token)


def dead(project: str, **changed: Any) -> DeadTask:
    return replace(DeadTask("pay", f"run-{project}", "mask", -1, 1, project, "cape_default"), **changed)


def start(client: CoordinatorClient, task: DeadTask, digest: str) -> str:
    """Start the task's job, as its task did before it died."""
    job_id = job_id_of(task)
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    started = JobStart(
        job_id=job_id,
        policy_digest=digest,
        engine="local",
        kernels="python",
        source="s",
        target="t",
        started_at=NOW,
        origin={name: str(getattr(task, name)) for name in names},
    )
    client.start_job(task.project, started)
    return job_id


def watch(*tasks: DeadTask, connect: Callable[[str], CoordinatorClient] = _client_of) -> DeathWatch:
    return DeathWatch(lambda dag_ids: tasks, connect)


def test_the_job_of_a_task_that_died_ends_as_failed(
    connected: pytest.MonkeyPatch, people: People, worker: CoordinatorClient, project: str
) -> None:
    task = dead(project)
    job_id = start(worker, task, people.approve(project))
    worker.heartbeat(project, job_id, Progress(rows_in=7))
    watch(task).look()
    job = people.engineer.job(project, job_id)
    assert (job.state, job.progress.rows_in) == (JobState.FAILED, 7)
    assert job.error is not None
    assert job.error.startswith("TaskDied: ")


def test_what_the_task_said_itself_stays(
    connected: pytest.MonkeyPatch, people: People, worker: CoordinatorClient, project: str
) -> None:
    task = dead(project)
    job_id = start(worker, task, people.approve(project))
    told = JobFinish(state=JobState.FAILED, progress=Progress(), error="ValueRefused: 3 rows", finished_at=NOW)
    worker.finish_job(project, job_id, told)
    watch(task).look()
    assert people.engineer.job(project, job_id).error == "ValueRefused: 3 rows"


def test_a_later_try_of_the_task_runs_on(
    connected: pytest.MonkeyPatch, people: People, worker: CoordinatorClient, project: str
) -> None:
    job_id = start(worker, dead(project, try_number=2), people.approve(project))
    watch(dead(project, try_number=1)).look()
    assert people.engineer.job(project, job_id).state is JobState.RUNNING


def test_a_task_that_never_began_its_job_is_let_be(
    connected: pytest.MonkeyPatch, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    watch(dead(project)).look()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_each_death_is_told_once(
    connected: pytest.MonkeyPatch, people: People, worker: CoordinatorClient, project: str
) -> None:
    asked: list[str] = []

    def connect(conn_id: str) -> CoordinatorClient:
        asked.append(conn_id)
        return _client_of(conn_id)

    task = dead(project)
    start(worker, task, people.approve(project))
    watching = watch(task, connect=connect)
    watching.look()
    watching.look()
    assert asked == ["cape_default"]


def test_a_coordinator_that_is_down_is_told_later_and_holds_up_no_other(
    connected: pytest.MonkeyPatch,
    people: People,
    worker: CoordinatorClient,
    project: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    down = {"conn_type": "cape", "host": "127.0.0.1", "port": 9, "password": "canary", "extra": '{"scheme": "http"}'}
    connected.setenv("AIRFLOW_CONN_A_DOWN", json.dumps(down))
    ours, theirs = dead(project), dead(project, task_id="other", cape_conn_id="a_down")
    digest = people.approve(project)
    first, second = start(worker, ours, digest), start(worker, theirs, digest)
    watching = watch(ours, theirs)
    with caplog.at_level(logging.WARNING):
        watching.look()
    assert people.engineer.job(project, first).state is JobState.FAILED
    assert people.engineer.job(project, second).state is JobState.RUNNING
    assert "`a_down`" in caplog.text
    assert "canary" not in caplog.text
    connected.setenv("AIRFLOW_CONN_A_DOWN", json.dumps(people.connection()))
    watching.look()
    assert people.engineer.job(project, second).state is JobState.FAILED


def test_whatever_fails_is_logged_by_its_kind_only(caplog: pytest.LogCaptureFixture) -> None:
    def broken(dag_ids: set[str]) -> list[DeadTask]:
        raise RuntimeError("canary in a message of the database")

    DeathWatch(broken, _client_of).look()
    watch(dead("customers", cape_conn_id="there_is_none")).look()
    assert "RuntimeError" in caplog.text
    assert "there_is_none" in caplog.text
    assert "canary" not in caplog.text


def test_a_task_that_lives_after_all_has_the_last_word(outage: Outage) -> None:
    worker = CoordinatorClient(outage.people.url, outage.people.worker_token)
    task = dead(outage.project)
    job_id = start(worker, task, outage.digest)
    watch(task).look()
    told = JobFinish(state=JobState.SUCCEEDED, progress=Progress(rows_in=9, rows_out=9), finished_at=NOW)
    worker.finish_job(outage.project, job_id, told)
    job = worker.job(outage.project, job_id)
    assert (job.state, job.progress.rows_out, job.error) == (JobState.SUCCEEDED, 9, None)
