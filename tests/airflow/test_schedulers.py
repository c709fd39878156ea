"""The adapter of Airflow's REST API against a real Airflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from cape_airflow.jobs.schedulers import ExternalState, JobMissing
from cape_airflow.jobs.schedulers.airflow import Airflow
from cape_airflow.jobs.schedulers.rest import Credentials, Rest
from cape_airflow.keys import Secret

pytestmark = pytest.mark.integration


def test_runs_of_a_real_airflow_are_listed_and_one_is_cancelled(real_airflow: Any) -> None:
    def token() -> Secret:
        return Secret(requests.get(f"{real_airflow.url}/auth/token", timeout=30).json()["access_token"].encode())

    airflow = Airflow(Rest("airflow", real_airflow.url, Credentials(token=token)))
    before = datetime.now(UTC) - timedelta(minutes=1)
    dag = real_airflow.rest("GET", "/dags?limit=1")["dags"][0]["dag_id"]
    real_airflow.rest("PATCH", f"/dags/{dag}", {"is_paused": True})
    run = real_airflow.rest("POST", f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": {}})["dag_run_id"]

    listed = {job.id: job for job in airflow.list_jobs(since=before)}
    job = listed[f"{dag}/{run}"]
    assert (job.state, job.name, job.spark, job.application_id) == (ExternalState.WAITING, dag, False, None)
    assert job.tags == ("manual",)
    airflow.cancel(job.id)
    ended = airflow.get(job.id)
    assert (ended.state, ended.word) == (ExternalState.FAILED, "failed")
    assert ended.finished is not None
    assert job.id in {one.id for one in airflow.list_jobs(since=before)}
    assert job.id not in {one.id for one in airflow.list_jobs(since=datetime.now(UTC) + timedelta(days=1))}
    with pytest.raises(JobMissing):
        airflow.get(f"{dag}/none")
