"""Airflow's own REST API, ``/api/v2`` (Airflow 3): the runs of its DAGs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cape_airflow.jobs.schedulers.external import (
    Count,
    ExternalJob,
    ExternalState,
    Id,
    Line,
    Moment,
    Reading,
    state_of,
)
from cape_airflow.jobs.schedulers.failures import JobMissing, SchedulerError
from cape_airflow.jobs.schedulers.rest import Query, segment
from cape_airflow.jobs.schedulers.scheduler import Scheduler

_API = "/api/v2"
_PAGE = 100
_PAGES = 200
_STATES = {
    "queued": ExternalState.WAITING,
    "running": ExternalState.RUNNING,
    "success": ExternalState.SUCCEEDED,
    "failed": ExternalState.FAILED,
}


class _Run(Reading):
    dag: Annotated[Id, Field(alias="dag_id")]
    run: Annotated[Id, Field(alias="dag_run_id")]
    state: Line
    started: Annotated[Moment, Field(alias="start_date")] = None
    ended: Annotated[Moment, Field(alias="end_date")] = None
    user: Annotated[Line | None, Field(alias="triggering_user_name")] = None
    kind: Annotated[Line, Field(alias="run_type")] = ""

    def job(self) -> ExternalJob:
        return ExternalJob(
            id=f"{self.dag}/{self.run}",
            name=self.dag,
            user=self.user,
            state=state_of(self.state, _STATES),
            word=self.state,
            spark=False,
            started=self.started,
            finished=self.ended,
            tags=tuple(filter(None, (self.kind,))),
        )


class _Page(Reading):
    runs: Annotated[tuple[_Run, ...], Field(alias="dag_runs")]
    total: Annotated[Count, Field(alias="total_entries")] = 0


class _Token(Reading):
    access_token: Annotated[str, Field(min_length=1, pattern=r"^[!-~]+$", repr=False)]


class Airflow(Scheduler):
    """An Airflow, at its base URL, with a JWT, or with a user and password to get one for each question."""

    def get(self, job_id: str) -> ExternalJob:
        """Return a run by ``dag_id/run_id``."""
        return self._rest.get(_path(job_id), _Run, headers=self._headers()).job()

    def cancel(self, job_id: str) -> None:
        """Set the run failed, as its page in the UI does; Airflow then stops the tasks that run."""
        self._rest.send("PATCH", _path(job_id), json={"state": "failed"}, headers=self._headers())

    def _listed(self, since: datetime | None) -> Iterator[ExternalJob]:
        """Ask twice: a bound on the time of the end would leave out those that have none."""
        headers = self._headers()
        if since:
            for state in ("queued", "running"):
                yield from self._pages({"state": state}, headers)
        yield from self._pages({"end_date_gte": since.isoformat()} if since else {}, headers)

    def _pages(self, query: Query, headers: Mapping[str, str]) -> Iterator[ExternalJob]:
        for number in range(_PAGES):
            at: Query = {"limit": _PAGE, "offset": number * _PAGE, "order_by": "id"}
            page = self._rest.get(f"{_API}/dags/~/dagRuns", _Page, {**query, **at}, headers=headers)
            yield from (run.job() for run in page.runs)
            if not page.runs or (number + 1) * _PAGE >= page.total:
                return
        raise SchedulerError(f"{self.name}: the list does not end after {_PAGES} pages; ask for a shorter time")

    def _headers(self) -> dict[str, str]:
        """Return the header with a JWT; where there is a password, one is had for it at ``/auth/token``."""
        credentials = self._rest.credentials
        if credentials.password is None:
            return credentials.header()
        login = {"username": credentials.user or "", "password": credentials.password().reveal().decode()}
        answer = self._rest.send("POST", "/auth/token", json=login, headers={}, accepts=(200, 201))
        return {"Authorization": f"Bearer {self._rest.read(answer, _Token).access_token}"}


def _path(job_id: str) -> str:
    dag, slash, run = job_id.partition("/")
    if not slash:
        raise JobMissing("a run of Airflow is found by dag_id/run_id")
    return f"{_API}/dags/{segment(dag)}/dagRuns/{segment(run)}"
