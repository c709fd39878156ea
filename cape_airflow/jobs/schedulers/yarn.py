"""The ResourceManager of YARN: ``/ws/v1/cluster`` (Hadoop documentation, "ResourceManager REST API's")."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cape_airflow.jobs.schedulers.external import (
    ExternalJob,
    ExternalProgress,
    ExternalState,
    Id,
    Line,
    Link,
    Millis,
    Reading,
    state_of,
)
from cape_airflow.jobs.schedulers.rest import Query, segment
from cape_airflow.jobs.schedulers.scheduler import Scheduler

_APPS = "/ws/v1/cluster/apps"
_ACTIVE = "NEW,NEW_SAVING,SUBMITTED,ACCEPTED,RUNNING"
_ENDED = "FINISHED,FAILED,KILLED"

_STATES = {
    **dict.fromkeys(("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED"), ExternalState.WAITING),
    "RUNNING": ExternalState.RUNNING,
    "FAILED": ExternalState.FAILED,
    "KILLED": ExternalState.CANCELLED,
}
# FINISHED says only that it ended; the application itself said how.
_FINAL = {
    "SUCCEEDED": ExternalState.SUCCEEDED,
    "FAILED": ExternalState.FAILED,
    "KILLED": ExternalState.CANCELLED,
    "UNDEFINED": ExternalState.ENDED,
}


class _Application(Reading):
    id: Id
    name: Line
    user: Line
    queue: Line | None = None
    state: Line
    final: Annotated[Line, Field(alias="finalStatus")] = "UNDEFINED"
    percent: Annotated[float, Field(alias="progress")] = 0.0
    link: Annotated[Link, Field(alias="trackingUrl")] = None
    kind: Annotated[Line, Field(alias="applicationType")] = ""
    tags: Annotated[Line, Field(alias="applicationTags")] = ""
    started: Annotated[Millis, Field(alias="startedTime")] = None
    finished: Annotated[Millis, Field(alias="finishedTime")] = None

    def job(self) -> ExternalJob:
        ended = self.state == "FINISHED"
        return ExternalJob(
            id=self.id,
            name=self.name,
            user=self.user,
            state=state_of(self.final, _FINAL) if ended else state_of(self.state, _STATES),
            word=f"{self.state}/{self.final}" if ended else self.state,
            spark=self.kind.upper() == "SPARK",
            application_id=self.id,
            started=self.started,
            finished=self.finished,
            queue=self.queue,
            tags=tuple(filter(None, self.tags.split(","))),
            tracking_url=self.link,
            progress=ExternalProgress(percent=self.percent),
        )


class _Applications(Reading):
    app: tuple[_Application, ...] = ()


class _List(Reading):
    apps: _Applications | None


class _One(Reading):
    app: _Application


class Yarn(Scheduler):
    """A ResourceManager, at the address of its web UI; the active one where there are several.

    Without security it believes the user that it is told (``user.name``), as Hadoop's simple authentication does.
    """

    def get(self, job_id: str) -> ExternalJob:
        """Return an application."""
        return self._rest.get(f"{_APPS}/{segment(job_id)}", _One, self._user()).app.job()

    def cancel(self, job_id: str) -> None:
        """Ask for the state KILLED; 202 says that it is on its way."""
        place = f"{_APPS}/{segment(job_id)}/state"
        self._rest.send("PUT", place, query=self._user(), json={"state": "KILLED"}, accepts=(200, 202))

    def _listed(self, since: datetime | None) -> Iterator[ExternalJob]:
        """Ask twice: a bound on the time of the end would leave out those that have none."""
        ended: Query = {"states": _ENDED} | ({"finishedTimeBegin": _millis(since)} if since else {})
        for query in ({"states": _ACTIVE}, ended):
            found = self._rest.get(_APPS, _List, {**query, **self._user()}).apps
            yield from (application.job() for application in (found.app if found else ()))

    def _user(self) -> dict[str, str]:
        credentials = self._rest.credentials
        return {"user.name": credentials.user} if credentials.user and not credentials.secret else {}


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
