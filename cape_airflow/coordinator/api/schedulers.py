"""What runs on other schedulers, with a policy and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from cape_airflow.coordinator import schedulers
from cape_airflow.coordinator.api.paging import Cursor, Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.schedulers import Wanted
from cape_airflow.coordinator.store.models import Job, Scheduler, SchedulerJob

router = APIRouter(prefix="/v1/schedulers", route_class=GuardedRoute, tags=["schedulers"])

Name = Annotated[str, Field(max_length=300)]


class SchedulerAnswer(Answer):
    """A scheduler; `reachable` is null until it was asked, `trouble` says what went wrong the last time."""

    name: str
    type: str
    reachable: bool | None
    polled_at: Moment | None
    succeeded_at: Moment | None
    trouble: str | None


class RunAnswer(Answer):
    """A job of ours that an application did."""

    project: str
    job_id: str
    policy_digest: str


class SchedulerJobAnswer(Answer):
    """A job of another scheduler. `governed` is null for what is no work of Spark; `job` is what its scheduler said."""

    id: str
    scheduler: str
    governed: bool | None
    project: str | None
    runs: list[RunAnswer]
    active: bool
    seen_at: Moment
    cancel_asked_at: Moment | None
    job: dict[str, Any]


class SummaryLine(Answer):
    """How many jobs of a user in a project ran with a policy, and how many of Spark's without."""

    user: str | None
    project: str | None
    governed: int
    ungoverned: int


class Summary(Answer):
    """All of them, those with most jobs without a policy first; at most 1000."""

    items: list[SummaryLine]


class Which(Cursor):
    """Which jobs, and which page of them."""

    governed: Literal["yes", "no"] | None = None
    user: Name | None = None
    project: Name | None = None
    scheduler: Name | None = None
    active: bool | None = None

    def wanted(self) -> Wanted:
        """Return what is asked for."""
        governed = None if self.governed is None else self.governed == "yes"
        return Wanted(governed, self.user, self.project, self.scheduler, self.active)


Filter = Annotated[Which, Query()]


@router.get("")
def list_schedulers(paging: Paging, call: CallDep) -> Page[SchedulerAnswer]:
    """List the schedulers that are asked, and how that went."""
    return page(call.session, select(Scheduler), Scheduler, paging, _show_scheduler)


@router.get("/jobs")
def list_scheduler_jobs(which: Filter, call: CallDep) -> Page[SchedulerJobAnswer]:
    """List what runs and ran on other schedulers, the newest first; of one's own projects, or all as an admin."""
    query = schedulers.scheduler_jobs(call, which.wanted())
    runs = schedulers.visible_runs(call)
    return page(call.session, query, SchedulerJob, which, lambda row: _show(row, runs), newest_first=True)


@router.get("/summary")
def summary(which: Filter, call: CallDep) -> Summary:
    """Count jobs with a policy and without, by user and project."""
    found = schedulers.summary(call, which.wanted())
    lines = [SummaryLine(user=user, project=label, governed=yes, ungoverned=no) for user, label, yes, no in found]
    return Summary(items=lines)


@router.post("/jobs/{scheduler_job}/cancel", status_code=202)
def cancel(scheduler_job: str, call: CallDep) -> SchedulerJobAnswer:
    """Have a job cancelled; the audit log says when its scheduler has agreed, or why not."""
    return _show(schedulers.ask_cancel(call, scheduler_job), schedulers.visible_runs(call))


def _show_scheduler(row: Scheduler) -> SchedulerAnswer:
    return SchedulerAnswer(
        name=row.name,
        type=row.kind,
        reachable=None if row.polled_at is None else row.trouble is None,
        polled_at=row.polled_at,
        succeeded_at=row.succeeded_at,
        trouble=row.trouble,
    )


def _show(row: SchedulerJob, visible: Callable[[Job], bool]) -> SchedulerJobAnswer:
    return SchedulerJobAnswer(
        id=row.id,
        scheduler=row.scheduler.name,
        governed=bool(row.runs) or (False if row.spark else None),
        project=schedulers.project_of(row),
        runs=[_show_run(run.job) for run in row.runs if visible(run.job)],
        active=row.active,
        seen_at=row.seen_at,
        cancel_asked_at=row.cancel_asked_at,
        job=row.document,
    )


def _show_run(job: Job) -> RunAnswer:
    return RunAnswer(project=job.project.label, job_id=job.job_id, policy_digest=job.policy_digest)
