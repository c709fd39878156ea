"""Which tasks of Airflow's metadata database are taken for dead; the tables hold what the query asks for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from sqlalchemy import Column, MetaData, Table, create_engine
from sqlalchemy.orm import Session

from cape_airflow.listeners.dead_tasks import SETTLING, DeadTask, dead_tasks

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KEY = ("dag_id", "run_id", "task_id", "map_index")
ASKED = {
    DagRun: ("dag_id", "run_id", "state", "end_date"),
    TaskInstance: (*KEY, "try_number", "state", "end_date"),
    RenderedTaskInstanceFields: (*KEY, "rendered_fields"),
}
RENDERED = {"project": "customers", "cape_conn_id": "cape_default", "source": "/in.csv"}


class Database:
    """Airflow's tables, with the columns that are asked for."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._tables = [_bare(model.__table__, columns) for model, columns in ASKED.items()]
        self._tables[0].metadata.create_all(session.connection())

    def add(
        self,
        state: str = "failed",
        *,
        ended: timedelta = SETTLING * 2,
        rendered: dict[str, Any] | None = None,
        run: tuple[str, timedelta | None] = ("running", None),
        **changed: Any,
    ) -> None:
        """Add a task instance in a run of its own; times are how long ago."""
        key = {"dag_id": "pay", "run_id": "r1", "task_id": "mask", "map_index": -1} | changed
        run_ended = None if run[1] is None else NOW - run[1]
        rows = (
            {"dag_id": key["dag_id"], "run_id": key["run_id"], "state": run[0], "end_date": run_ended},
            {**key, "try_number": 2, "state": state, "end_date": NOW - ended},
            {**key, "rendered_fields": RENDERED if rendered is None else rendered},
        )
        for table, row in zip(self._tables, rows, strict=True):
            self.session.execute(table.insert().values(**row))

    def dead(self, *dag_ids: str) -> list[DeadTask]:
        return list(dead_tasks(self.session, dag_ids or ("pay",), NOW))


def _bare(table: Any, columns: tuple[str, ...]) -> Table:
    return Table(table.name, _METADATA, *(Column(name, table.c[name].type) for name in columns), extend_existing=True)


_METADATA = MetaData()


@pytest.fixture
def database() -> Iterator[Database]:
    engine = create_engine("sqlite://")
    with Session(engine) as session:
        yield Database(session)
    engine.dispose()


@pytest.mark.parametrize("state", ["failed", "up_for_retry"])
def test_a_task_that_failed_or_is_to_be_tried_again_is_found(state: str, database: Database) -> None:
    database.add(state, map_index=3)
    assert database.dead() == [DeadTask("pay", "r1", "mask", 3, 2, "customers", "cape_default")]


@pytest.mark.parametrize("state", ["running", "success", "deferred", "queued", "skipped", "upstream_failed"])
def test_a_task_that_goes_on_or_went_well_is_not(state: str, database: Database) -> None:
    database.add(state)
    assert database.dead() == []


def test_a_task_has_a_while_to_tell_its_end_itself(database: Database) -> None:
    database.add(ended=SETTLING / 2)
    assert database.dead() == []


@pytest.mark.parametrize(
    ("run", "found"),
    [
        (("failed", timedelta(minutes=5)), 1),
        (("success", timedelta(minutes=5)), 1),
        (("failed", timedelta(hours=2)), 0),
    ],
)
def test_runs_that_ended_lately_are_looked_at_and_older_ones_not(
    run: tuple[str, timedelta], found: int, database: Database
) -> None:
    database.add(run=run)
    assert len(database.dead()) == found


@pytest.mark.parametrize(
    "rendered", [{}, {"bash_command": "true"}, {"project": None, "cape_conn_id": "cape_default"}, {"project": "x"}]
)
def test_tasks_of_others_and_those_without_a_project_are_let_be(rendered: dict[str, Any], database: Database) -> None:
    database.add(rendered=rendered)
    assert database.dead() == []


def test_other_dags_are_not_asked_about(database: Database) -> None:
    database.add()
    database.add(dag_id="sales", task_id="other")
    assert [task.dag_id for task in database.dead("sales")] == ["sales"]
