from __future__ import annotations

import logging
from typing import Any

import pytest
from sqlalchemy import event, text

CANARY = "canary-5b1f9"


def test_S3_no_refusal_echoes_what_was_sent(shared_project: Any, examples: Any) -> None:
    deployment = shared_project.deployment
    refused = 0
    for (method, path), example in sorted(examples.items()):
        place, body = example(shared_project)
        if not isinstance(body, dict):
            continue
        wrongs: list[Any] = [CANARY, [CANARY], {CANARY: CANARY}, {CANARY: 1}, {"nested": {CANARY: 1}}, CANARY * 1000]
        spoiled = [body | {field: wrong} for field in body for wrong in wrongs]
        spoiled += [body | {CANARY: 1}, {CANARY: 1}, [CANARY], CANARY]
        caller = shared_project.worker if "/jobs" in path else deployment.admin
        for wrong_body in spoiled:
            answer = deployment.ask(method, place, caller, wrong_body)
            if answer.status_code >= 400:
                refused += 1
                assert CANARY not in answer.text, (method, path, answer.text)
                assert answer.status_code < 500
    assert refused > 150


def test_a_refusal_says_which_field_and_why(shared_deployment: Any) -> None:
    body = {"email": "x", "role": "root", "is_admin": True}
    answer = shared_deployment.ask("POST", "/v1/users", shared_deployment.admin, body)
    message = answer.json()["message"]
    assert "body.email: must be an email address" in message
    assert "body.name: Field required" in message
    assert "body.role: Input should be 'admin', 'auditor' or 'user'" in message
    assert "body: has a field that is not known here" in message


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "after=-1", "after=x", "offset=1"])
def test_wrong_query_parameters_are_refused(query: str, shared_deployment: Any) -> None:
    assert shared_deployment.ask("GET", f"/v1/users?{query}", shared_deployment.admin).status_code == 422


def test_unknown_paths_and_methods_have_the_shape_of_all_refusals(shared_deployment: Any) -> None:
    for method, path, status in (("GET", "/v2/x", 404), ("DELETE", "/v1/users", 405)):
        answer = shared_deployment.ask(method, path)
        assert answer.status_code == status
        assert set(answer.json()) == {"code", "message", "request_id"}


def test_A7_a_database_that_is_locked_is_503_and_nothing_is_changed(maker: Any) -> None:
    deployment = maker.deployment(lock_seconds=1)
    change = ("PATCH", "/v1/projects/customers", deployment.admin, {"name": "changed"})
    with deployment.app.state.coordinator.store.write() as other:
        other.execute(text("UPDATE projects SET description = 'by somebody else'"))
        answer = deployment.ask(*change)
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert deployment.rows("SELECT name FROM projects") == [("customers",)]
    assert deployment.ask(*change).is_success


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_A7_a_full_disk_is_503_reads_go_on_and_no_half_of_a_change_is_there(maker: Any) -> None:
    deployment = maker.deployment()
    store = deployment.app.state.coordinator.store

    def no_more_pages(connection: Any, _record: Any) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 10}")

    event.listen(store.engine, "connect", no_more_pages)
    statuses = [
        deployment.ask("POST", "/v1/projects", deployment.admin, {"name": f"p{number}", "description": "x" * 4000})
        for number in range(30)
    ]
    made = sum(answer.status_code == 201 for answer in statuses)
    assert {answer.status_code for answer in statuses} == {201, 503}
    assert len(deployment.done("GET", "/v1/projects?limit=200", deployment.admin)["items"]) == made + 1
    for query in (
        "SELECT count(*) FROM contributors WHERE project_seq > 1",
        "SELECT count(*) - 1 FROM audit WHERE event = 'create-project'",
    ):
        assert deployment.rows(query) == [(made,)]
    assert deployment.rows("PRAGMA integrity_check") == [("ok",)]


def test_an_unexpected_failure_says_nothing_but_where_to_look(
    deployment: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError(CANARY)

    monkeypatch.setattr("cape_airflow.coordinator.people.new_user", fail)
    body = {"email": "x@example.com", "name": "x"}
    answer = deployment.ask("POST", "/v1/users", deployment.admin, body)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert CANARY not in answer.text
    assert answer.json()["request_id"] in caplog.text


def test_S1_the_log_never_shows_a_token_or_a_key(project: Any, examples: Any, caplog: pytest.LogCaptureFixture) -> None:
    deployment = project.deployment
    caplog.set_level(logging.DEBUG)
    for (method, path), example in examples.items():
        place, body = example(project)
        deployment.ask(method, place, project.worker if "/jobs" in path else deployment.admin, body)
    deployment.done("POST", f"{project.path}/keys", project.owner, {"name": "k"})
    material = deployment.done("GET", f"{project.path}/keys/k/material", project.worker)["versions"]["1"]
    assert caplog.text
    for secret in (material, project.worker.partition(",")[2], deployment.admin.partition(",")[2]):
        assert secret not in caplog.text


def test_a_method_that_a_path_has_not_is_refused_with_all_that_it_has(shared_deployment: Any) -> None:
    answer = shared_deployment.ask("DELETE", "/v1/projects/customers/keys", shared_deployment.admin)
    assert (answer.status_code, answer.json()["code"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"
