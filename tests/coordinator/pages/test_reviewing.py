"""The page of a suggestion: what it shows, to whom it offers what, and that its forms go by the rules of the review."""

from __future__ import annotations

import re
from typing import Any

import pytest

HOSTILE = "<img src=x onerror=alert(1)>"
PATH = "/projects/customers/suggestions"


@pytest.fixture
def suggestion(project: Any) -> Any:
    return project.suggest()


@pytest.fixture
def show(project: Any, suggestion: Any) -> Any:
    def get(who: str, query: str = "") -> str:
        answer = project.deployment.ask("GET", f"{PATH}/{suggestion['id']}{query}", getattr(project, who))
        assert answer.status_code == 200, answer.text
        return str(answer.text)

    return get


@pytest.fixture
def send(project: Any, suggestion: Any) -> Any:
    def post(who: str, act: str, **form: str) -> Any:
        headers = {"Authorization": f"Bearer {getattr(project, who)}"}
        seen = {"digest": suggestion["digest"], "revision": "1"} | form
        path = f"{PATH}/{suggestion['id']}/{act}"
        return project.deployment.http.post(path, data=seen, headers=headers, follow_redirects=False)

    return post


def state(project: Any, suggestion: Any) -> str:
    path = f"{project.path}/suggestions/{suggestion['id']}"
    return str(project.deployment.done("GET", path, project.owner)["state"])


def test_its_author_is_told_that_somebody_else_approves(project: Any, suggestion: Any) -> None:
    project.join("customers-contributor", "project-owner")
    page = project.deployment.ask("GET", f"{PATH}/{suggestion['id']}", project.contributor).text
    assert "Somebody else has to approve this" in page
    assert "/approve" not in page


def test_a_reviewer_is_offered_a_verdict_on_exactly_what_he_sees(show: Any, suggestion: Any) -> None:
    page = show("owner")
    for act in ("approve", "request-changes", "reject"):
        assert f"{PATH}/{suggestion['id']}/{act}" in page
    assert f'name="digest" value="{suggestion["digest"]}"' in page


def test_a_reader_sees_all_of_it_and_no_form(show: Any) -> None:
    page = show("reader")
    assert "You can read and follow this review" in page
    assert '<form method="post"' not in page.partition("<main")[2]


def test_an_approval_puts_it_in_force(project: Any, suggestion: Any, send: Any) -> None:
    answer = send("owner", "approve")
    assert (answer.status_code, answer.headers["location"]) == (303, f"{PATH}/{suggestion['id']}")
    assert state(project, suggestion) == "approved"


def test_nobody_approves_his_own_through_a_form_either(project: Any, suggestion: Any, send: Any) -> None:
    project.join("customers-contributor", "project-owner")
    answer = send("contributor", "approve")
    assert answer.status_code == 403
    assert "nobody reviews a suggestion of his own" in answer.text
    assert state(project, suggestion) == "open"


@pytest.mark.parametrize("act", ["request-changes", "reject", "break-glass"])
def test_a_verdict_that_needs_words_is_refused_without_them(act: str, project: Any, suggestion: Any, send: Any) -> None:
    assert send("owner", act, comment="  ").status_code == 422
    assert state(project, suggestion) == "open"


def test_changes_are_asked_for_made_and_approved(project: Any, suggestion: Any, send: Any, policy_text: str) -> None:
    assert send("owner", "request-changes", comment="why keep?").status_code == 303
    text = policy_text.replace("email", "phone").replace("\n", "\r\n")
    assert send("contributor", "edit", title="better", policy=text).status_code == 303
    made = project.deployment.done("GET", f"{project.path}/suggestions/{suggestion['id']}", project.owner)
    assert made["policy"] == policy_text.replace("email", "phone")
    assert send("owner", "approve", digest=made["digest"]).status_code == 409  # of the revision before
    assert send("owner", "approve", digest=made["digest"], revision="2").status_code == 303


def test_a_text_that_is_no_policy_comes_back_with_what_is_wrong(project: Any, suggestion: Any, send: Any) -> None:
    answer = send("contributor", "edit", title="t", policy="rules: nothing")
    assert answer.status_code == 422
    assert "`rules` is a list" in answer.text
    assert "rules: nothing</textarea>" in answer.text
    assert state(project, suggestion) == "open"


def test_comments_stand_at_their_line_until_the_text_changes(show: Any, send: Any, policy_text: str) -> None:
    assert "About line 5" in show("owner", "?line=5")
    assert send("owner", "comments", text="this one", line="5").status_code == 303
    row = re.search(r'id="line-5".*?<tr class="said">.*?</tr>', show("reader"), re.S)
    assert row is not None
    assert "this one" in row[0]
    send("contributor", "edit", title="t", policy=policy_text.replace("email", "phone"))
    assert "on line 5 of revision 1" in show("reader")


def test_nothing_that_people_wrote_runs_in_a_browser(show: Any, send: Any, policy_text: str) -> None:
    send("contributor", "comments", text=HOSTILE)
    send("contributor", "comments", text=HOSTILE, line="1")
    text = policy_text.replace("email", f'"{HOSTILE}"')
    assert send("contributor", "edit", title=HOSTILE, description=HOSTILE, policy=text).status_code == 303
    page = show("owner")
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_what_changes_is_told_column_by_column(project: Any, policy_text: str) -> None:
    project.approved(policy_text)
    changed = policy_text + "  - match: {name: iban}\n    actions: [suppress-value]\n"
    suggestion = project.suggest(changed)
    page = project.deployment.ask("GET", f"{PATH}/{suggestion['id']}", project.owner).text
    assert "column iban" in page
    assert "Value suppression" in page
    assert "2 unchanged" in page  # email, and other columns


def test_a_suggestion_whose_base_moved_is_to_be_rebased_first(project: Any, policy_text: str, send: Any) -> None:
    project.approved(policy_text.replace("email", "phone"))
    answer = send("owner", "approve")
    assert answer.status_code == 409
    assert "rebase it first" in answer.text
    assert send("contributor", "rebase").status_code == 303
    assert send("owner", "approve", revision="2").status_code == 303


def test_an_emergency_is_reviewed_afterwards_by_others(project: Any, suggestion: Any, send: Any, show: Any) -> None:
    assert send("owner", "break-glass", comment="the feed is down").status_code == 303
    assert "Take it out of force" not in show("owner")
    project.join("customers-reader", "project-owner")
    assert "Take it out of force" in show("reader")
    assert send("reader", "after-review", verdict="object", comment="no").status_code == 303
    assert state(project, suggestion) == "rejected"


def test_a_dry_run_is_shown_as_counts_and_shapes(project: Any, suggestion: Any, show: Any) -> None:
    column = {
        "name": "email",
        "input_type": "string",
        "decision": "dropped",
        "techniques": ["suppress-attribute"],
        "nulls_before": 3,
        "distinct_before": 1234,
        "shapes_before": [{"shape": "xxx@xxx.xx", "rows": 77}],
    }
    told = {
        "policy_digest": suggestion["digest"],
        "rows_in": 5000,
        "rows_out": 4999,
        "columns": [column],
        "made_at": "2026-11-21T12:00:00Z",
    }
    path = f"{project.path}/suggestions/{suggestion['id']}/dry-runs"
    project.deployment.done("POST", path, project.contributor, told)
    page = show("owner")
    assert "5,000 rows went in, 4,999 came out" in page
    assert "xxx@xxx.xx" in page
    assert "1,234" in page


def test_its_author_withdraws_it(project: Any, suggestion: Any, send: Any) -> None:
    assert send("contributor", "withdraw").status_code == 303
    assert state(project, suggestion) == "withdrawn"
