"""Generated from the permission table: routes x principals, foreign objects, and fields that nobody may fill."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter

from cape_airflow.coordinator.api import ROUTERS
from cape_airflow.coordinator.guard import GuardedRoute
from cape_airflow.coordinator.pages import ROUTERS as PAGES
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience, ProjectRole, Rule

OWN_TOKEN = ("DELETE", "/v1/tokens/{id}")
ROUTES = sorted(route for route in set(PERMISSIONS) - {OWN_TOKEN} if route[1].startswith(("/v1/", "/metrics")))
LOG_OUT = ("POST", "/logout")
PAGE_ROUTES = sorted(
    route for route in set(PERMISSIONS) - {LOG_OUT} if not route[1].startswith(("/v1/", "/static/", "/metrics"))
)
UNKNOWN_TOKEN = "01M7YK8RV1ZMVF45BT8EQDY2VQ,AQ" + "A" * 32
UNKNOWN = ("nobody", "malformed", "unknown", "expired", "revoked")
ROLE_OF = {
    "owner": ProjectRole.OWNER,
    "contributor": ProjectRole.CONTRIBUTOR,
    "reader": ProjectRole.READER,
    "worker": ProjectRole.WORKER,
}


def routes_of_the_app() -> set[tuple[str, str]]:
    return {
        (method, route.path) for router in (*ROUTERS, *PAGES) for route in router.routes for method in route.methods
    }


@pytest.fixture(scope="module")
def deployment(shared_deployment: Any) -> Any:
    return shared_deployment


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    return shared_project


@pytest.fixture(scope="module")
def other(deployment: Any) -> Any:
    return deployment.project("other")


@pytest.fixture(scope="module")
def outsider(deployment: Any) -> Any:
    return deployment.user("outsider")


@pytest.fixture(scope="module")
def principals(deployment: Any, project: Any, other: Any) -> dict[str, str | None]:
    """A token for everybody who may come along."""
    revoked = deployment.token("customers-owner@example.com")
    deployment.done("DELETE", f"/v1/tokens/{revoked.partition(',')[0]}", deployment.admin)
    expired = deployment.token("customers-owner@example.com", expires_in_days=1)
    deployment.clock.turn(days=2)
    removed = deployment.user("removed")
    deployment.join("customers", "removed", "project-owner")
    deployment.done("DELETE", f"{project.path}/contributors/removed@example.com", deployment.admin)
    auditor_who_owns = deployment.user("owning-auditor", role="auditor")
    deployment.join("customers", "owning-auditor", "project-owner")
    return {
        "nobody": None,
        "malformed": "malformed",
        "unknown": UNKNOWN_TOKEN,
        "expired": expired,
        "revoked": revoked,
        "admin": deployment.user("second-admin", role="admin"),
        "auditor": deployment.user("auditor", role="auditor"),
        "auditor who owns the project": auditor_who_owns,
        "removed": removed,
        "other project's owner": other.owner,
        **{name: getattr(project, name) for name in ROLE_OF},
    }


def expected(rule: Rule, principal: str) -> tuple[int, ...]:
    """What the table says: a success, or the one way to refuse."""
    if rule.audience is Audience.ANYONE or principal in UNKNOWN:
        return (200,) if rule.audience is Audience.ANYONE else (401,)
    everybody = rule.audience is Audience.USER or (rule.audience is Audience.PERSON and principal != "worker")
    if everybody or (principal == "admin" and (rule.audience is Audience.ADMIN or rule.admin)):
        return (200, 201, 202, 204)
    if principal.startswith("auditor"):
        return (200, 201, 202, 204) if rule.auditor else (403,)
    if rule.audience is not Audience.PROJECT:
        return (403,)
    if principal not in ROLE_OF:
        return (404,)
    return (200, 201, 202, 204) if ROLE_OF[principal] in rule.roles else (403,)


def test_auditors_may_read_everything_but_keys() -> None:
    refused = {route for route in ROUTES if route[0] == "GET" and not may_audit(PERMISSIONS[route])}
    assert refused == {("GET", "/v1/projects/{label}/keys/{name}/material")}


def may_audit(rule: Rule) -> bool:
    return rule.auditor or rule.audience in (Audience.ANYONE, Audience.USER, Audience.PERSON)


def test_D6_every_route_has_a_row_and_every_row_a_route_and_an_example(examples: Any) -> None:
    assert routes_of_the_app() == set(PERMISSIONS)
    assert set(examples) == set(ROUTES)


def test_D6_a_route_without_a_row_cannot_be_made() -> None:
    router = APIRouter(route_class=GuardedRoute)
    with pytest.raises(KeyError):
        router.add_api_route("/v1/unheard-of", lambda: None)


def test_D6_a_route_that_asks_nobody_cannot_be_smuggled_in() -> None:
    kinds = {type(route) for router in (*ROUTERS, *PAGES) for route in router.routes}
    assert all(issubclass(kind, GuardedRoute) for kind in kinds)


def test_the_architecture_document_lists_the_routes_that_there_are(repository: Path) -> None:
    text = (repository / "docs" / "architecture.md").read_text()
    documented = re.findall(r"`(GET|POST|PUT|PATCH|DELETE) ([^\s`]+)`", text)
    assert len(documented) >= 30
    for method, path in documented:
        ending = path.removeprefix("...")
        assert any(known == method and route.endswith(ending) for known, route in PERMISSIONS), (method, path)


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_D6_a_route_answers_every_principal_as_the_table_says(
    method: str, path: str, principals: dict[str, str | None], project: Any, examples: Any
) -> None:
    rule = PERMISSIONS[method, path]
    for principal, token in principals.items():
        place, body = examples[method, path](project)
        project.deployment.http.cookies.clear()  # of the principal before
        answer = project.deployment.ask(method, place, token, body)
        assert answer.status_code in expected(rule, principal), (principal, answer.text)


@pytest.mark.integration
@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_D6_who_may_not_is_told_so_before_his_body_is_looked_at(
    method: str, path: str, principals: dict[str, str | None], project: Any, examples: Any
) -> None:
    rule = PERMISSIONS[method, path]
    place, body = examples[method, path](project)
    if body is None or method == "GET":
        return
    for principal, token in principals.items():
        if (status := expected(rule, principal))[0] < 400:
            continue
        for wrong in ({"json": {}}, {"content": b"{", "headers": {"Content-Type": "application/json"}}):
            project.deployment.http.cookies.clear()
            assert project.deployment.ask(method, place, token, **wrong).status_code in status, principal


@pytest.mark.integration
@pytest.mark.parametrize(
    ("method", "path"), [route for route in ROUTES if "{label}" in route[1]], ids=lambda part: part
)
def test_D6_a_foreign_project_looks_like_a_missing_one(
    method: str, path: str, deployment: Any, outsider: str, project: Any, examples: Any
) -> None:
    place, body = examples[method, path](project)
    foreign = deployment.ask(method, place, outsider, body)
    missing = deployment.ask(method, place.replace("/customers", "/nowhere"), outsider, body)
    assert foreign.status_code == missing.status_code == 404
    assert without_id(foreign) == without_id(missing)


@pytest.mark.parametrize(
    ("method", "path"),
    [route for route in ROUTES if re.search(r"\{(id|digest|name|job_id)\}", route[1]) and route[0] != "PUT"],
    ids=str,
)
def test_D7_an_id_of_another_project_looks_like_a_missing_one(
    method: str, path: str, deployment: Any, project: Any, other: Any, examples: Any
) -> None:
    theirs, body = examples[method, path](other)
    caller = project.worker if ProjectRole.WORKER in PERMISSIONS[method, path].roles else project.owner
    foreign = deployment.ask(method, theirs.replace("/other", "/customers"), caller, body)
    nowhere = re.sub(r"\{(?!label)\w+\}", "0" * 26, path).replace("{label}", "customers")
    assert foreign.status_code == 404
    assert without_id(foreign) == without_id(deployment.ask(method, nowhere, caller, body))


@pytest.mark.integration
@pytest.mark.parametrize(
    "field", ["role", "project_id", "approved_by", "created_at", "user_id", "time", "state", "seq"]
)
def test_D8_L3_fields_that_the_server_fills_are_refused(field: str, project: Any, examples: Any) -> None:
    for (method, path), example in sorted(examples.items()):
        place, body = example(project)
        if body is None or field in body:
            continue
        rule = PERMISSIONS[method, path]
        worker = ProjectRole.WORKER in rule.roles
        caller = project.worker if worker else project.deployment.admin
        taken = path == "/v1/users" and field == "role"
        answer = project.deployment.ask(method, place, caller, body | {field: "admin"})
        assert answer.status_code == (201 if taken else 422), (path, answer.text)


@pytest.fixture(scope="module")
def browsers(deployment: Any, principals: dict[str, str | None]) -> dict[str, Any]:
    """A browser with a session, for everybody who has a good token."""
    emails = {
        "admin": "second-admin",
        "auditor": "auditor",
        "auditor who owns the project": "owning-auditor",
        "removed": "removed",
        "other project's owner": "other-owner",
        **{name: f"customers-{name}" for name in ROLE_OF},
    }
    return {principal: deployment.browser(f"{name}@example.com") for principal, name in emails.items()}


@pytest.mark.integration
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] == "GET"], ids=lambda part: part)
def test_D6_a_session_reads_what_a_token_reads(
    method: str, path: str, browsers: dict[str, Any], project: Any, examples: Any
) -> None:
    rule = PERMISSIONS[method, path]
    place, _ = examples[method, path](project)
    for principal, browser in browsers.items():
        assert browser.ask(method, place).status_code in expected(rule, principal), principal


@pytest.mark.integration
@pytest.mark.parametrize(("method", "path"), [route for route in ROUTES if route[0] != "GET"], ids=lambda part: part)
def test_D6_a_session_does_what_a_token_does_and_nothing_without_the_token_of_its_pages(
    method: str, path: str, browsers: dict[str, Any], project: Any, examples: Any
) -> None:
    rule = PERMISSIONS[method, path]
    if rule.audience is Audience.ANYONE:
        return
    for principal, browser in browsers.items():
        place, body = examples[method, path](project)
        may = expected(rule, principal)[0] < 400
        for wrong in ("", "x" * 43):
            refused = browser.ask(method, place, body, csrf=wrong)
            assert refused.status_code in ((403,) if may else expected(rule, principal)), principal
            assert not may or refused.json()["code"] == "csrf"
        elsewhere = browser.ask(method, place, body, headers={"Sec-Fetch-Site": "cross-site"})
        assert elsewhere.status_code in (403, 404)
        assert browser.ask(method, place, body).status_code in expected(rule, principal), principal


@pytest.mark.parametrize(("method", "path"), PAGE_ROUTES, ids=lambda part: part)
def test_D6_a_page_answers_every_principal_as_the_table_says(
    method: str, path: str, browsers: dict[str, Any], deployment: Any
) -> None:
    rule = PERMISSIONS[method, path]
    place = re.sub(r"\{(?!label)\w+\}", "0" * 26, path).replace("{label}", "customers")
    nobody = deployment.ask(method, place, follow_redirects=False)
    if rule.audience is Audience.ANYONE:
        assert nobody.status_code in (200, 403, 404, 422), nobody.text  # there is no provider of single sign-on
        return
    assert nobody.status_code == 303
    assert nobody.headers["location"].startswith("/login")
    for principal, browser in browsers.items():
        status = browser.ask(method, place).status_code
        if expected(rule, principal)[0] >= 400:
            assert status in expected(rule, principal), principal
        else:  # where something is named there is no such thing; forms are empty
            named = place != path.replace("{label}", "customers")
            assert status in ((200, 303, 404, 409, 422) if named or method != "GET" else (200, 303, 422)), principal


@pytest.mark.integration
@pytest.mark.parametrize(
    ("method", "path"), [route for route in PAGE_ROUTES if "{label}" in route[1]], ids=lambda part: part
)
def test_D6_the_pages_of_a_foreign_project_look_like_those_of_a_missing_one(
    method: str, path: str, browsers: dict[str, Any]
) -> None:
    place = re.sub(r"\{(?!label)\w+\}", "0" * 26, path)
    answers = [
        browsers["other project's owner"].ask(method, place.replace("{label}", label))
        for label in ("customers", "nowhere")
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    foreign, missing = (
        re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "", answer.text).replace("nowhere", "customers") for answer in answers
    )
    assert foreign == missing


def test_one_revokes_ones_own_token_and_an_admin_any(deployment: Any) -> None:
    first, second = (deployment.user(name) for name in ("first", "second"))

    def revoke(of: str, token: str) -> int:
        return int(deployment.ask("DELETE", f"/v1/tokens/{of.partition(',')[0]}", token).status_code)

    assert revoke(second, first) == 404
    assert revoke(first, first) == 200
    assert deployment.ask("GET", "/v1/me", first).status_code == 401
    assert revoke(second, deployment.admin) == 200
    assert deployment.ask("GET", "/v1/me", second).status_code == 401


def without_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}
