"""Spark's own REST API, ``/api/v1``: of a driver, and of the History Server (Spark documentation, "Monitoring")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from cape_airflow.jobs.schedulers.external import (
    Count,
    ExternalJob,
    ExternalProgress,
    ExternalState,
    Id,
    Line,
    Millis,
    Reading,
)
from cape_airflow.jobs.schedulers.failures import SchedulerError
from cape_airflow.jobs.schedulers.rest import segment
from cape_airflow.jobs.schedulers.scheduler import Scheduler

_APPLICATIONS = "/api/v1/applications"
_QUERIES = 10_000


class _Attempt(Reading):
    attempt_id: Annotated[Id | None, Field(alias="attemptId")] = None
    started: Annotated[Millis, Field(alias="startTimeEpoch")] = None
    ended: Annotated[Millis, Field(alias="endTimeEpoch")] = None
    user: Annotated[Line | None, Field(alias="sparkUser")] = None
    completed: bool = False


class _Application(Reading):
    id: Id
    name: Line
    attempts: Annotated[tuple[_Attempt, ...], Field(min_length=1)]

    def job(self, progress: ExternalProgress | None = None) -> ExternalJob:
        """Return it as its newest attempt, the first in the list, is."""
        newest = self.attempts[0]
        return ExternalJob(
            id=self.id,
            name=self.name,
            user=newest.user or None,
            state=ExternalState.ENDED if newest.completed else ExternalState.RUNNING,
            word="completed" if newest.completed else "running",
            application_id=self.id,
            started=self.attempts[-1].started,
            finished=newest.ended if newest.completed else None,
            progress=progress or ExternalProgress(),
        )


class _Stage(Reading):
    status: Line
    tasks: Annotated[Count, Field(alias="numTasks")] = 0
    done: Annotated[Count, Field(alias="numCompleteTasks")] = 0


class _Executor(Reading):
    id: Line
    active: Annotated[bool, Field(alias="isActive")] = True


class _Query(Reading):
    id: int


class SparkHistory(Scheduler):
    """A driver, at the address of its UI, or a History Server.

    Neither says how an application ended: it is ``ended``. Its cluster's scheduler knows.
    """

    def get(self, job_id: str) -> ExternalJob:
        """Return an application with its stages, executors and SQL queries."""
        place = f"{_APPLICATIONS}/{segment(job_id)}"
        application = self._rest.get(place, _Application)
        attempt = application.attempts[0].attempt_id
        return application.job(self._progress(f"{place}/{segment(attempt)}" if attempt else place))

    def cancel(self, job_id: str) -> None:
        """Refuse: this API of Spark's only reads."""
        raise SchedulerError(f"{self.name}: Spark's REST API cancels nothing; cancel it where the cluster is scheduled")

    def _listed(self, since: datetime | None) -> Iterator[ExternalJob]:
        query = {"minEndDate": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000GMT"} if since else None
        return (found.job() for found in self._rest.get(_APPLICATIONS, tuple[_Application, ...], query))

    def _progress(self, place: str) -> ExternalProgress:
        stages = self._rest.get(f"{place}/stages", tuple[_Stage, ...])
        executors = self._rest.get(f"{place}/executors", tuple[_Executor, ...])
        queries = self._rest.get(f"{place}/sql", tuple[_Query, ...], {"details": "false", "length": _QUERIES})
        ran = [stage for stage in stages if stage.status != "SKIPPED"]
        return ExternalProgress(
            tasks_done=sum(stage.done for stage in ran),
            tasks_total=sum(stage.tasks for stage in ran),
            stages_done=sum(stage.status == "COMPLETE" for stage in ran),
            stages_total=len(ran),
            executors=sum(executor.active and executor.id != "driver" for executor in executors),
            queries=len(queries),
        )
