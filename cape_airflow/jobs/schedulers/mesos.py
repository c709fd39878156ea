"""The master of Mesos: ``/state`` and ``/teardown``. Apache has retired Mesos; this adapter is small, and stays so.

Spark itself left Mesos with version 4.0, so that what runs there is Spark 3 or older.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cape_airflow.jobs.schedulers.external import (
    ExternalJob,
    ExternalState,
    Id,
    Line,
    Link,
    Reading,
    Seconds,
)
from cape_airflow.jobs.schedulers.failures import JobMissing
from cape_airflow.jobs.schedulers.scheduler import Scheduler


class _Framework(Reading):
    id: Id
    name: Line
    user: Line | None = None
    role: Line | None = None
    active: bool = False
    registered: Annotated[Seconds, Field(alias="registered_time")] = None
    unregistered: Annotated[Seconds, Field(alias="unregistered_time")] = None
    link: Annotated[Link, Field(alias="webui_url")] = None

    def job(self, *, completed: bool) -> ExternalJob:
        """Return it as a job; Mesos does not say how a framework ended, nor whether it is one of Spark."""
        running = ExternalState.RUNNING if self.active else ExternalState.WAITING
        return ExternalJob(
            id=self.id,
            name=self.name,
            user=self.user,
            state=ExternalState.ENDED if completed else running,
            word="completed" if completed else "active" if self.active else "inactive",
            application_id=self.id,
            started=self.registered,
            finished=self.unregistered if completed else None,
            queue=self.role,
            tracking_url=self.link,
        )


class _State(Reading):
    frameworks: tuple[_Framework, ...]
    completed: Annotated[tuple[_Framework, ...], Field(alias="completed_frameworks")] = ()


class Mesos(Scheduler):
    """A Mesos master, at its address; a Spark application is a framework, and its id that of the framework."""

    def get(self, job_id: str) -> ExternalJob:
        """Return a framework."""
        for job in self._listed():
            if job.id == job_id:
                return job
        raise JobMissing(f"{self.name} knows no such framework, or not any more")

    def cancel(self, job_id: str) -> None:
        """Tear the framework down."""
        self.get(job_id)
        self._rest.send("POST", "/teardown", form={"frameworkId": job_id})

    def _listed(self, since: datetime | None = None) -> Iterator[ExternalJob]:
        state = self._rest.get("/state", _State)
        yield from (framework.job(completed=False) for framework in state.frameworks)
        yield from (framework.job(completed=True) for framework in state.completed)
