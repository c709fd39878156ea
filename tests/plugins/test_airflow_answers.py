"""Airflow's own tables, as its API server keeps them; `tests/airflow/test_approval.py` has the whole of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from airflow import settings as airflow_settings
from airflow.models import import_all_models
from airflow.models.base import Base
from airflow.models.hitl import HITLDetail
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import insert

from cape_airflow.coordinator.answers import GivenAnswer, Place
from cape_airflow.coordinator.problems import Problem
from cape_airflow.coordinator.review.question import Question
from cape_airflow.plugins.airflow_answers import AirflowAnswers

PLACE = Place("dag", "run", "approved")
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ASKED = {"options": ["Approve", "Reject"], "subject": "May it?", "body": "| a |", "params": {"comment": {"value": 1}}}


@pytest.fixture(scope="module")
def database() -> None:
    import_all_models()
    Base.metadata.create_all(airflow_settings.engine, tables=[TaskInstance.__table__, HITLDetail.__table__])


def record(map_index: int = -1, **answered: Any) -> None:
    """Keep a question at a task instance, and what was answered."""
    ti_id = UUID(int=map_index + 100)
    if TaskInstance.__table__.c.id.type.python_type is str:  # until Airflow 3.2
        ti_id = str(ti_id)
    where = {"dag_id": "dag", "run_id": "run", "task_id": "approved", "map_index": map_index}
    with airflow_settings.engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
        connection.execute(HITLDetail.__table__.delete().where(HITLDetail.ti_id == ti_id))
        connection.execute(TaskInstance.__table__.delete().where(TaskInstance.id == ti_id))
        columns = {"id": ti_id, "pool": "default", "pool_slots": 1, "try_number": 1, "max_tries": 0, **where}
        connection.execute(insert(TaskInstance.__table__).values(columns))
        rest = {"multiple": False, "created_at": NOW, "params_input": {}}
        connection.execute(insert(HITLDetail.__table__).values({"ti_id": ti_id, **ASKED, **rest, **answered}))


def answered_by(user: str | None, **more: Any) -> dict[str, Any]:
    by = {"id": user, "name": user} if user else None
    return {"responded_by": by, "responded_at": NOW, "chosen_options": ["Approve"], **more}


@pytest.mark.usefixtures("database")
class TestFinding:
    def test_an_answer_is_who_airflow_says_gave_it_and_what_he_saw(self) -> None:
        record(**answered_by("olga", params_input={"comment": "seen"}))
        question = Question("May it?", "| a |", ("Approve", "Reject"), {"comment": {"value": 1}})
        assert AirflowAnswers("/cape").find(PLACE) == GivenAnswer(question, "olga", NOW, ("Approve",), "seen")

    def test_an_answer_without_a_person_has_none(self) -> None:
        record(**answered_by(None))
        found = AirflowAnswers("/cape").find(PLACE)
        assert found is not None
        assert found.subject is None

    def test_a_question_without_an_answer_is_none(self) -> None:
        record()
        assert AirflowAnswers("/cape").find(PLACE) is None

    def test_the_answer_of_one_mapped_task_is_not_that_of_another(self) -> None:
        record(3, **answered_by("olga"))
        record(4)
        assert AirflowAnswers("/cape").find(Place("dag", "run", "approved", 3)) is not None
        for other in (4, 5):
            assert AirflowAnswers("/cape").find(Place("dag", "run", "approved", other)) is None


def test_an_airflow_that_lets_everybody_in_proves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS", "True")
    with pytest.raises(Problem) as refused:
        AirflowAnswers("/cape").find(PLACE)
    assert refused.value.code == "no-log-in"
