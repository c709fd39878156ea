"""What pages think that somebody may do, against what the guard lets him do."""

from __future__ import annotations

from typing import Any

import pytest

from cape_airflow.coordinator.call import Call, Caller
from cape_airflow.coordinator.permissions import PERMISSIONS, Audience
from cape_airflow.coordinator.reach import may, projects_open_to
from cape_airflow.coordinator.store.models import Project, Token

ROUTES = sorted(
    route
    for route, rule in PERMISSIONS.items()
    if rule.audience is Audience.PROJECT and route[1].startswith("/v1/projects/{label}")
)
"""All routes about a project."""


@pytest.fixture(scope="module")
def project(shared_project: Any) -> Any:
    return shared_project


@pytest.fixture(scope="module")
def other(project: Any) -> Any:
    return project.deployment.project("other")


@pytest.fixture(scope="module")
def people(project: Any, other: Any) -> dict[str, str]:
    deployment = other.deployment
    auditor = deployment.user("auditor", role="auditor")
    named = deployment.user("named", role="auditor")
    deployment.join("customers", "named", "project-owner")
    return {
        "admin without a role": deployment.user("second-admin", role="admin"),
        "auditor": auditor,
        "auditor who owns the project": named,
        "outsider": deployment.user("outsider"),
        **{name: getattr(project, name) for name in ("owner", "contributor", "reader", "worker")},
    }


def call_of(session: Any, deployment: Any, token: str, label: str = "customers") -> Call:
    coordinator = deployment.app.state.coordinator
    row = session.query(Token).filter(Token.id == token.partition(",")[0]).one()
    project = session.query(Project).filter(Project.label == label).one()
    return Call(coordinator, session, Caller(row.user, row), project, coordinator.clock(), "0", "127.0.0.1")


def guard_lets_through(project: Any, method: str, path: str, token: str) -> bool:
    """Whether the answer is about the body or the object, and no longer about who asks."""
    place = path.replace("{label}", project.label).replace("{", "").replace("}", "")
    answer = project.deployment.ask(method, place, token)
    who = answer.status_code == 403 and answer.json()["code"] == "forbidden"
    return not who and answer.json().get("message") != "there is no such project"


@pytest.mark.parametrize("path", ["/v1/projects/{label}/jobs", "/v1/projects/{label}/keys", "/v1/projects/{label}"])
def test_pages_of_several_projects_show_what_the_guard_of_each_lets_through(
    path: str, project: Any, people: dict[str, str]
) -> None:
    deployment = project.deployment
    for name, token in people.items():
        with deployment.app.state.coordinator.store.read() as session:
            seen = [each.label for each in projects_open_to(call_of(session, deployment, token), "GET", path)]
        answers = [deployment.ask("GET", path.format(label=label), token) for label in ("customers", "other")]
        assert seen == [
            label for label, each in zip(("customers", "other"), answers, strict=True) if each.is_success
        ], name


@pytest.mark.parametrize(("method", "path"), ROUTES, ids=lambda part: part)
def test_a_page_offers_what_the_guard_lets_through(
    method: str, path: str, project: Any, people: dict[str, str]
) -> None:
    deployment = project.deployment
    for name, token in people.items():
        with deployment.app.state.coordinator.store.read() as session:
            thought = may(call_of(session, deployment, token), method, path)
        assert thought == guard_lets_through(project, method, path, token), name


def test_what_is_for_admins_is_offered_to_them_and_to_auditors_where_the_table_says_so(
    project: Any, people: dict[str, str]
) -> None:
    with project.deployment.app.state.coordinator.store.read() as session:
        calls = {name: call_of(session, project.deployment, token) for name, token in people.items()}
        reads = {name for name, call in calls.items() if may(call, "GET", "/v1/audit")}
        makes = {name for name, call in calls.items() if may(call, "POST", "/v1/users")}
    assert makes == {"admin without a role"}
    assert reads == makes | {"auditor", "auditor who owns the project"}


def test_auditors_may_vote_where_the_review_rule_names_them(other: Any, people: dict[str, str]) -> None:
    path = "/v1/projects/{label}/suggestions/{id}/approve"
    for expected in (False, True):
        with other.deployment.app.state.coordinator.store.read() as session:
            call = call_of(session, other.deployment, people["auditor"], "other")
            assert may(call, "POST", path) is expected
            assert [project.label for project in projects_open_to(call, "POST", path)] == ["other"] * expected
        rule = {"quorum": {"project-owner": 1, "auditor": 1}}
        other.deployment.done("PUT", f"{other.path}/review-rule", other.owner, rule)
