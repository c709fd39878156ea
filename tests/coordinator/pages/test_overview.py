"""The overview: what waits for whom, and figures that are those of the caller's projects."""

from __future__ import annotations

import re
from typing import Any

from tests.coordinator.pages.story import tell


def page(project: Any, token: str) -> str:
    answer = project.deployment.ask("GET", "/", token)
    assert answer.status_code == 200, answer.text
    return str(answer.text)


def test_it_shows_a_month_at_a_glance(project: Any) -> None:
    tell(project)
    text = page(project, project.deployment.admin)
    assert "Salaries to the hundred" in text
    assert re.search(r"<code>customer-id</code></a> of customers, version 1", text), "its 20 days are over"
    assert "<code>payroll</code>" not in text
    assert "75 %" in text
    assert re.search(r"of 5 jobs of Spark", text)
    assert text.count("<svg") == 3
    assert "<script>" not in text
    assert "Values by technique as a table" in text


def test_a_suggestion_waits_for_who_may_approve_it_and_has_not_written_it(project: Any) -> None:
    own = project.deployment.done(
        "POST", f"{project.path}/suggestions", project.owner, {"title": "mine", "policy": POLICY}
    )
    project.suggest(title="of a contributor")
    for token, expected in (
        (project.owner, {"of a contributor"}),
        (project.deployment.admin, {"mine", "of a contributor"}),
        (project.contributor, set()),
        (project.reader, set()),
    ):
        text = page(project, token)
        assert {title for title in ("mine", "of a contributor") if title in text} == expected
    project.review(own, "approve", project.deployment.admin)
    assert "mine" not in page(project, project.deployment.admin)


def test_what_one_has_approved_waits_for_the_others_of_the_quorum(project: Any) -> None:
    rule = {"quorum": {"project-owner": 1, "auditor": 1}}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    auditor = project.deployment.user("auditor", role="auditor")
    suggestion = project.suggest(title="for two")
    assert project.review(suggestion, "approve").is_success
    assert "for two" not in page(project, project.owner)
    assert "for two" in page(project, auditor)


def test_a_policy_in_force_without_review_waits_for_an_after_review(project: Any) -> None:
    suggestion = project.suggest(title="emergency")
    body = {"digest": suggestion["digest"], "reason": "the nightly run leaks"}
    path = f"{project.path}/suggestions/{suggestion['id']}/break-glass"
    project.deployment.done("POST", path, project.owner, body)
    assert "after-review" in page(project, project.deployment.admin)
    assert "emergency" not in page(project, project.owner), "who broke the glass"


def test_the_checkpoint_is_for_those_who_may_read_the_log(project: Any) -> None:
    auditor = project.deployment.user("auditor", role="auditor")
    assert "Audit checkpoint" in page(project, auditor)
    assert "Audit checkpoint" not in page(project, project.owner)


def test_other_projects_count_for_nobody_else(project: Any) -> None:
    tell(project)
    outsider = project.deployment.user("outsider")
    text = page(project, outsider)
    assert "nothing yet" in text
    assert "Salaries" not in text


POLICY = """\
label: customers
version: 2
default: keep
rules:
  - match: {name: phone}
    actions: [drop]
"""
