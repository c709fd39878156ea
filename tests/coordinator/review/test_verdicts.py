from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from cape_airflow.coordinator.store.models import User

INLINE = """\
label: old
version: 1
rules:
  - match: {name: a}
    actions:
      - transform: {type: tokenizer, key: {type: secret, name: k, value: "VEhJUyBJUyBOT1QgQSBSRUFMIEtFWSEh"}}
"""


def other(policy: str) -> str:
    return policy.replace("email", "phone")


def test_an_approved_suggestion_becomes_the_projects_policy(project: Any, policy_text: str) -> None:
    approved = project.approved()
    assert (approved["state"], approved["reviewed_by"]) == ("approved", "customers-owner@example.com")
    policy = project.deployment.done("GET", f"{project.path}/policy", project.worker)
    assert (policy["digest"], policy["policy"]) == (approved["digest"], policy_text)


def test_D1_an_owner_who_is_the_author_cannot_review_his_own_suggestion(project: Any, policy_text: str) -> None:
    deployment = project.deployment
    body = {"title": "mine", "policy": policy_text}
    mine = deployment.done("POST", f"{project.path}/suggestions", project.owner, body)
    for verdict in ("approve", "reject"):
        refused = project.review(mine, verdict, project.owner)
        assert (refused.status_code, refused.json()["code"]) == (403, "own-suggestion")


def test_D1_a_second_token_does_not_make_another_person_of_the_author(project: Any, policy_text: str) -> None:
    deployment = project.deployment
    body = {"title": "mine", "policy": policy_text}
    mine = deployment.done("POST", f"{project.path}/suggestions", project.owner, body)
    second = deployment.token("customers-owner@example.com")
    assert project.review(mine, "approve", second).json()["code"] == "own-suggestion"


def test_D1_a_new_email_does_not_make_another_person_of_the_author(project: Any, policy_text: str) -> None:
    deployment = project.deployment
    body = {"title": "mine", "policy": policy_text}
    mine = deployment.done("POST", f"{project.path}/suggestions", project.owner, body)
    coordinator = deployment.app.state.coordinator
    with coordinator.store.write() as session:
        owner = session.scalars(select(User).where(User.email == "customers-owner@example.com")).one()
        owner.email = "new@example.com"
        coordinator.seals.put(owner)
        session.commit()
    assert project.review(mine, "approve", project.owner).json()["code"] == "own-suggestion"


def test_D1_an_admin_who_is_the_author_cannot_approve_his_own_suggestion(project: Any, policy_text: str) -> None:
    deployment = project.deployment
    body = {"title": "mine", "policy": policy_text}
    mine = deployment.done("POST", f"{project.path}/suggestions", deployment.admin, body)
    assert project.review(mine, "approve", deployment.admin).json()["code"] == "own-suggestion"


def test_D1_an_admin_without_a_role_in_the_project_cannot_review(project: Any) -> None:
    deployment = project.deployment
    suggestion = project.suggest()
    second = deployment.user("second-admin", role="admin")
    assert project.review(suggestion, "approve", second).status_code == 404


def test_D2_a_review_names_the_digest_that_was_seen(project: Any) -> None:
    suggestion = project.suggest()
    for verdict in ("approve", "reject"):
        refused = project.review(suggestion, verdict, digest="0" * 64)
        assert (refused.status_code, refused.json()["code"]) == (409, "digest-mismatch")
    assert project.deployment.ask("GET", f"{project.path}/policy", project.worker).status_code == 404


@pytest.mark.parametrize("first", ["approve", "reject"])
@pytest.mark.parametrize("second", ["approve", "reject"])
def test_a_suggestion_is_reviewed_once(project: Any, first: str, second: str) -> None:
    suggestion = project.suggest()
    assert project.review(suggestion, first).is_success
    refused = project.review(suggestion, second)
    assert (refused.status_code, refused.json()["code"]) == (409, "not-open")


def test_D2_of_reviews_at_the_same_moment_one_wins(project: Any) -> None:
    deployment = project.deployment
    reviewers = [project.owner, deployment.admin]
    with deployment.http:  # one event loop for all threads, as a server has
        for round_ in range(10):
            suggestion = project.suggest()
            barrier = Barrier(len(reviewers))

            def review(
                place: int, suggestion: Any = suggestion, barrier: Barrier = barrier, odd: int = round_ % 2
            ) -> int:
                barrier.wait()
                verdict = "approve" if place == odd else "reject"
                return int(project.review(suggestion, verdict, reviewers[place]).status_code)

            with ThreadPoolExecutor(len(reviewers)) as pool:
                assert sorted(pool.map(review, range(len(reviewers)))) == [200, 409]
    outcomes = deployment.rows("SELECT event FROM audit WHERE event LIKE '%-project-suggestion'")
    assert len(outcomes) == 10


def test_D9_who_loses_his_role_at_the_same_moment_approves_before_or_not_at_all(project: Any) -> None:
    deployment = project.deployment
    path = f"{project.path}/contributors/customers-owner@example.com"
    with deployment.http:
        for _ in range(10):
            deployment.join("customers", "customers-owner", "project-owner")
            suggestion = project.suggest()
            barrier = Barrier(2)

            def demote(barrier: Barrier = barrier) -> int:
                barrier.wait()
                return int(deployment.ask("DELETE", path, deployment.admin).status_code)

            def approve(suggestion: Any = suggestion, barrier: Barrier = barrier) -> int:
                barrier.wait()
                return int(project.review(suggestion, "approve").status_code)

            with ThreadPoolExecutor(2) as pool:
                demoted, approved = pool.submit(demote), pool.submit(approve)
                assert demoted.result() == 204
                assert approved.result() in (200, 404)
            newest = deployment.rows("SELECT event FROM audit ORDER BY seq DESC LIMIT 1")
            assert newest == [("remove-contributor",)], "nothing was approved after the role was gone"


def test_older_approved_digests_stay_available_and_the_newest_approval_counts(project: Any, policy_text: str) -> None:
    deployment = project.deployment
    first, second = project.approved(), project.approved(other(policy_text))
    assert deployment.done("GET", f"{project.path}/policy", project.worker)["digest"] == second["digest"]
    old = deployment.done("GET", f"{project.path}/policies/{first['digest']}", project.worker)
    assert old["policy"] == policy_text
    again = project.approved()
    current = deployment.done("GET", f"{project.path}/policy", project.worker)
    assert (current["digest"], current["approval"]["suggestion_id"]) == (first["digest"], again["id"])


def test_a_rejected_or_open_digest_is_not_available(project: Any) -> None:
    suggestion = project.suggest()
    for _ in range(2):
        answer = project.deployment.ask("GET", f"{project.path}/policies/{suggestion['digest']}", project.worker)
        assert (answer.status_code, answer.json()["code"]) == (404, "no-approved-policy")
        project.review(suggestion, "reject")


def test_a_rejection_keeps_the_reviewers_words(project: Any) -> None:
    suggestion = project.suggest()
    assert project.review(suggestion, "reject", comment="email must be tokenised").is_success
    seen = project.deployment.done("GET", f"{project.path}/suggestions/{suggestion['id']}", project.worker)
    assert (seen["state"], seen["review_comment"]) == ("rejected", "email must be tokenised")


def test_a_rejection_without_words_is_refused(project: Any) -> None:
    assert project.review(project.suggest(), "reject", comment=" ").status_code == 422


def test_people_comment_on_a_suggestion_in_order(project: Any) -> None:
    suggestion = project.suggest()
    path = f"{project.path}/suggestions/{suggestion['id']}/comments"
    for token, words in ((project.owner, "why?"), (project.contributor, "because\nof this")):
        seen = project.deployment.done("POST", path, token, {"text": words})
    assert [(said["author"], said["text"]) for said in seen["comments"]] == [
        ("customers-owner@example.com", "why?"),
        ("customers-contributor@example.com", "because\nof this"),
    ]


def test_a_discussion_has_an_end(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cape_airflow.coordinator.review.history._MOST", 2)
    path = f"{project.path}/suggestions/{project.suggest()['id']}/comments"
    statuses = [project.deployment.ask("POST", path, project.owner, {"text": "x"}).status_code for _ in range(3)]
    assert statuses == [201, 201, 409]


def test_a_text_that_is_no_policy_is_refused_with_its_place(project: Any) -> None:
    body = {"title": "bad", "policy": "label: x\nversion: 2\nrulez: []\n"}
    refused = project.deployment.ask("POST", f"{project.path}/suggestions", project.contributor, body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid-policy")
    assert "policy:3:1" in refused.json()["message"]


def test_a_policy_with_keys_in_it_is_refused_and_not_stored(project: Any) -> None:
    body = {"title": "bad", "policy": INLINE}
    refused = project.deployment.ask("POST", f"{project.path}/suggestions", project.contributor, body)
    assert (refused.status_code, refused.json()["code"]) == (422, "inline-keys")
    assert "VEhJUy" not in refused.text
    assert project.deployment.rows("SELECT * FROM suggestions") == []


def test_the_text_is_kept_as_it_was_reviewed(project: Any, policy_text: str) -> None:
    commented = "# why: ünïcode\n" + policy_text
    assert project.suggest(commented)["policy"] == commented
    assert project.suggest(commented)["digest"] == project.suggest(policy_text)["digest"]
