from __future__ import annotations

from typing import Any


def test_everybody_sees_his_own_projects(project: Any) -> None:
    project.deployment.project("payroll")
    mine = project.deployment.ask("GET", "/projects", project.reader).text
    assert "/projects/customers" in mine
    assert "/projects/payroll" not in mine


def test_a_project_shows_its_policy_and_what_waits(project: Any, policy_text: str) -> None:
    project.approved(policy_text)
    project.suggest(policy_text.replace("email", "phone"), title="One more")
    page = project.deployment.ask("GET", "/projects/customers", project.reader).text
    assert "in force" in page
    assert "One more" in page
    assert "Suggest a change" not in page
    assert "Suggest a change" in project.deployment.ask("GET", "/projects/customers", project.contributor).text


def test_an_admin_without_a_role_sees_that_it_is_there_and_no_more(project: Any, policy_text: str) -> None:
    project.approved(policy_text)
    project.suggest(policy_text, title="One more")
    other = project.deployment.user("other-admin", role="admin")
    page = project.deployment.ask("GET", "/projects/customers", other).text
    assert "and no more" in page
    assert "One more" not in page
