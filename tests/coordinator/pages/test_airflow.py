"""The page that Airflow shows on a DAG, a run or a task: whose jobs it shows, to whom, and what waits meanwhile."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.coordinator.pages.test_jobs import page, report

HERE = {"deployment": "https://air.example.com", "dag_id": "pay", "run_id": "manual__1+00:00", "task_id": "mask"}


@pytest.fixture
def project(shared_project: Any) -> Any:
    return shared_project


def origin(**changed: str) -> dict[str, str]:
    return {**HERE, "map_index": "-1", "try_number": "1", **changed}


def view(project: Any, token: str | None = None, **asked: str) -> str:
    return page(project, f"/airflow?{urlencode(asked or HERE)}", token)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"dag_id": "pay"}, {"here", "mapped", "other-run", "other-airflow"}),
        ({"dag_id": "pay", "run_id": ""}, {"here", "mapped", "other-run", "other-airflow"}),
        ({"dag_id": "pay", "deployment": HERE["deployment"]}, {"here", "mapped", "other-run"}),
        ({"dag_id": "pay", "run_id": HERE["run_id"], "deployment": HERE["deployment"]}, {"here", "mapped"}),
        ({"dag_id": "pay", "task_id": "mask", "run_id": "other"}, {"other-run"}),
        ({**HERE, "map_index": "{MAP_INDEX}"}, {"here", "mapped"}),
        ({**HERE, "map_index": "-1"}, {"here"}),
        ({**HERE, "map_index": "3"}, {"mapped"}),
        ({"dag_id": "pay' OR 1=1"}, set()),
    ],
)
def test_a_view_shows_the_jobs_of_what_is_looked_at(asked: dict[str, str], found: set[str], project: Any) -> None:
    ids = {
        "here": report(project, origin=origin()),
        "mapped": report(project, origin=origin(map_index="3")),
        "other-run": report(project, origin=origin(run_id="other")),
        "other-airflow": report(project, origin=origin(deployment="https://other.example.com")),
        "other-dag": report(project, origin=origin(dag_id="sales")),
        "without-airflow": report(project, origin={}),
    }
    text = view(project, **asked)
    assert {name for name, job_id in ids.items() if job_id in text} == found


def test_a_view_sums_rows_and_columns_of_its_jobs_and_looks_again_by_itself(project: Any) -> None:
    for index in ("0", "1"):
        report(project, finish={}, origin=origin(dag_id="sums", map_index=index))
    text = view(project, dag_id="sums")
    assert "3,000" in text
    assert "2,480 written" in text
    assert "67 %" in text
    assert "2 succeeded" in text
    row = next(row for row in text.split("<tr>") if "<code>first_name</code>" in row)
    assert "2,468" in row
    assert "every 15s" in text
    running = report(project, origin=origin(dag_id="sums", map_index="2"))
    progress = {"rows_in": 40, "rows_total": 160, "seconds": 4}
    project.deployment.done("POST", f"{project.path}/jobs/{running}/heartbeat", project.worker, progress)
    text = view(project, dag_id="sums")
    assert "every 3s" in text
    assert "10 rows/s now" in text
    assert '<progress max="160" value="40"' in text


def test_a_view_says_what_waits_for_a_decision_in_the_projects_involved(project: Any) -> None:
    other = project.deployment.project("elsewhere")
    report(project, origin=origin(dag_id="waits"))
    project.suggest(title="Drop the birth date")
    other.suggest(title="Not about this DAG")
    text = view(project, project.owner, dag_id="waits")
    assert "Drop the birth date" in text
    assert "asks for your review" in text
    assert "Not about this DAG" not in text
    assert "asks for your review" not in view(project, project.reader, dag_id="waits")


def test_before_there_is_a_job_a_view_says_what_waits_for_the_reader(project: Any) -> None:
    project.suggest(title="The first policy")
    text = view(project, project.owner, dag_id="no-job-yet")
    assert "The first policy" in text
    assert "No job" in text
    assert "The first policy" not in view(project, project.reader, dag_id="no-job-yet")


def test_who_may_see_no_jobs_is_told_so_and_sees_none(project: Any) -> None:
    job_id = report(project, origin=origin())
    project.suggest(title="Nobody's business")
    stranger = project.deployment.user("stranger")
    text = view(project, stranger)
    assert "Nothing is shown to you here" in text
    assert "stranger@example.com" in text
    assert job_id not in text
    assert "business" not in text


def test_a_view_shows_no_jobs_of_projects_of_others(project: Any) -> None:
    other = project.deployment.project("not-mine")
    job_id = report(other, origin=origin())
    assert job_id not in view(project)
    assert job_id in view(project, other.reader)


def test_a_view_without_a_dag_is_refused(project: Any) -> None:
    answer = project.deployment.ask("GET", "/airflow", project.reader)
    assert answer.status_code == 422
    assert "dag_id" in answer.text
