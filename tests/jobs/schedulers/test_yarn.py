"""A real ResourceManager, and a Spark application that it runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from getpass import getuser
from pathlib import Path
from typing import Any

import pytest

from cape_airflow.jobs.schedulers import ExternalState, JobMissing
from cape_airflow.jobs.schedulers.rest import Credentials, Rest
from cape_airflow.jobs.schedulers.yarn import Yarn

pytestmark = pytest.mark.integration


def test_a_spark_application_on_yarn_is_listed_until_it_has_ended(
    resource_manager: str, spark_programs: Any, tmp_path: Path
) -> None:
    before = datetime.now(UTC) - timedelta(minutes=1)
    yarn = Yarn(Rest("yarn", resource_manager, Credentials(getuser())))
    assert yarn.list_jobs() == ()
    process, application, _ = spark_programs.submit(str(tmp_path / "go"), "yarn")

    (job,) = yarn.list_jobs(since=before, user=getuser(), tags=("cape",))
    assert (job.id, job.application_id, job.name, job.spark) == (application, application, "nightly", True)
    assert (job.state, job.word, job.tags) == (ExternalState.RUNNING, "RUNNING", ("cape", "nightly"))
    assert job.queue is not None
    assert job.started is not None
    assert before < job.started < datetime.now(UTC) + timedelta(minutes=1)
    assert yarn.list_jobs(user="somebody-else") == ()
    (tmp_path / "go").touch()
    assert process.wait(60) == 0
    spark_programs.wait_for("end", lambda: not yarn.get(application).state.active)
    ended = yarn.get(application)
    assert (ended.state, ended.word) == (ExternalState.SUCCEEDED, "FINISHED/SUCCEEDED")
    assert ended.finished is not None
    assert [job.id for job in yarn.list_jobs(since=before)] == [application]
    assert yarn.list_jobs(since=datetime.now(UTC) + timedelta(days=1)) == ()

    _, second, _ = spark_programs.submit("never", "yarn")
    yarn.cancel(second)
    spark_programs.wait_for("killed application", lambda: yarn.get(second).state is ExternalState.CANCELLED)
    with pytest.raises(JobMissing):
        yarn.get("application_1_0001")
