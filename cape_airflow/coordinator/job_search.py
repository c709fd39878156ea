"""Jobs of all projects in which the caller may see them, by what they are looked for with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import joinedload

from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.reach import projects_open_to
from cape_airflow.coordinator.store.models import Job, Project
from cape_airflow.jobs import JobState


@dataclass(frozen=True)
class WantedJobs:
    """Which jobs are looked for; None for all.

    Args:
        project: its label.
        digest: how the digest of their policy begins.
        since, until: days of their last report, in UTC; both count.
        origin: what they say of where they run, e.g. their `dag_id`.
    """

    project: str | None = None
    state: JobState | None = None
    digest: str | None = None
    since: date | None = None
    until: date | None = None
    origin: Mapping[str, str] = field(default_factory=dict)


def projects_with_jobs(call: Call) -> list[Project]:
    """Return the projects whose jobs the caller may see, by label."""
    return projects_open_to(call, "GET", "/v1/projects/{label}/jobs")


def search_jobs(call: Call, wanted: WantedJobs) -> Select[Job]:
    """Return the query of the jobs that are looked for, of the projects whose jobs the caller may see."""
    seen = [project.seq for project in projects_with_jobs(call) if wanted.project in (None, project.label)]
    return select(Job).where(Job.project_seq.in_(seen), *_conditions(wanted)).options(joinedload(Job.project))


def _conditions(wanted: WantedJobs) -> list[ColumnElement[bool]]:
    asked = [Job.start["origin", name].as_string() == value for name, value in wanted.origin.items()]
    if wanted.state is not None:
        asked.append(Job.state == wanted.state)
    if wanted.digest is not None:
        asked.append(Job.policy_digest.startswith(wanted.digest, autoescape=True))
    if wanted.since is not None:
        asked.append(Job.heartbeat_at >= _midnight(wanted.since))
    if wanted.until is not None:
        asked.append(Job.heartbeat_at < _midnight(wanted.until) + timedelta(days=1))
    return asked


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
