"""Pages: jobs of all one's projects, and one of them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

from fastapi import Query, Request, Response
from pydantic import Field

from cape_airflow.coordinator import review
from cape_airflow.coordinator.api import jobs as api
from cape_airflow.coordinator.api.paging import Cursor
from cape_airflow.coordinator.api.paging import page as page_of
from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.job_search import WantedJobs, projects_with_jobs, search_jobs
from cape_airflow.coordinator.pages.blank import Blank
from cape_airflow.coordinator.pages.job_view import JobView, PlanView
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.problems import missing
from cape_airflow.coordinator.store.models import Job
from cape_airflow.jobs import JobState
from cape_airflow.policy import load_policy

router = pages_router()


class JobFilter(Cursor):
    """Which jobs, and which page of them."""

    limit: Annotated[int, Field(ge=1, le=200)] = 25
    project: Annotated[str | None, Field(max_length=64), Blank] = None
    state: Annotated[JobState | None, Blank] = None
    digest: Annotated[str | None, Field(pattern="^[0-9a-f]{1,64}$"), Blank] = None
    since: Annotated[date | None, Blank] = None
    until: Annotated[date | None, Blank] = None

    def wanted(self) -> WantedJobs:
        """Return what is looked for."""
        return WantedJobs(self.project, self.state, self.digest, self.since, self.until)

    def asked(self) -> dict[str, Any]:
        """Return the fields of the form as they were sent, without the page."""
        return self.model_dump(mode="json", exclude={"after", "limit"})


@router.get("/jobs")
def jobs(request: Request, call: CallDep, which: Annotated[JobFilter, Query()]) -> Response:
    """Show jobs, the newest first; those that run say how far they are, again and again."""
    found = page_of(call.session, search_jobs(call, which.wanted()), Job, which, _show, newest_first=True)
    return page(
        request,
        call,
        "jobs.html",
        jobs=[JobView(job, call.now) for job in found.items],
        next=found.next,
        asked=which.asked(),
        live=any(job.state is JobState.RUNNING for job in found.items),
        address=address_of(request),
        projects=projects_with_jobs(call),
        states=list(JobState),
    )


@router.get("/projects/{label}/jobs/{job_id}")
def job(request: Request, label: str, job_id: str, call: CallDep) -> Response:
    """Show a job: what its policy did to each column, and how the run went.

    While it runs, the page is loaded again and again. It shows no policy then: whoever reads one is written down.
    """
    view = JobView(api.get_job(label, job_id, call), call.now)
    plan = None if view.running else _plan(call, view.job)
    return page(request, call, "job.html", job=view, plan=plan, address=address_of(request))


def _show(job: Job) -> api.JobAnswer:
    return api.show_job(job.project.label, job)


def _plan(call: Call, shown: api.JobAnswer) -> PlanView:
    """Return what the job's policy did, from its approved text."""
    approval = review.approval_of(call, shown.policy_digest)
    if approval is None:
        raise missing("approved policy of this job")
    text = approval.suggestion.policy
    call.record(Event.READ_POLICY, "policy", approval.digest, f"job {shown.job_id}")
    return PlanView.of(load_policy(text), text, shown.columns)


def address_of(request: Request) -> str:
    """Return where this very page is, for the script that loads it again."""
    return f"{request.url.path}?{request.url.query}"
