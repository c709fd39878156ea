"""No page shows or does what the API refuses: each stands beside the routes whose rule it has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cape_airflow.coordinator.permissions import PERMISSIONS, Audience

_PROJECT = "/projects/{label}"
SIBLINGS = {
    ("GET", _PROJECT + "/jobs/{job_id}"): ("GET", "/jobs/{job_id}"),
    ("GET", _PROJECT + "/keys"): ("GET", "/keys"),
    ("POST", _PROJECT + "/keys"): ("POST", "/keys"),
    ("POST", _PROJECT + "/keys/{name}/rotate"): ("POST", "/keys/{name}/rotate"),
    ("POST", _PROJECT + "/keys/{name}/period"): ("PATCH", "/keys/{name}"),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/retire"): (
        "POST",
        "/keys/{name}/versions/{version}/retire",
    ),
    ("POST", _PROJECT + "/keys/{name}/versions/{version}/destroy"): (
        "POST",
        "/keys/{name}/versions/{version}/destroy",
    ),
    ("GET", _PROJECT + "/people"): ("GET", "/contributors"),
    ("POST", _PROJECT + "/people"): ("PUT", "/contributors/{email}"),
    ("POST", _PROJECT + "/people/{email}/reveal"): ("PUT", "/contributors/{email}/reveal"),
    ("POST", _PROJECT + "/people/{email}/remove"): ("DELETE", "/contributors/{email}"),
}
"""Pages of one project, and the routes below ``/v1/projects/{label}`` that they stand beside."""

ELSEWHERE = {
    ("GET", "/schedulers"): ("GET", "/v1/schedulers/jobs"),
    ("POST", "/schedulers/jobs/{scheduler_job}/cancel"): ("POST", "/v1/schedulers/jobs/{scheduler_job}/cancel"),
    ("GET", "/tokens"): ("GET", "/v1/tokens"),
    ("POST", "/tokens"): ("POST", "/v1/tokens"),
    ("POST", "/tokens/{id}/revoke"): ("DELETE", "/v1/tokens/{id}"),
    ("GET", "/people"): ("GET", "/v1/users"),
    ("POST", "/people"): ("POST", "/v1/users"),
    ("POST", "/people/{email}/role"): ("PUT", "/v1/users/{email}/role"),
    ("POST", "/people/{email}/deactivate"): ("POST", "/v1/users/{email}/deactivate"),
    ("POST", "/people/{email}/activate"): ("POST", "/v1/users/{email}/activate"),
    ("POST", "/people/{email}/link"): ("POST", "/v1/users/{email}/link"),
    ("GET", "/audit"): ("GET", "/v1/audit"),
    ("GET", "/settings"): ("GET", "/v1/audit"),  # what supervisors see
}

PAIRS = {page: (method, "/v1" + _PROJECT + rest) for page, (method, rest) in SIBLINGS.items()} | ELSEWHERE


@pytest.mark.parametrize(("page", "route"), PAIRS.items(), ids=str)
def test_a_page_has_the_rule_of_the_route_that_it_stands_beside(page: tuple[str, str], route: tuple[str, str]) -> None:
    assert PERMISSIONS[page] == PERMISSIONS[route]


@pytest.mark.parametrize("page", [("GET", "/"), ("GET", "/jobs")], ids=str)
def test_pages_of_several_projects_are_for_people(page: tuple[str, str]) -> None:
    assert PERMISSIONS[page] == replace(PERMISSIONS["GET", "/v1/schedulers/jobs"], audience=Audience.PERSON)
