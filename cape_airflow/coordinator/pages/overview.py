"""Page: how things stand, at a glance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from fastapi import Request, Response
from sqlalchemy import select

from cape_airflow.coordinator import project_keys
from cape_airflow.coordinator.api import schedulers
from cape_airflow.coordinator.audit.checkpointing import NAME as CHECKPOINTS
from cape_airflow.coordinator.call import Call
from cape_airflow.coordinator.guard import CallDep
from cape_airflow.coordinator.job_search import projects_with_jobs
from cape_airflow.coordinator.pages.charts import Chart, bars, per_day
from cape_airflow.coordinator.pages.rendering import page
from cape_airflow.coordinator.pages.route import pages_router
from cape_airflow.coordinator.reach import may, projects_open_to
from cape_airflow.coordinator.statistics import Period, Statistics
from cape_airflow.coordinator.store.models import AuditFollower, Project, ProjectKey
from cape_airflow.coordinator.waiting import waiting_for

router = pages_router()

_DAYS = 30


@dataclass(frozen=True)
class DueKey:
    """A key whose rotation is near."""

    project: Project
    key: ProjectKey


@router.get("/")
def overview(request: Request, call: CallDep) -> Response:
    """Show what waits for the caller, today's jobs, coverage, keys near rotation, and the last audit checkpoint."""
    lines = schedulers.summary(schedulers.Which(), call).items
    return page(
        request,
        call,
        "overview.html",
        waiting=waiting_for(call),
        due_keys=due_keys(call),
        governed=sum(line.governed for line in lines),
        ungoverned=sum(line.ungoverned for line in lines),
        checkpoint=_checkpoint(call) if may(call, "GET", "/v1/audit") else None,
        **_figures(call),
    )


def due_keys(call: Call) -> list[DueKey]:
    """Return the keys of the caller's projects whose rotation is near or overdue."""
    due = []
    for project in projects_open_to(call, "GET", "/v1/projects/{label}/keys"):
        for key in call.session.scalars(project_keys.keys(replace(call, about=project))):
            call.seals.check(key, *key.versions)
            if project_keys.is_near_rotation(key, call.now):
                due.append(DueKey(project, key))
    return due


def _figures(call: Call) -> dict[str, Any]:
    projects = projects_with_jobs(call)
    period = Period.ending(call.now, _DAYS)
    statistics = Statistics(call, projects, period)
    runs, coverage = statistics.runs(), statistics.coverage()
    charts: list[Chart] = [
        per_day("runs", "Runs per day", period, runs),
        per_day("coverage", "What became of columns, per day", period, coverage),
        bars("values", "Values by technique", statistics.values(), "values"),
    ]
    return {
        "days": _DAYS,
        "today": {state: counts[-1] for state, counts in runs.items()},
        "coverage": {decision: sum(counts) for decision, counts in coverage.items()},
        "charts": charts,
        "projects": projects,
    }


def _checkpoint(call: Call) -> AuditFollower | None:
    return call.session.scalar(select(AuditFollower).where(AuditFollower.name == CHECKPOINTS))
