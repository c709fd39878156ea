from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from cape_airflow.coordinator.audit.chain import entry_of
from cape_airflow.coordinator.audit.log import entries
from cape_airflow.coordinator.permissions import PERMISSIONS, ProjectRole
from cape_airflow.coordinator.store.models import AuditRow

_SUGGESTION = "/v1/projects/{label}/suggestions/{id}"
KEY = ("GET", "/v1/projects/{label}/keys/{name}/material")
APART = {
    ("POST", "/v1/projects/{label}/jobs/{job_id}/heartbeat"),  # changes nothing that anybody answers for
    ("DELETE", "/v1/tokens/{id}"),  # the caller's own
    ("POST", "/v1/login"),  # of old clients, as the next: `api/test_old_client.py`
    ("POST", "/v1/query"),
    ("POST", "/v1/users/{email}/activate"),  # the example is active already
    ("POST", _SUGGESTION + "/after-review"),  # not for the admin, who broke the glass in the example
}
CHANGES = [
    *sorted((method, path) for method, path in PERMISSIONS if method != "GET" and path.startswith("/v1/")),
    KEY,
]
CHANGES = [route for route in CHANGES if route not in APART]


def newest(deployment: Any) -> dict[str, Any]:
    """Ask the database: reading the log through the API is recorded in it."""
    with deployment.app.state.coordinator.store.read() as session:
        row = session.scalars(select(AuditRow).order_by(AuditRow.seq.desc()).limit(1)).one()
    return entry_of(row)


@pytest.mark.parametrize(("method", "path"), CHANGES, ids=lambda part: part)
def test_L3_every_change_and_every_key_read_is_recorded_by_the_server(
    method: str, path: str, shared_project: Any, examples: Any
) -> None:
    deployment = shared_project.deployment
    worker = ProjectRole.WORKER in PERMISSIONS[method, path].roles
    place, body = examples[method, path](shared_project)
    before = newest(deployment)["seq"]
    answer = deployment.ask(method, place, shared_project.worker if worker else deployment.admin, body)
    assert answer.is_success
    added = list(entries(deployment.app.state.coordinator.store.read, before, before + 100))
    assert {entry["request_id"] for entry in added} == {answer.headers["x-request-id"]}
    entry = added[-1]
    assert entry["user_email"] == ("customers-worker@example.com" if worker else "admin@example.com")
    assert datetime.fromisoformat(entry["time"]) == deployment.clock.now
    assert entry["client_address"] == "127.0.0.1"
    assert entry["project"] == ("customers" if "{label}" in path else None)


@pytest.mark.parametrize(("method", "path"), CHANGES, ids=lambda part: part)
def test_L4_what_is_refused_leaves_no_record(method: str, path: str, shared_project: Any, examples: Any) -> None:
    deployment = shared_project.deployment
    place, body = examples[method, path](shared_project)
    before = newest(deployment)["seq"]
    assert not deployment.ask(method, place, shared_project.reader, body).is_success or path == "/v1/tokens"
    assert newest(deployment)["seq"] == before + (path == "/v1/tokens")


def test_events_have_capes_names_where_cape_had_them(deployment: Any) -> None:
    deployment.done("POST", "/v1/projects", deployment.admin, {"name": "Payroll", "label": "payroll"})
    entry = newest(deployment)
    assert (entry["event"], entry["target_type"], entry["target_label"]) == ("create-project", "project", "payroll")


def test_A10_order_is_kept_whatever_the_clock_does(deployment: Any) -> None:
    names = [f"p{number}" for number in range(4)]
    for name, days in zip(names, (1, -2, 30, -1), strict=True):
        deployment.clock.now += timedelta(days=days)
        deployment.done("POST", "/v1/projects", deployment.admin, {"name": name})
    entries = deployment.done("GET", "/v1/audit?limit=4", deployment.admin)["items"]
    assert [entry["target_label"] for entry in entries] == names[::-1]
    listed = deployment.done("GET", "/v1/projects", deployment.admin)["items"]
    assert [project["label"] for project in listed] == ["customers", *names]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET event = 'nothing'",
        "UPDATE audit SET user_email = 'x' WHERE seq = 1",
        "DELETE FROM audit",
        "DELETE FROM audit WHERE seq = 1",
    ],
)
def test_L2_the_log_only_grows(deployment: Any, statement: str) -> None:
    refuse(deployment, statement)


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "REPLACE INTO audit (seq, time, event, target_type, target_id) VALUES (1, '2026-01-01', 'x', 'x', 'x')",
        """INSERT INTO audit (seq, time, event, target_type, target_id) VALUES (1, '2026-01-01', 'x', 'x', 'x')
           ON CONFLICT (seq) DO UPDATE SET event = 'x'""",
    ],
)
def test_L2_the_log_only_grows_on_sqlite_whatever_the_statement(deployment: Any, statement: str) -> None:
    refuse(deployment, statement)


@pytest.mark.parametrize("kind", [pytest.param("postgresql", marks=pytest.mark.integration)], indirect=True)
@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE audit",
        """INSERT INTO audit (seq, time, event, target_type, target_id) VALUES (1, now(), 'x', 'x', 'x')
           ON CONFLICT (seq) DO UPDATE SET event = 'x'""",
    ],
)
def test_L2_the_log_only_grows_on_postgresql_whatever_the_statement(deployment: Any, statement: str) -> None:
    refuse(deployment, statement)


def refuse(deployment: Any, statement: str) -> None:
    before = deployment.rows("SELECT * FROM audit ORDER BY seq")
    assert before
    with deployment.app.state.coordinator.store.write() as session:
        with pytest.raises(DBAPIError, match="the audit log only grows"):
            session.execute(text(statement))
        session.rollback()
    assert deployment.rows("SELECT * FROM audit ORDER BY seq") == before
