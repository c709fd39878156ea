"""What clients of Cape see on the wire; the clients themselves run in `test_real_old_clients.py`."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from starlette.testclient import TestClient

VERSION_1 = """\
label: customers
rules:
  - match: {name: email}
    actions: [drop]
"""
ME = "query Me() { me { id name email } }"
SPEC = "query CurrentSpec($label: ModelLabel!) { project(label: $label) { current_spec { id rules transformations } } }"
AUDIT = "mutation AddAuditLog($audit: AuditEventInput!) { addAuditLog(audit: $audit) { event_name } }"
CANARY = "canary-5d1f"


def parts(token: str) -> dict[str, str]:
    """The body of a log in, as Cape's clients make it of a token."""
    token_id, encoded = token.split(",")
    secret = urlsafe_b64decode(encoded + "==")[1:]
    return {"token_id": token_id, "secret": urlsafe_b64encode(secret).decode().strip("=")}


def ask(project: Any, query: str, variables: Any = None, token: str | None = None) -> Any:
    body = {"query": query, "variables": variables}
    return project.deployment.ask("POST", "/v1/query", token or project.worker, body)


def told(project: Any, answer: Any, **changed: str) -> dict[str, Any]:
    """What Cape's clients say after they have applied a policy."""
    me = ask(project, ME).json()["data"]["me"]
    return {
        "audit": {
            "event_name": "apply-policy",
            "user_id": me["id"],
            "user_name": "Mallory",
            "user_email": "mallory@example.com",
            "time": "1999-01-01T00:00:00+00:00",
            "target_id": answer["id"],
            "target_type": "policy",
            "target_label": project.label,
        }
        | changed
    }


def log(project: Any, event: str) -> list[Any]:
    return list(
        project.deployment.rows(
            f"SELECT user_email, project, target_type, target_id, target_label, time FROM audit WHERE event = '{event}'"
        )
    )


@pytest.fixture
def browser(project: Any) -> TestClient:
    """A client that keeps cookies, as theirs does; the cookie's path is that of the coordinator, mounted or not."""
    return TestClient(project.deployment.app)


def test_whoever_logs_in_with_a_token_comes_back_with_a_cookie(project: Any, browser: TestClient) -> None:
    session = browser.post("/v1/login", json=parts(project.reader))
    assert session.status_code == 200
    assert set(session.json()) == {"id", "user_id", "owner_id", "expires_at", "token"}
    urlsafe_b64decode(session.json()["token"] + "==")
    cookie = session.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=strict"} <= set(cookie.split("; "))
    assert "Path" not in cookie
    me = browser.post("/v1/query", json={"query": ME, "variables": None})
    assert me.json()["data"]["me"]["email"] == "customers-reader@example.com"


def test_whoever_logs_in_again_is_somebody_else_from_then_on(project: Any, browser: TestClient) -> None:
    for name in ("reader", "worker"):
        assert browser.post("/v1/login", json=parts(getattr(project, name))).status_code == 200
        me = browser.post("/v1/query", json={"query": ME})
        assert me.json()["data"]["me"]["email"] == f"customers-{name}@example.com"


def test_a_cookie_that_is_worth_nothing_any_more_stands_in_no_log_ins_way(project: Any, browser: TestClient) -> None:
    browser.cookies.set("token", CANARY)
    assert browser.post("/v1/login", json=parts(project.reader)).status_code == 200


def test_a_header_comes_before_a_cookie(project: Any, browser: TestClient) -> None:
    browser.post("/v1/login", json=parts(project.reader))
    headers = {"Authorization": f"Bearer {project.worker}"}
    me = browser.post("/v1/query", json={"query": ME}, headers=headers)
    assert me.json()["data"]["me"]["email"] == "customers-worker@example.com"


def test_the_cookie_goes_over_tls_only_where_the_log_in_did(project: Any) -> None:
    secure = TestClient(project.deployment.app, base_url="https://testserver")
    assert "Secure" in secure.post("/v1/login", json=parts(project.reader)).headers["set-cookie"]


def test_a_log_in_is_recorded_and_marks_the_token_as_used(project: Any, browser: TestClient) -> None:
    browser.post("/v1/login", json=parts(project.reader))
    [row] = log(project, "log-in")
    assert (row.user_email, row.target_type) == ("customers-reader@example.com", "token")
    assert project.deployment.rows(f"SELECT last_used_at FROM tokens WHERE id = '{row.target_id}'")[0][0]


def test_a_revoked_token_is_refused_although_its_cookie_is_there(project: Any, browser: TestClient) -> None:
    browser.post("/v1/login", json=parts(project.reader))
    project.deployment.done("DELETE", f"/v1/tokens/{project.reader.partition(',')[0]}", project.deployment.admin)
    answer = browser.post("/v1/query", json={"query": ME})
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["cause"] == {
        "Name": "authentication_failure",
        "Category": "unauthorized",
    }


@pytest.mark.parametrize(
    "wrong",
    [{"secret": "A" * 32}, {"secret": CANARY}, {"secret": "ä"}, {"token_id": CANARY}, {"token_id": "ä"}],
    ids=str,
)
def test_a_log_in_with_anything_else_is_refused_as_cape_did(shared_project: Any, wrong: dict[str, str]) -> None:
    project = shared_project
    answer = project.deployment.ask("POST", "/v1/login", None, parts(project.reader) | wrong)
    body = answer.json()
    assert answer.status_code == 401
    assert body["cause"] == {"Name": "authentication_failure", "Category": "unauthorized"}
    assert body["messages"]
    assert body["code"] == "unauthenticated"
    assert CANARY not in answer.text
    assert not log(project, "log-in")


def test_log_ins_that_fail_too_often_are_slowed_down_like_any_others(maker: Any, prepared: Any) -> None:
    deployment = maker.deployment(failures_per_minute=2)
    wrong = parts(prepared.people["reader"]) | {"secret": "A" * 32}
    answers = [deployment.ask("POST", "/v1/login", None, wrong) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [401, 401, 429]
    assert int(answers[-1].headers["retry-after"]) > 0


@pytest.mark.parametrize("path", ["/v1/login", "/v1/query"])
@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b'{"a": 1, "a": 2}', "application/json", 400),
        (b'{"query": 5, "token_id": 5, "secret": "canary-5d1f"}', "application/json", 422),
        (b'{"canary-5d1f": 1}', "application/json", 422),
        (b"[" * 100_000, "application/json", 400),
        (b" " * 2_000_000, "application/json", 413),
    ],
    ids=lambda part: str(part)[:24],
)
def test_A12_hostile_bodies_are_refused_in_capes_shape_without_an_echo(
    shared_project: Any, path: str, content: bytes, media_type: str, status: int
) -> None:
    headers = {"Content-Type": media_type}
    answer = shared_project.deployment.ask("POST", path, shared_project.reader, content=content, headers=headers)
    assert answer.status_code == status
    body = answer.json()
    assert body["cause"] if path == "/v1/login" else body["errors"][0]["extensions"]["cause"]
    assert CANARY not in answer.text


@pytest.mark.parametrize("cookie", ["", CANARY, "ä".encode().hex(), "=" * 9])
def test_a_cookie_that_holds_no_token_is_no_log_in(shared_project: Any, cookie: str) -> None:
    headers = {"Cookie": f"token={cookie}"}
    answer = shared_project.deployment.ask("POST", "/v1/query", None, {"query": ME}, headers=headers)
    assert answer.status_code == 401
    assert "errors" in answer.json()


def test_a_page_of_another_site_logs_nobody_in(shared_project: Any) -> None:
    headers = {"Origin": "https://elsewhere.example"}
    body = parts(shared_project.reader)
    answer = shared_project.deployment.ask("POST", "/v1/login", None, body, headers=headers)
    assert answer.status_code == 403
    assert answer.json()["cause"]["Name"] == "authorization_failure"


def test_a_policy_is_served_with_the_fields_that_were_asked_for_and_no_others(project: Any) -> None:
    approved = project.approved(VERSION_1)
    drop = {"transform": {"type": "column-redact", "columns": ["email"]}}
    rules = [{"match": {"name": "email"}, "actions": [drop]}]
    whole = ask(project, SPEC, {"label": project.label}).json()
    assert whole == {
        "data": {"project": {"current_spec": {"id": approved["id"], "rules": rules, "transformations": []}}}
    }
    old = ask(project, SPEC.replace(" id ", " "), {"label": project.label}).json()
    assert old == {"data": {"project": {"current_spec": {"rules": rules, "transformations": []}}}}


def test_another_projects_policy_looks_like_that_of_a_missing_project(project: Any) -> None:
    outsider = project.deployment.user("outsider")
    foreign, missing = (ask(project, SPEC, {"label": label}, outsider) for label in (project.label, "nowhere"))
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json()["errors"][0]["message"] == missing.json()["errors"][0]["message"]


def test_applying_a_policy_is_recorded_as_done_by_the_caller_now(project: Any) -> None:
    approved = project.approved(VERSION_1)
    answer = ask(project, AUDIT, told(project, approved))
    assert answer.json() == {"data": {"addAuditLog": {"event_name": "apply-policy"}}}
    [row] = log(project, "apply-policy")
    assert row[:5] == ("customers-worker@example.com", "customers", "policy", approved["id"], approved["digest"])
    assert str(row.time)[:10] == str(project.deployment.clock())[:10]


@pytest.mark.parametrize(
    ("changed", "status", "code"),
    [
        ({"event_name": "login"}, 422, "unknown-event"),
        ({"target_type": "project"}, 422, "unknown-event"),
        ({"user_id": "0" * 26}, 403, "other-user"),
        ({"target_id": CANARY}, 409, "policy-not-approved"),
        ({"target_label": CANARY}, 404, "not-found"),
        ({"target_label": 5}, 400, "bad-query"),
        ({"event_name": 5}, 400, "bad-query"),
        ({CANARY: 5}, 400, "bad-query"),
    ],
    ids=str,
)
def test_L3_what_a_client_makes_up_is_not_recorded(
    project: Any, changed: dict[str, Any], status: int, code: str
) -> None:
    answer = ask(project, AUDIT, told(project, project.approved(VERSION_1), **changed))
    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"]["code"] == code
    assert CANARY not in answer.text
    assert not log(project, "apply-policy")


def test_a_policy_of_another_project_was_not_applied_in_this_one(project: Any) -> None:
    other = project.deployment.project("other")
    theirs = other.approved(VERSION_1)
    answer = ask(project, AUDIT, told(project, theirs))
    assert answer.status_code == 409


def test_a_refused_field_takes_back_what_the_others_did(project: Any) -> None:
    approved = project.approved(VERSION_1)
    twice = AUDIT.replace("{ addAuditLog", "{ one: addAuditLog").replace(
        "{ event_name } }",
        '{ event_name } two: addAuditLog(audit: {event_name: "x", user_id: "x", target_id: "x", '
        'target_type: "x", target_label: "customers"}) { event_name } }',
    )
    assert ask(project, twice, told(project, approved)).status_code == 422
    assert not log(project, "apply-policy")
