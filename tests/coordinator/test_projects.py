from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

ROLES = ("project-owner", "project-contributor", "project-reader", "worker")


def test_a_project_gets_its_label_from_its_name_and_its_maker_as_owner(deployment: Any) -> None:
    made = deployment.done("POST", "/v1/projects", deployment.admin, {"name": "  Pay Roll (2026)! "})
    assert made == {
        "label": "pay-roll-2026",
        "name": "Pay Roll (2026)!",
        "description": "",
        "status": "pending",
        "policy_digest": None,
    }
    people = deployment.done("GET", "/v1/projects/pay-roll-2026/contributors", deployment.admin)["items"]
    [owner] = people
    assert (owner["email"], owner["name"], owner["role"]) == ("admin@example.com", "Ada", "project-owner")


def test_a_label_is_taken_once(deployment: Any, project: Any) -> None:
    for body in ({"name": "x", "label": "customers"}, {"name": "Customers"}):
        refused = deployment.ask("POST", "/v1/projects", deployment.admin, body)
        assert (refused.status_code, refused.json()["code"]) == (409, "already-exists")


@pytest.mark.parametrize("label", ["", "A", "a b", "-a", "a-", "..", ".", "a/b", "ä", "x" * 65, "a\n"])
def test_a_label_fits_into_a_url(shared_deployment: Any, label: str) -> None:
    body = {"name": "x", "label": label}
    assert shared_deployment.ask("POST", "/v1/projects", shared_deployment.admin, body).status_code == 422


def test_a_name_without_letters_needs_a_label(shared_deployment: Any) -> None:
    refused = shared_deployment.ask("POST", "/v1/projects", shared_deployment.admin, {"name": "顧客"})
    assert refused.status_code == 422
    assert "label" in refused.json()["message"]


def test_a_project_is_active_once_it_has_an_approved_policy(deployment: Any, project: Any) -> None:
    approved = project.approved()
    seen = deployment.done("GET", project.path, project.reader)
    assert (seen["status"], seen["policy_digest"]) == ("active", approved["digest"])


def test_a_change_leaves_the_rest_and_the_label(deployment: Any, project: Any) -> None:
    deployment.done("PATCH", project.path, project.owner, {"description": "who\nbuys"})
    seen = deployment.done("PATCH", project.path, project.owner, {"name": "Buyers"})
    assert (seen["label"], seen["name"], seen["description"]) == ("customers", "Buyers", "who\nbuys")


def test_one_sees_the_projects_one_belongs_to_and_an_admin_all(deployment: Any, project: Any) -> None:
    other = deployment.project("other")

    def labels(token: str) -> list[str]:
        return [item["label"] for item in deployment.done("GET", "/v1/projects", token)["items"]]

    assert labels(project.reader) == ["customers"]
    assert labels(other.owner) == ["other"]
    assert labels(deployment.admin) == labels(deployment.user("second", role="admin")) == ["customers", "other"]
    assert labels(project.worker) == []


def test_a_role_is_changed_in_place(deployment: Any, project: Any) -> None:
    project.join("customers-reader", "project-contributor")
    people = deployment.done("GET", f"{project.path}/contributors", project.owner)["items"]
    roles = {person["email"]: person["role"] for person in people}
    assert len(people) == 5
    assert roles["customers-reader@example.com"] == "project-contributor"


def test_only_users_become_contributors(deployment: Any, project: Any) -> None:
    path = f"{project.path}/contributors/nobody@example.com"
    assert deployment.ask("PUT", path, project.owner, {"role": "project-reader"}).status_code == 404
    assert deployment.ask("DELETE", path, project.owner).status_code == 404


@pytest.mark.parametrize("role", ["admin", "owner", "project-admin", "", None])
def test_other_roles_are_refused(deployment: Any, project: Any, role: Any) -> None:
    path = f"{project.path}/contributors/customers-reader@example.com"
    assert deployment.ask("PUT", path, project.owner, {"role": role}).status_code == 422


def test_D9_the_last_owner_stays_one(deployment: Any, project: Any) -> None:
    admin = f"{project.path}/contributors/admin@example.com"
    owner = f"{project.path}/contributors/customers-owner@example.com"
    assert deployment.ask("DELETE", admin, project.owner).status_code == 204
    refused = deployment.ask("DELETE", owner, project.owner)
    assert (refused.status_code, refused.json()["code"]) == (409, "last-owner")


@pytest.mark.parametrize("role", ROLES)
def test_nobody_changes_his_own_role(deployment: Any, project: Any, role: str) -> None:
    for who, token in (("admin", deployment.admin), ("customers-owner", project.owner)):
        refused = deployment.ask("PUT", f"{project.path}/contributors/{who}@example.com", token, {"role": role})
        assert (refused.status_code, refused.json()["code"]) == (403, "own-role")


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"worker"}))
def test_a_worker_is_nothing_else_in_the_project_and_does_not_become_it(project: Any, role: str) -> None:
    deployment = project.deployment
    for name, first, second in (("one", role, "worker"), ("two", "worker", role)):
        deployment.user(name)
        project.join(name, first)
        path = f"{project.path}/contributors/{name}@example.com"
        refused = deployment.ask("PUT", path, project.owner, {"role": second})
        assert (refused.status_code, refused.json()["code"]) == (409, "other-role")
        assert deployment.ask("PUT", path, project.owner, {"role": first}).is_success
        deployment.done("DELETE", path, project.owner)
        assert deployment.ask("PUT", path, project.owner, {"role": second}).is_success


def test_D9_two_owners_who_remove_each_other_at_the_same_moment_leave_one(deployment: Any, project: Any) -> None:
    pairs = [(project.owner, "admin"), (deployment.admin, "customers-owner")]

    def remove(pair: tuple[str, str]) -> int:
        path = f"{project.path}/contributors/{pair[1]}@example.com"
        return int(deployment.ask("DELETE", path, pair[0]).status_code)

    with deployment.http:
        for _ in range(10):
            with ThreadPoolExecutor(2) as pool:
                assert 204 in list(pool.map(remove, pairs))
            owners = deployment.rows("SELECT user_seq FROM contributors WHERE role = 'project-owner'")
            assert len(owners) == 1
            left, gone = pairs if deployment.ask("GET", project.path, project.owner).is_success else pairs[::-1]
            path = f"{project.path}/contributors/{left[1]}@example.com"
            deployment.done("PUT", path, left[0], {"role": "project-owner"})
            assert gone[0] != left[0]
