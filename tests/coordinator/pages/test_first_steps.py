from __future__ import annotations

import re
from typing import Any

from cape_airflow.coordinator.pages import sample
from cape_airflow.policy import load_policy

STEPS = "/projects/payroll/first-steps"


def post(deployment: Any, path: str, **form: str) -> Any:
    headers = {"Authorization": f"Bearer {deployment.admin}"}
    return deployment.http.post(path, data=form, headers=headers, follow_redirects=False)


def now(deployment: Any) -> str:
    page = deployment.ask("GET", STEPS, deployment.admin).text
    found = re.search(r'<li class="now">.*?<h2>(.*?)</h2>', page, re.S)
    assert found is not None, page
    return found[1]


def test_the_steps_follow_what_is_there(deployment: Any) -> None:
    assert post(deployment, "/first-steps", name="Payroll", label="").headers["location"] == STEPS
    assert now(deployment) == "Make a key"
    post(deployment, f"{STEPS}/key")
    assert now(deployment) == "Invite a second person"
    page = post(deployment, f"{STEPS}/person", name="Grace", email="Grace@example.com").text
    assert "/set-password#" in page
    assert now(deployment) == "Suggest a policy"
    suggested = {"title": "t", "policy": sample.SAMPLE.text()}
    made = deployment.done("POST", "/v1/projects/payroll/suggestions", deployment.admin, suggested)
    assert now(deployment) == "Have it approved"
    path = f"/v1/projects/payroll/suggestions/{made['id']}/approve"
    deployment.done("POST", path, deployment.token("grace@example.com"), {"digest": made["digest"]})
    assert now(deployment) == "Run it"


def test_somebody_with_an_account_becomes_an_owner_without_a_new_link(deployment: Any) -> None:
    deployment.user("grace")
    post(deployment, "/first-steps", name="Payroll")
    page = post(deployment, f"{STEPS}/person", name="Grace", email="grace@example.com").text
    assert "set-password" not in page
    assert "may approve what you suggest" in page


def test_an_owner_who_is_no_admin_adds_only_those_who_have_an_account(project: Any) -> None:
    headers = {"Authorization": f"Bearer {project.owner}"}
    form = {"name": "New", "email": "new@example.com"}
    answer = project.deployment.http.post("/projects/customers/first-steps/person", data=form, headers=headers)
    assert answer.status_code == 403
    assert "an admin, who makes accounts" in answer.text


def test_the_sample_is_covered_by_its_policy(deployment: Any) -> None:
    post(deployment, "/first-steps", name="Payroll")
    head = deployment.ask("GET", f"{STEPS}/customers.csv", deployment.admin).text.split("\n")[0]
    policy = load_policy(sample.SAMPLE.text())
    named = {name for rule in policy.rules for name in rule.columns.values}
    assert named == set(head.split(","))
