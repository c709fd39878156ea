"""Page: the jobs of one DAG, run or task of Airflow, as Airflow shows it in a frame of that DAG's, run's or task's."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api import jobs as api
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.job_search import WantedJobs, projects_with_jobs, search_jobs
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.job_sums import JobSums
from cape_airflow.coordinator.pages.job_view import JobView
from cape_airflow.coordinator.pages.jobs import address_of
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.reach import projects_open_to
from cape_airflow.coordinator.store.models import Job, Suggestion, SuggestionState
from cape_airflow.coordinator.waiting import waiting_for

router = pages_router()

_MOST = 50
_UNDECIDED = (SuggestionState.OPEN, SuggestionState.CHANGES_REQUESTED)

Name = Annotated[str, Field(max_length=250)]


class Place(BaseModel):
    """What is looked at in Airflow; what is left out does not matter.

    Airflow leaves ``{MAP_INDEX}`` as it is for a task that is not mapped: only a number is one.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    dag_id: Name
    run_id: Annotated[Name | None, Blank] = None
    task_id: Annotated[Name | None, Blank] = None
    map_index: Annotated[Name | None, Blank] = None
    deployment: Annotated[str | None, Field(max_length=2000), Blank] = None

    def origin(self) -> dict[str, str]:
        """Return what jobs from there say of where they run."""
        said = self.model_dump(exclude_none=True)
        if not said.get("map_index", "-1").removeprefix("-").isdecimal():
            del said["map_index"]
        return said

    @property
    def title(self) -> str:
        """What is looked at, in a word or two."""
        return ".".join(filter(None, (self.dag_id, self.task_id)))


@dataclass(frozen=True)
class Undecided:
    """A suggestion of a project involved; `mine` where the reader's approval is asked for."""

    suggestion: Suggestion
    mine: bool


@router.get("/airflow")
def airflow(request: Request, call: CallDep, place: Annotated[Place, Query()]) -> Response:
    """Show the newest jobs from there, what became of their columns, and what waits for a decision meanwhile."""
    found = _jobs(call, place)
    views = [JobView(api.show_job(job.project.label, job), call.now) for job in found]
    return page(
        request,
        call,
        "airflow.html",
        place=place,
        sums=JobSums(views),
        most=_MOST,
        undecided=_undecided(call, {job.project_seq for job in found}),
        admitted=bool(projects_with_jobs(call)),
        address=address_of(request),
    )


def _jobs(call: Call, place: Place) -> list[Job]:
    query = search_jobs(call, WantedJobs(origin=place.origin())).order_by(Job.seq.desc())
    return list(call.session.scalars(query.limit(_MOST)))


def _undecided(call: Call, involved: set[int]) -> list[Undecided]:
    """Return what waits in the projects involved; before there is any job, what waits for the reader anywhere."""
    mine = [waiting.suggestion for waiting in waiting_for(call)]
    if not involved:
        return [Undecided(suggestion, mine=True) for suggestion in mine]
    return [
        Undecided(suggestion, suggestion in mine)
        for project in projects_open_to(call, "GET", "/projects/{label}/suggestions")
        if project.seq in involved
        for suggestion in _open_in(replace(call, about=project))
    ]


def _open_in(call: Call) -> list[Suggestion]:
    query = review.suggestions(call).where(Suggestion.state.in_(_UNDECIDED)).order_by(Suggestion.seq).limit(_MOST)
    return list(call.session.scalars(query))
