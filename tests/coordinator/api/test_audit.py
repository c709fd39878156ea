"""What an auditor and his monitoring get of the log."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest

from cape_airflow.coordinator.audit.chain import FIELDS
from cape_airflow.coordinator.audit.verification import verify


@pytest.fixture(scope="module")
def auditor(shared_deployment: Any) -> Any:
    return shared_deployment.user("an-auditor", role="auditor")


def listed(deployment: Any, token: str, query: str = "") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = deployment.done("GET", f"/v1/audit?limit=200{query}", token)["items"]
    return items


def test_reading_the_log_is_written_down_in_it(shared_deployment: Any, auditor: str) -> None:
    listed(shared_deployment, auditor, "&event=create-user")
    newest = listed(shared_deployment, shared_deployment.admin)[0]
    assert (newest["event"], newest["user_email"]) == ("read-audit", "an-auditor@example.com")
    assert newest["target_label"] == "event create-user"


@pytest.mark.parametrize(
    ("query", "field", "value"),
    [
        ("event=create-project", "event", "create-project"),
        ("user=admin@example.com", "user_email", "admin@example.com"),
        ("project=customers", "project", "customers"),
    ],
)
def test_a_filter_keeps_what_fits_and_nothing_else(
    shared_deployment: Any, auditor: str, query: str, field: str, value: str
) -> None:
    shared_deployment.done("PATCH", "/v1/projects/customers", shared_deployment.admin, {"description": "for filters"})
    whole = listed(shared_deployment, auditor)
    kept = listed(shared_deployment, auditor, f"&{query}")
    assert [row["seq"] for row in kept if row["seq"] <= whole[0]["seq"]] == [
        row["seq"] for row in whole if row[field] == value
    ]
    assert kept


def test_one_finds_everything_about_a_target(shared_deployment: Any, auditor: str) -> None:
    project = next(row for row in listed(shared_deployment, auditor) if row["event"] == "create-project")
    assert {row["target_id"] for row in listed(shared_deployment, auditor, f"&target={project['target_id']}")} == {
        project["target_id"]
    }


def test_times_bound_what_is_listed_from_the_first_moment_up_to_before_the_last(deployment: Any) -> None:
    began = deployment.clock.now + timedelta(days=1)
    for day in range(3):
        deployment.clock.now = began + timedelta(days=day)
        deployment.done("POST", "/v1/projects", deployment.admin, {"name": f"day {day}"})
    query = {"since": (began + timedelta(days=1)).isoformat(), "until": (began + timedelta(days=2)).isoformat()}
    answer = deployment.http.get(
        "/v1/audit", params=query | {"event": "create-project"}, headers={"Authorization": f"Bearer {deployment.admin}"}
    )
    assert [row["target_label"] for row in answer.json()["items"]] == ["day-1"]


def test_a_monitor_follows_the_log_by_its_cursor_and_misses_nothing(shared_deployment: Any, auditor: str) -> None:
    seen: list[int] = []
    after = "0"
    for _ in range(50):
        answer = shared_deployment.done("GET", f"/v1/audit?order=oldest&limit=7&after={after}", auditor)
        seen += [row["seq"] for row in answer["items"]]
        if answer["next"] is None:
            break
        after = answer["next"]
    assert seen == list(range(1, seen[-1] + 1))


@pytest.mark.parametrize(
    "query",
    [
        "until=0.5",
        "since=yesterday",
        "since=2026-11-21T12:00:00",
        "since=0001-01-01T00:00:00%2B05:00",
        "what=1",
        "order=x",
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(shared_deployment: Any, auditor: str, query: str) -> None:
    for path in ("/v1/audit", "/v1/audit/export"):
        assert shared_deployment.ask("GET", f"{path}?{query}", auditor).status_code == 422


def test_an_export_holds_every_row_and_verifies(shared_deployment: Any, auditor: str) -> None:
    answer = shared_deployment.ask("GET", "/v1/audit/export", auditor)
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    report = verify(rows, [])
    assert report.intact
    assert report.rows == len(rows) == rows[-1]["seq"]
    newest = listed(shared_deployment, auditor)[0]
    assert (newest["event"], newest["seq"]) == ("export-audit", len(rows) + 1)


def test_an_export_as_csv_names_its_columns_and_runs_no_formula(deployment: Any) -> None:
    deployment.done("POST", "/v1/users", deployment.admin, {"email": "=1+1@example.com", "name": "Formula"})
    answer = deployment.ask("GET", "/v1/audit/export?format=csv&event=create-user", deployment.admin)
    assert answer.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert tuple(rows[0]) == FIELDS
    assert {row["event"] for row in rows} == {"create-user"}
    assert rows[-1]["target_label"] == "'=1+1@example.com"


@pytest.mark.parametrize("path", ["/v1/audit", "/v1/audit/export", "/metrics"])
def test_only_admins_and_auditors_see_it(shared_deployment: Any, shared_project: Any, auditor: str, path: str) -> None:
    assert shared_deployment.ask("GET", path, auditor).is_success
    assert shared_deployment.ask("GET", path, shared_deployment.admin).is_success
    assert shared_deployment.ask("GET", path, shared_project.owner).status_code == 403
    assert shared_deployment.ask("GET", path).status_code == 401
