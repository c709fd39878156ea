"""What people answer inside Airflow, read by the embedded coordinator where Airflow keeps it.

The API server writes who answered, from the session that it has verified itself. A task can put a question there, and
even an answer, but that has no name to it. So whoever reads the record inside the API server knows who it was.
"""

from __future__ import annotations

from airflow.configuration import conf
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from sqlalchemy import Select, select
from sqlalchemy.orm import lazyload

from cape_airflow.coordinator.answers import GivenAnswer, Place
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.question import Question
from cape_airflow.plugins.airflow_users import ISSUER


class AirflowAnswers:
    """Airflow's human-in-the-loop records.

    Args:
        root: path of the coordinator on Airflow's server.
    """

    name = "airflow-hitl"
    issuer = ISSUER

    def __init__(self, root: str) -> None:
        self.root = root

    def find(self, place: Place) -> GivenAnswer | None:
        """Return what was answered to a task instance's question; None where there is no answer.

        Raises:
            Problem: 409 ``no-log-in`` where Airflow takes anybody for anybody.
        """
        if conf.getboolean("core", "simple_auth_manager_all_admins", fallback=False):
            message = "this Airflow lets everybody in without a log in, so that nobody knows who has answered"
            raise Problem(409, "no-log-in", message)
        with create_session() as session:
            return _given(session.scalar(_query(place)))


def _query(place: Place) -> Select[HITLDetail]:
    return (
        select(HITLDetail)
        .join(TaskInstance, HITLDetail.ti_id == TaskInstance.id)
        .where(
            TaskInstance.dag_id == place.dag_id,
            TaskInstance.run_id == place.run_id,
            TaskInstance.task_id == place.task_id,
            TaskInstance.map_index == place.map_index,
        )
        .options(lazyload("*"))  # not also the task instance, its run, its DAG, ...
    )


def _given(row: HITLDetail | None) -> GivenAnswer | None:
    if row is None or row.responded_at is None:
        return None
    by = row.responded_by
    return GivenAnswer(
        asked=Question(row.subject, row.body or "", tuple(row.options), row.params or {}),
        subject=str(by["id"]) if by else None,
        answered_at=row.responded_at,
        chosen=tuple(row.chosen_options or ()),
        comment=(row.params_input or {}).get("comment"),
    )
