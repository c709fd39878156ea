"""Which privacy tasks Airflow has given up, from its metadata database: only its own servers may ask it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Select
    from sqlalchemy.orm import Session

SETTLING = timedelta(seconds=20)
"""How long a task that was told to stop may take to tell its end by itself."""

_LATELY = timedelta(hours=1)
_DEAD = ("failed", "up_for_retry")


@dataclass(frozen=True)
class DeadTask:
    """A try of a task instance that failed, by whatever.

    Args:
        project, cape_conn_id: what its templates became.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    try_number: int
    project: str
    cape_conn_id: str


def dead_tasks(session: Session, dag_ids: Collection[str], now: datetime) -> Iterator[DeadTask]:
    """Yield the failed privacy tasks of those DAGs, in runs that go on or ended within the last hour.

    A task that died before its templates were rendered has no job, and is not among them.
    """
    for dag_id, run_id, task_id, map_index, try_number, rendered in session.execute(_query(dag_ids, now)):
        project, conn_id = rendered.get("project"), rendered.get("cape_conn_id")
        if isinstance(project, str) and isinstance(conn_id, str):
            yield DeadTask(dag_id, run_id, task_id, map_index, try_number, project, conn_id)


def _query(dag_ids: Collection[str], now: datetime) -> Select[Any]:
    from airflow.models.dagrun import DagRun
    from airflow.models.renderedtifields import RenderedTaskInstanceFields as Rendered
    from airflow.models.taskinstance import TaskInstance as Task
    from sqlalchemy import and_, or_, select

    key = ("dag_id", "run_id", "task_id", "map_index")
    return (
        select(*(getattr(Task, name) for name in key), Task.try_number, Rendered.rendered_fields)
        .join(DagRun, and_(DagRun.dag_id == Task.dag_id, DagRun.run_id == Task.run_id))
        .join(Rendered, and_(*(getattr(Rendered, name) == getattr(Task, name) for name in key)))
        .where(
            DagRun.dag_id.in_(dag_ids),
            or_(DagRun.state == "running", DagRun.end_date > now - _LATELY),
            Task.state.in_(_DEAD),
            Task.end_date < now - SETTLING,
        )
    )
