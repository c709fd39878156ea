"""Which work on other schedulers runs with a policy, and which without.

An application is governed where a job of ours said that it does its work. What a worker says is believed: it shows who
works past the policies, and does not hold back who lies about it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, or_, select

from cape_airflow.coordinator.audit import Event
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.permissions import ProjectRole
from cape_airflow.coordinator.problems import Problem, missing
from cape_airflow.coordinator.store.models import Contributor, Job, JobApplication, Project, Scheduler, SchedulerJob

_governed: ColumnElement[bool] = exists().where(JobApplication.application_id == SchedulerJob.application_id)
_without_policy: ColumnElement[bool] = and_(SchedulerJob.spark, ~_governed)
# Of the newest job that ran as it; else what the settings of the scheduler say.
_project: ColumnElement[str | None] = func.coalesce(
    select(Project.label)
    .join(Job, Job.project_seq == Project.seq)
    .join(JobApplication, JobApplication.job_seq == Job.seq)
    .where(JobApplication.application_id == SchedulerJob.application_id)
    .order_by(JobApplication.seq.desc())
    .limit(1)
    .scalar_subquery(),
    SchedulerJob.project_label,
)


@dataclass(frozen=True)
class Wanted:
    """Which jobs are asked for; None for all.

    Args:
        governed: with a policy (True), or work of Spark without one (False).
        user: of the scheduler. project: a label. scheduler: its name.
        active: those that wait or run (True), or have ended (False).
    """

    governed: bool | None = None
    user: str | None = None
    project: str | None = None
    scheduler: str | None = None
    active: bool | None = None


def scheduler_jobs(call: Call, wanted: Wanted) -> Select[SchedulerJob]:
    """Return the query of the jobs of all schedulers that the caller may see."""
    return select(SchedulerJob).where(*_conditions(call, wanted))


def summary(call: Call, wanted: Wanted) -> list[tuple[str | None, str | None, int, int]]:
    """Return how many jobs of Spark ran with a policy and without, by user and project; the most without it first."""
    with_policy = func.count(case((_governed, 1)))
    without = func.count(case((_without_policy, 1)))
    project = _project.label("project")
    query = select(SchedulerJob.user_name, project, with_policy, without).where(
        or_(SchedulerJob.spark, _governed), *_conditions(call, wanted)
    )
    query = query.group_by(SchedulerJob.user_name, project)
    rows = call.session.execute(
        query.order_by(without.desc(), with_policy.desc(), SchedulerJob.user_name, project).limit(1000)
    ).all()
    return [(user, label, governed, free) for user, label, governed, free in rows]


def visible_runs(call: Call) -> Callable[[Job], bool]:
    """Return whether the caller may know of a job of ours: an application may work for several projects."""
    if call.sees_all:
        return lambda _job: True
    own = frozenset(_own_projects(call))
    return lambda job: job.project.label in own


def project_of(job: SchedulerJob) -> str | None:
    """Return the label of the project that a job belongs to."""
    return job.runs[0].job.project.label if job.runs else job.project_label


def ask_cancel(call: Call, job_id: str) -> SchedulerJob:
    """Note that a job is to be cancelled; the replica that asks its scheduler next does it.

    Raises:
        Problem: 404 where there is no such job; 409 where it does not run any more.
    """
    job = call.session.scalar(select(SchedulerJob).where(SchedulerJob.id == job_id).with_for_update(of=SchedulerJob))
    if job is None:
        raise missing("job of a scheduler")
    if not job.active:
        raise Problem(409, "not-active", "this job has ended, or its scheduler does not list it any more")
    if job.cancel_asked_at is None:
        job.cancel_asked_at = call.now
        call.record(Event.ASK_CANCEL, "scheduler-job", job.id, f"{job.scheduler.name} {job.external_id}")
    return job


def _conditions(call: Call, wanted: Wanted) -> list[ColumnElement[bool]]:
    asked: list[ColumnElement[bool]] = []
    if wanted.governed is not None:
        asked.append(_governed if wanted.governed else _without_policy)
    if wanted.user is not None:
        asked.append(SchedulerJob.user_name == wanted.user)
    if wanted.project is not None:
        asked.append(_project == wanted.project)
    if wanted.scheduler is not None:
        asked.append(SchedulerJob.scheduler.has(Scheduler.name == wanted.scheduler))
    if wanted.active is not None:
        asked.append(SchedulerJob.active == wanted.active)
    if not call.sees_all:
        asked.append(_project.in_(_own_projects(call)))
    return asked


def _own_projects(call: Call) -> list[str]:
    """Return the projects in which the caller is more than a worker."""
    memberships = call.session.scalars(select(Contributor).where(Contributor.user_seq == call.user.seq)).all()
    call.seals.check(*memberships, *(membership.project for membership in memberships))
    return [membership.project.label for membership in memberships if membership.role is not ProjectRole.WORKER]
