"""The master of a standalone Spark cluster: ``/json/`` of its web UI (Spark documentation, "Spark Standalone Mode")."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from cape_airflow.jobs.schedulers.external import Count, ExternalJob, ExternalState, Id, Line, Millis, Reading, state_of
from cape_airflow.jobs.schedulers.failures import JobMissing
from cape_airflow.jobs.schedulers.scheduler import Scheduler

_STATES = {
    "WAITING": ExternalState.WAITING,
    "RUNNING": ExternalState.RUNNING,
    "FINISHED": ExternalState.SUCCEEDED,
    "FAILED": ExternalState.FAILED,
    "KILLED": ExternalState.CANCELLED,
}

_CSRF_TOKEN = re.compile(rb"""name=["']csrfToken["'][^>]*value=["']([!-~]+?)["']""")


class _Application(Reading):
    id: Id
    name: Line
    user: Line | None = None
    state: Line
    starttime: Millis = None
    duration: Count = 0

    def job(self) -> ExternalJob:
        state = state_of(self.state, _STATES)
        ended = None if state.active or self.starttime is None else _later(self.starttime, self.duration)
        return ExternalJob(
            id=self.id,
            name=self.name,
            user=self.user,
            state=state,
            word=self.state,
            application_id=self.id,
            started=self.starttime,
            finished=ended,
        )


class _Master(Reading):
    activeapps: tuple[_Application, ...]
    completedapps: tuple[_Application, ...]


class SparkMaster(Scheduler):
    """A standalone cluster, at the address of its master's web UI."""

    def get(self, job_id: str) -> ExternalJob:
        """Return an application; the master forgets the old ones (``spark.deploy.retainedApplications``)."""
        for job in self._listed():
            if job.id == job_id:
                return job
        raise JobMissing(f"{self.name} knows no such application, or not any more")

    def cancel(self, job_id: str) -> None:
        """Press the kill button of the master's page (``spark.ui.killEnabled``).

        The master answers alike whether it obeys or not; `get` tells.
        """
        self.get(job_id)
        # From Spark 4.3 on the button sends a token that its page was written with.
        written = _CSRF_TOKEN.search(self._rest.send("GET", "/"))
        token = {"csrfToken": written[1].decode()} if written else {}
        form = {"id": job_id, "terminate": "true", **token}
        self._rest.send("POST", "/app/kill/", form=form, accepts=(200, 302))

    def _listed(self, since: datetime | None = None) -> Iterator[ExternalJob]:
        master = self._rest.get("/json/", _Master)
        return (application.job() for application in master.activeapps + master.completedapps)


def _later(moment: datetime, millis: int) -> datetime | None:
    try:
        return moment + timedelta(milliseconds=millis)
    except OverflowError:
        return None
