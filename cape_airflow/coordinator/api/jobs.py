"""Jobs: what workers report, and what people see of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from cape_airflow.coordinator import jobs
from cape_airflow.coordinator.api.paging import Page, Paging, page
from cape_airflow.coordinator.api.shapes import Answer, Moment
from cape_airflow.coordinator.guard import CallDep, GuardedRoute
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.store.models import Job
from cape_airflow.jobs import ColumnCounts, JobFinish, JobStart, JobState, Progress, Verification

router = APIRouter(prefix="/v1/projects/{label}/jobs", route_class=GuardedRoute, tags=["jobs"])


class JobAnswer(Answer):
    """A job as it was reported. `started_at` and `finished_at` are the worker's clock, `heartbeat_at` is ours."""

    project: str
    job_id: str
    state: JobState
    attempts: int
    policy_digest: str
    engine: str
    kernels: str
    source: str
    target: str
    started_at: datetime
    origin: dict[str, str]
    heartbeat_at: Moment
    progress: Progress
    columns: list[ColumnCounts]
    warnings: tuple[str, ...] = ()
    error: str | None = None
    finished_at: datetime | None = None
    application_id: str | None = None
    verification: Verification | None = None


@router.put("/{job_id}")
def start_job(label: str, job_id: str, body: JobStart, call: CallDep, response: Response) -> JobAnswer:
    """Report that a job starts: 201 where it is new, 200 for another attempt or the same report again."""
    if body.job_id != job_id:
        raise Problem(422, "invalid", "body.job_id: it is not the one in the path")
    job, new = jobs.start_job(call, body)
    response.status_code = 201 if new else 200
    return show_job(label, job)


@router.post("/{job_id}/heartbeat")
def heartbeat(label: str, job_id: str, body: Progress, call: CallDep) -> JobAnswer:
    """Report how far a job is."""
    return show_job(label, jobs.heartbeat(call, job_id, body))


@router.post("/{job_id}/finish")
def finish_job(label: str, job_id: str, body: JobFinish, call: CallDep) -> JobAnswer:
    """Report how a job ended."""
    return show_job(label, jobs.finish_job(call, job_id, body))


@router.post("/{job_id}/verdicts")
def verify_job(label: str, job_id: str, body: Verification, call: CallDep) -> JobAnswer:
    """Report what was found when the output of a job was read again."""
    return show_job(label, jobs.verify_job(call, job_id, body))


@router.get("")
def list_jobs(label: str, paging: Paging, call: CallDep) -> Page[JobAnswer]:
    """List the project's jobs, the newest first."""
    return page(call.session, jobs.jobs(call), Job, paging, lambda job: show_job(label, job), newest_first=True)


@router.get("/{job_id}")
def get_job(label: str, job_id: str, call: CallDep) -> JobAnswer:
    """Return a job."""
    return show_job(label, jobs.find_job(call, job_id))


def show_job(label: str, job: Job) -> JobAnswer:
    """Return what is shown of a job."""
    reported: dict[str, Any] = job.start | job.finish
    ours = {"project": label, "job_id": job.job_id, "state": job.state, "attempts": job.attempts}
    return JobAnswer(
        **(reported | ours),
        heartbeat_at=job.heartbeat_at,
        progress=Progress(**job.progress),
        columns=list(jobs.column_counts(job)),
        verification=Verification(**job.verification) if job.verification else None,
    )
