"""A real Spark: standalone master, driver and History Server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from cape_airflow.jobs.schedulers import ExternalState, JobMissing, SchedulerError, SchedulerUnavailable
from cape_airflow.jobs.schedulers.rest import Rest
from cape_airflow.jobs.schedulers.spark_history import SparkHistory
from cape_airflow.jobs.schedulers.spark_master import SparkMaster

pytestmark = pytest.mark.integration


def test_a_running_application_is_listed_by_master_and_driver_and_the_master_stops_it(spark: Any) -> None:
    asked_at = datetime.now(UTC)
    _, application, url = spark.submit("never")
    master, driver = SparkMaster(Rest("cluster", spark.web)), SparkHistory(Rest("driver", url))

    found = next(job for job in master.list_jobs(user=getuser()) if job.id == application)
    assert (found.state, found.word, found.name) == (ExternalState.RUNNING, "RUNNING", "nightly")
    assert found.application_id == application
    assert found.started is not None
    assert abs(found.started - asked_at) < timedelta(minutes=2)
    assert master.list_jobs(user="somebody-else") == ()

    assert [job.id for job in driver.list_jobs()] == [application]
    seen = driver.get(application)
    assert (seen.state, seen.user) == (ExternalState.RUNNING, getuser())
    progress = seen.progress
    assert progress.tasks_total == progress.tasks_done
    assert progress.tasks_done
    assert progress.stages_done == progress.stages_total
    assert (progress.executors, progress.queries) == (1, 1)
    with pytest.raises(SchedulerError, match="cancels nothing"):
        driver.cancel(application)

    master.cancel(application)
    spark.wait_for("killed application", lambda: master.get(application).state is ExternalState.CANCELLED)
    assert master.get(application).finished is not None

    def gone() -> bool:
        try:
            return driver.list_jobs() == ()
        except SchedulerUnavailable as error:
            return "driver is unreachable" in str(error)

    spark.wait_for("end of the driver's API", gone)
    with pytest.raises(JobMissing):
        master.cancel("app-20000101000000-0000")


def test_an_application_that_has_ended_is_in_the_history_with_its_stages(spark: Any, tmp_path: Path) -> None:
    go = tmp_path / "go"
    process, application, _ = spark.submit(str(go))
    history, master = SparkHistory(Rest("history", spark.history)), SparkMaster(Rest("cluster", spark.web))
    go.touch()
    assert process.wait(60) == 0
    assert spark.wait_for("end", lambda: not master.get(application).state.active)
    assert master.get(application).state is ExternalState.SUCCEEDED

    def ended() -> Any:
        return [job for job in history.list_jobs() if job.id == application and job.state is ExternalState.ENDED]

    spark.wait_for("history", ended)
    seen = history.get(application)
    assert seen.finished is not None
    assert seen.progress.tasks_done
    assert seen.progress.queries == 1
    assert application in {job.id for job in history.list_jobs(since=seen.finished - timedelta(minutes=1))}
    assert application not in {job.id for job in history.list_jobs(since=datetime.now(UTC) + timedelta(days=1))}
    with pytest.raises(JobMissing):
        history.get("app-20000101000000-0000")
