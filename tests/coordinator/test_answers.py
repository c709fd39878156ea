from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from cape_airflow.coordinator.answers import Place
from cape_airflow.coordinator.app import create_app
from cape_airflow.coordinator.review.question import Question


def code(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def reviews(project: Any, suggestion: Any) -> list[Any]:
    found = project.deployment.done("GET", f"{project.path}/suggestions/{suggestion['id']}", project.worker)
    return list(found["reviews"])


@pytest.fixture
def suggestion(project: Any) -> Any:
    return project.suggest()


def test_an_answer_is_a_review_by_the_person_who_gave_it(project: Any, suggestion: Any) -> None:
    carried = project.carry(suggestion, project.answered(suggestion, "Approve"))
    assert carried.json() == {"reviewer": "customers-owner@example.com", "verdict": "approve", "state": "approved"}
    (review,) = reviews(project, suggestion)
    assert (review["reviewer"], review["role"], review["verdict"], review["comment"]) == (
        "customers-owner@example.com",
        "project-owner",
        "approve",
        "seen",
    )
    assert review["via"].startswith(f"book dag/{suggestion['id']}/")


def test_the_audit_log_names_the_person_for_the_review_and_the_worker_for_the_errand(
    project: Any, suggestion: Any
) -> None:
    place = project.answered(suggestion, "Approve")
    project.carry(suggestion, place)
    rows = project.deployment.rows("SELECT event, user_email, target_label FROM audit ORDER BY seq DESC LIMIT 2")
    where = f"dag/{suggestion['id']}/{place['task_id']}/-1"
    assert [tuple(row) for row in rows] == [
        (
            "carry-answer",
            "customers-worker@example.com",
            f"approve customers-owner@example.com book {where}",
        ),
        ("approve-project-suggestion", "customers-owner@example.com", suggestion["digest"]),
    ]


@pytest.mark.parametrize(("chosen", "state"), [("Reject", "rejected"), ("Request changes", "changes-requested")])
def test_the_other_answers_are_reviews_too(project: Any, suggestion: Any, chosen: str, state: str) -> None:
    assert project.carry(suggestion, project.answered(suggestion, chosen)).json()["state"] == state


@pytest.mark.parametrize("comment", [None, "  ", 7, "x" * 4001])
def test_who_says_no_says_why(project: Any, suggestion: Any, comment: Any) -> None:
    place = project.answered(suggestion, "Reject", comment=comment)
    assert code(project.carry(suggestion, place)) == (409, "no-comment")


def test_an_answer_counts_once(project: Any, suggestion: Any) -> None:
    rule = {"quorum": {"project-owner": 2}, "valid_days": None}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    place = project.answered(suggestion, "Approve")
    assert project.carry(suggestion, place).json()["state"] == "open"
    assert code(project.carry(suggestion, place)) == (409, "answer-used")
    assert len(reviews(project, suggestion)) == 1


def test_nobody_approves_his_own_suggestion_by_way_of_airflow(project: Any, suggestion: Any) -> None:
    refused = project.carry(suggestion, project.answered(suggestion, "Approve", "contributor"))
    assert code(refused) == (403, "not-a-reviewer")
    mine = project.deployment.done(
        "POST", f"{project.path}/suggestions", project.owner, {"title": "mine", "policy": suggestion["policy"]}
    )
    refused = project.carry(mine, project.answered(mine, "Approve"))
    assert code(refused) == (403, "own-suggestion")
    assert refused.json()["message"].startswith("customers-owner@example.com answered approve: ")
    assert reviews(project, mine) == []


def test_who_does_not_belong_to_the_project_has_no_say(project: Any, suggestion: Any) -> None:
    project.deployment.user("customers-outsider")
    refused = project.carry(suggestion, project.answered(suggestion, "Approve", "outsider"))
    assert code(refused) == (403, "not-a-reviewer")


def test_who_has_lost_his_role_since_has_no_say(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    project.deployment.join("customers", "customers-owner", "project-reader")
    assert code(project.carry(suggestion, place)) == (403, "not-a-reviewer")


def test_who_was_never_here_is_told_how_to_become_known(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve", subject="stranger")
    assert code(project.carry(suggestion, place)) == (403, "unknown-person")


def test_who_is_deactivated_has_no_say(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    deployment = project.deployment
    deployment.done("POST", "/v1/users/customers-owner@example.com/deactivate", deployment.admin)
    assert code(project.carry(suggestion, place)) == (403, "deactivated")


def test_an_answer_without_a_person_approves_nothing(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve", subject=None)
    assert code(project.carry(suggestion, place)) == (409, "no-person")


def test_nothing_answered_is_nothing_said(project: Any, suggestion: Any) -> None:
    nowhere = {"dag_id": "dag", "run_id": "run", "task_id": "task"}
    assert code(project.carry(suggestion, nowhere)) == (404, "no-answer")


@pytest.mark.parametrize("claim", [{"reviewer": "customers-owner@example.com"}, {"verdict": "approve"}, {"via": "x"}])
def test_a_worker_claims_nothing_about_who_said_what(project: Any, suggestion: Any, claim: Any) -> None:
    place = project.answered(suggestion, "Approve") | claim
    assert project.carry(suggestion, place).status_code == 422


@pytest.mark.parametrize(
    "shown",
    [
        {"subject": "Lunch at twelve?"},
        {"body": "Shall we have lunch?"},
        {"options": ("Approve",)},
        {"params": {}},
    ],
    ids=lambda part: next(iter(part)),
)
def test_an_answer_to_another_question_approves_nothing(project: Any, suggestion: Any, shown: Any) -> None:
    place = project.answered(suggestion, "Approve")
    book = project.deployment.book.answers
    key = Place(place["dag_id"], place["run_id"], place["task_id"])
    book[key] = replace(book[key], asked=replace(book[key].asked, **shown))
    assert code(project.carry(suggestion, place)) == (409, "another-question")


@pytest.mark.parametrize("chosen", [(), ("Approve", "Reject"), ("approve",)])
def test_what_is_no_single_answer_is_none(project: Any, suggestion: Any, chosen: Any) -> None:
    place = project.answered(suggestion, "Approve")
    book, key = project.deployment.book.answers, Place(place["dag_id"], place["run_id"], place["task_id"])
    book[key] = replace(book[key], chosen=chosen)
    assert code(project.carry(suggestion, place)) == (409, "another-question")


def test_an_answer_about_the_text_before_an_edit_does_not_count_for_the_one_after_it(
    project: Any, suggestion: Any
) -> None:
    place = project.answered(suggestion, "Approve")
    edit = {"revision": 1, "policy": suggestion["policy"].replace("email", "phone")}
    path = f"{project.path}/suggestions/{suggestion['id']}"
    project.deployment.done("PATCH", path, project.contributor, edit)
    assert code(project.carry(suggestion, place)) == (409, "another-question")


def test_nor_where_the_text_was_changed_back(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    path = f"{project.path}/suggestions/{suggestion['id']}"
    for revision, policy in enumerate((suggestion["policy"].replace("email", "phone"), suggestion["policy"]), 1):
        project.deployment.done("PATCH", path, project.contributor, {"revision": revision, "policy": policy})
    assert code(project.carry(suggestion, place)) == (409, "another-question")


def test_an_answer_about_one_suggestion_does_not_count_for_another_of_the_same_text(
    project: Any, suggestion: Any
) -> None:
    other = project.suggest()
    assert code(project.carry(other, project.answered(suggestion, "Approve"))) == (409, "another-question")


def test_where_another_policy_came_into_force_meanwhile_it_must_be_rebased(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    project.approved(suggestion["policy"].replace("email", "phone"))
    assert code(project.carry(suggestion, place)) == (409, "base-moved")


def test_only_a_worker_of_the_project_carries_answers(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    for token in (project.owner, project.contributor, project.reader, project.deployment.admin):
        assert project.carry(suggestion, place, token).status_code in (403, 404)


def test_a_coordinator_outside_of_airflow_says_that_it_cannot_know(project: Any, suggestion: Any) -> None:
    place = project.answered(suggestion, "Approve")
    project.deployment.app.state.answers = None
    assert code(project.carry(suggestion, place)) == (409, "not-inside-airflow")
    path = f"{project.path}/suggestions/{suggestion['id']}/question"
    assert code(project.deployment.ask("GET", path, project.worker)) == (409, "not-inside-airflow")
    assert create_app(project.deployment.settings).state.answers is None


def test_what_says_where_a_review_was_given_cannot_be_edited_in_the_database(project: Any, suggestion: Any) -> None:
    project.carry(suggestion, project.answered(suggestion, "Request changes"))
    with project.deployment.app.state.coordinator.store.write() as session:
        session.execute(text("UPDATE reviews SET via = NULL"))
        session.commit()
    path = f"{project.path}/suggestions/{suggestion['id']}"
    assert code(project.deployment.ask("GET", path, project.worker)) == (403, "tampered")


def test_two_answers_at_one_place_both_count(project: Any, suggestion: Any) -> None:
    rule = {"quorum": {"project-owner": 2}, "valid_days": None}
    project.deployment.done("PUT", f"{project.path}/review-rule", project.owner, rule)
    place = project.answered(suggestion, "Approve")
    assert project.carry(suggestion, place).json()["state"] == "open"
    book, key = project.deployment.book.answers, Place(place["dag_id"], place["run_id"], place["task_id"])
    project.deployment.bind("admin@example.com")
    book[key] = replace(
        book[key], subject="admin@example.com", answered_at=book[key].answered_at + timedelta(microseconds=1)
    )
    carried = project.carry(suggestion, place).json()
    assert (carried["reviewer"], carried["state"]) == ("admin@example.com", "approved")


def test_the_question_is_the_same_as_long_as_the_suggestion_is(project: Any, suggestion: Any) -> None:
    path = f"{project.path}/suggestions/{suggestion['id']}"
    before = project.deployment.done("GET", f"{path}/question", project.worker)
    project.deployment.done("POST", f"{path}/comments", project.owner, {"text": "hm"})
    project.approved(suggestion["policy"].replace("email", "phone"))
    assert project.deployment.done("GET", f"{path}/question", project.worker) == before
    assert Question(before["subject"], before["body"]).options == tuple(before["options"])
